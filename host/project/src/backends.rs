//! The secret backends of an environment: the built-in ones and the plugins that it configures. Each sees its own
//! configuration and nothing else; none is started before a secret of it is asked for.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use secrecy::ExposeSecret as _;
use serde_json::Value as Json;
use tokio::sync::OnceCell;
use whimbrel_config::{Problem, backend_problem};
use whimbrel_core::environment::{Environment, SecretBackend, SecretReference};
use whimbrel_core::fault::{Fault, FaultClass};
use whimbrel_core::finding::{Finding, Severity};
use whimbrel_core::name::EnvironmentName;
use whimbrel_core::project::{Material, Project};
use whimbrel_plugin::{Materials, Mismatch, SecretStore, StoreSettings};
use whimbrel_secrets::{Backend, LeaseId, Ledger, Renewal, Resolver, Secret, SecretError, Shape};
use whimbrel_signal::Scrubber;
use zeroize::Zeroizing;

use crate::{PluginUnavailable, Plugins};

/// The backend that reads files.
const FILE_BACKEND: &str = "file";

/// What resolves the secret references of an environment, and of no other. `offered` are backends of the surroundings,
/// which its own may refer to; what is lent is noted in the ledger.
#[must_use]
pub fn resolver(
    plugins: &Arc<Plugins>,
    environment: &Environment,
    scrubber: &Scrubber,
    offered: &[(String, Arc<dyn Backend>)],
    ledger: Option<&Ledger>,
) -> Resolver {
    let mut resolver = Resolver::new(plugins.base(), scrubber.clone());
    if let Some(meter) = plugins.meter() {
        resolver = resolver.with_meter(meter.clone());
    }
    resolver = resolver.for_environment(&environment.secrets);
    if let Some(ledger) = ledger {
        let pages = ledger.of(environment.name.as_str(), &environment.secrets);
        resolver = resolver.with_pages(pages);
    }
    for (name, backend) in offered {
        resolver = resolver.with_backend(name, Arc::clone(backend));
    }
    for (name, backend) in in_order(plugins.project(), &environment.secrets) {
        // Those before it are all that its own configuration can refer to.
        let configured = Configured {
            environment: environment.name.clone(),
            name: name.clone(),
            backend: backend.clone(),
            plugins: Arc::clone(plugins),
            materials: Arc::new(Resolving(resolver.clone())),
            scrubber: scrubber.clone(),
            store: OnceCell::new(),
        };
        resolver = resolver.with_backend(name, Arc::new(configured));
    }
    resolver
}

/// Each backend after those that it needs. Loading has refused circles.
fn in_order<'a>(
    project: &Project,
    backends: &'a BTreeMap<String, SecretBackend>,
) -> Vec<(&'a String, &'a SecretBackend)> {
    let mut ordered: Vec<(&String, &SecretBackend)> = Vec::new();
    let mut waiting: Vec<_> = backends.iter().collect();
    while !waiting.is_empty() {
        let (ready, blocked): (Vec<_>, Vec<_>) =
            waiting.iter().copied().partition(|(_, backend)| {
                let needs = backend.needs(project);
                !waiting.iter().any(|(other, _)| needs.contains(*other))
            });
        if ready.is_empty() {
            break;
        }
        ordered.extend(ready);
        waiting = blocked;
    }
    ordered
}

/// Reads what a backend's configuration and its plugin's grants refer to.
pub(crate) struct Resolving(pub(crate) Resolver);

#[async_trait]
impl Materials for Resolving {
    async fn read(&self, material: &Material) -> Result<Zeroizing<Vec<u8>>, Fault> {
        let reference = match material {
            Material::Secret(reference) => reference.clone(),
            Material::File { file } => SecretReference {
                backend: FILE_BACKEND.to_owned(),
                path: file.clone(),
                key: None,
                version: None,
                options: Json::Null,
            },
        };
        match self.0.resolve(&reference).await {
            Ok(value) => Ok(Zeroizing::new(value.expose_secret().as_bytes().to_vec())),
            Err(error) => Err(fault(&error)),
        }
    }
}

fn fault(error: &SecretError) -> Fault {
    if let SecretError::Backend { reference, fault } = error {
        // Whoever shows the fault adds its code.
        return Fault {
            message: format!("{reference}: {}", fault.message),
            ..(**fault).clone()
        };
    }
    let mut fault = Fault::new(FaultClass::Invalid, "secret.unresolved", error.to_string());
    fault.hint = error.hint();
    fault
}

/// A backend that becomes a store when it is first asked.
struct Configured {
    environment: EnvironmentName,
    name: String,
    backend: SecretBackend,
    plugins: Arc<Plugins>,
    materials: Arc<Resolving>,
    scrubber: Scrubber,
    store: OnceCell<SecretStore>,
}

