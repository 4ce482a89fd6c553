//! The secret backends of an environment: the built-in ones and the plugins that it configures. Each sees its own
//! configuration and nothing else; none is started before a secret of it is asked for.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use secrecy::ExposeSecret as _;
use serde_json::Value as Json;
use tokio::sync::OnceCell;
use whimbrel_core::environment::{Environment, SecretBackend, SecretReference};
use whimbrel_core::fault::{Fault, FaultClass};
use whimbrel_core::project::{Material, Project};
use whimbrel_plugin::{Materials, SecretStore, StoreSettings};
use whimbrel_secrets::{Backend, LeaseId, Renewal, Resolver, Secret, SecretError, Shape};
use whimbrel_signal::Scrubber;
use zeroize::Zeroizing;

use crate::{PluginUnavailable, Plugins};

/// The backend that reads files.
const FILE_BACKEND: &str = "file";

/// What resolves the secret references of an environment, and of no other.
#[must_use]
pub fn resolver(
    plugins: &Arc<Plugins>,
    environment: &Environment,
    scrubber: &Scrubber,
) -> Resolver {
    let mut resolver =
        Resolver::new(plugins.base(), scrubber.clone()).for_environment(&environment.secrets);
    for (name, backend) in in_order(plugins.project(), &environment.secrets) {
        // Those before it are all that its own configuration can refer to.
        let configured = Configured {
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
struct Resolving(Resolver);

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
    if let SecretError::Backend { fault, .. } = error {
        return Fault {
            message: error.to_string(),
            ..(**fault).clone()
        };
    }
    let mut fault = Fault::new(FaultClass::Invalid, "secret.unresolved", error.to_string());
    fault.hint = error.hint();
    fault
}

/// A backend that becomes a store when it is first asked.
struct Configured {
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
        self.store().await?.read(reference).await
    }

    async fn shape(&self, reference: &SecretReference) -> Result<Shape, Fault> {
        self.store().await?.shape(reference).await
    }

    async fn renew(&self, lease: &LeaseId, want: Duration) -> Result<Renewal, Fault> {
        self.store().await?.renew(lease, want).await
    }

    async fn revoke(&self, lease: &LeaseId) -> Result<(), Fault> {
        self.store().await?.revoke(lease).await
    }

    async fn close(&self) -> Result<(), Fault> {
        match self.store.get() {
            Some(store) => store.close().await,
            None => Ok(()),
        }
    }
}