impl Configured {
    async fn store(&self) -> Result<&SecretStore, Fault> {
        let make = async || -> Result<SecretStore, Fault> {
            let plugin = self.plugins.plugin(&self.backend.plugin).await;
            let plugin = plugin.map_err(|error| unavailable(&error))?;
            let settings = StoreSettings {
                name: self.name.clone(),
                with: self.backend.with.clone(),
                materials: Arc::clone(&self.materials) as Arc<dyn Materials>,
                scrubber: self.scrubber.clone(),
                log: None,
            };
            SecretStore::new(plugin, settings)
        };
        self.store.get_or_try_init(make).await
    }
}

impl Configured {
    /// What is wrong with its `with:`, each thing where it stands. Nothing secret is read for it.
    async fn mismatches(&self) -> Result<Vec<(Option<Problem>, Mismatch)>, Fault> {
        let mismatches = self.store().await?.mismatches().await?;
        let located = mismatches.into_iter().map(|mismatch| {
            let place = self.place(&mismatch.pointer, &mismatch.message);
            (place, mismatch)
        });
        Ok(located.collect())
    }

    /// Where in the environment a part of its `with:` stands.
    fn place(&self, pointer: &str, message: &str) -> Option<Problem> {
        backend_problem(
            &**self.plugins.tree(),
            self.plugins.project(),
            &self.environment,
            &self.name,
            pointer,
            message,
        )
    }

    /// The fault with file, line and column, if it is about the configuration.
    fn located(&self, mut fault: Fault) -> Fault {
        let pointer = fault.pointer.as_deref();
        if let Some(at) = pointer.and_then(|pointer| self.place(pointer, "")) {
            let message = &fault.message;
            fault.message = format!("{}:{}:{}: {message}", at.path, at.line, at.column);
        }
        fault
    }
}

/// What is wrong with the backends of an environment, without reaching any of them and without reading any secret.
pub(crate) async fn backend_findings(
    plugins: &Arc<Plugins>,
    environment: &Environment,
) -> Vec<Finding> {
    let resolver = Resolver::new(plugins.base(), Scrubber::default());
    let mut findings = Vec::new();
    for (name, backend) in &environment.secrets {
        let configured = Configured {
            environment: environment.name.clone(),
            name: name.clone(),
            backend: backend.clone(),
            plugins: Arc::clone(plugins),
            materials: Arc::new(Resolving(resolver.clone())),
            scrubber: Scrubber::default(),
            store: OnceCell::new(),
        };
        let finding = |message: String, place: Option<Problem>, help: Option<String>| {
            let finding = Finding {
                help,
                ..Finding::new(
                    "definition",
                    Severity::Error,
                    format!("secret backend `{name}`: {message}"),
                )
            };
            match place {
                Some(place) => finding.at(place.place()),
                None => finding,
            }
        };
        match configured.mismatches().await {
            Ok(mismatches) => findings.extend(
                mismatches
                    .into_iter()
                    .map(|(place, mismatch)| finding(mismatch.message, place, mismatch.hint)),
            ),
            Err(fault) => {
                let place = configured.place("", "");
                findings.push(finding(fault.message, place, fault.hint));
            }
        }
    }
    findings
}

fn unavailable(error: &PluginUnavailable) -> Fault {
    let mut fault = Fault::new(FaultClass::Invalid, "plugin.unavailable", error.to_string());
    fault.hint = error.hint();
    fault
}

#[async_trait]
impl Backend for Configured {
    fn describe(&self) -> String {
        match self.store.get() {
            Some(store) => store.describe(),
            None => format!("plugin {} as `{}`", self.backend.plugin, self.name),
        }
    }

    async fn read(&self, reference: &SecretReference) -> Result<Secret, Fault> {
        let store = self.store().await?;
        let answer = store.read(reference).await;
        answer.map_err(|fault| self.located(fault))
    }

    async fn shape(&self, reference: &SecretReference) -> Result<Shape, Fault> {
        let store = self.store().await?;
        let answer = store.shape(reference).await;
        answer.map_err(|fault| self.located(fault))
    }

    async fn renew(&self, lease: &LeaseId, want: Duration) -> Result<Renewal, Fault> {
        let store = self.store().await?;
        let answer = store.renew(lease, want).await;
        answer.map_err(|fault| self.located(fault))
    }

    async fn revoke(&self, lease: &LeaseId) -> Result<(), Fault> {
        let store = self.store().await?;
        let answer = store.revoke(lease).await;
        answer.map_err(|fault| self.located(fault))
    }

    fn forget(&self, lease: &LeaseId) {
        if let Some(store) = self.store.get() {
            store.forget(lease);
        }
    }

    async fn close(&self) -> Result<(), Fault> {
        match self.store.get() {
            Some(store) => store.close().await,
            None => Ok(()),
        }
    }
}
