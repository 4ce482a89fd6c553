//! The world `secret-store`: a configured plugin that is a secret backend like any other.
//!
//! Each call gets a store of its own in which `configure` runs first, so that nothing a guest remembers outlives the
//! answer: its memory is gone with the store, also after a trap or a timeout. What must outlive it, the login, the host
//! keeps. What a call reveals goes straight into types that wipe themselves, and is known to the scrubber first. The store
//! of the next call is made while one waits for a server, and configured where its configuration refers to no secret.

mod ahead;
mod answer;
mod bound;

use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value as Json;
use tokio::sync::OnceCell;
use wasmtime::Store;
use whimbrel_core::environment::SecretReference;
use whimbrel_core::fault::{Fault, FaultClass};
use whimbrel_secrets::{Backend, LeaseId, Renewal, Secret, Shape};
use whimbrel_signal::Scrubber;

use crate::bindings::store::Store as Exports;
use crate::bindings::store::exports::whimbrel::secrets::backend as wit;
use crate::call::config::Configuration;
use crate::call::fault::{fault, mismatched};
use crate::call::guard::{Guest, guarded, guarded_in};
use crate::call::{Call, LogSink, StopFlag, traced};
use crate::egress::{Egress, Materials};
use crate::error::PluginError;
use crate::instance::{Scope, State};
use crate::plugin::Plugin;
use crate::schema::Mismatch;
use crate::session::{Session, Under, Visit};
use ahead::Ahead;
use answer::Answers;
use bound::Bound;

/// How a secret store is set up.
pub struct StoreSettings {
    /// What the environment calls it.
    pub name: String,
    /// Its `with:`, in which secrets may be referred to.
    pub with: Json,
    /// Reads what `with:` and the plugin's grants refer to.
    pub materials: Arc<dyn Materials>,
    /// Learns what is revealed.
    pub scrubber: Scrubber,
    /// Takes its log lines; none means `tracing`.
    pub log: Option<LogSink>,
}

/// A configured plugin of the world `secret-store`. Shares nothing with others, be they of the same plugin.
pub struct SecretStore {
    plugin: Plugin,
    name: String,
    with: Configuration,
    egress: Arc<Egress>,
    session: Arc<Session>,
    ahead: Ahead,
    bound: Bound,
    scrubber: Scrubber,
    log: LogSink,
    schema: OnceCell<Json>,
    /// Filled once `with:` was found to fit the schema.
    fits: OnceCell<()>,
    keeps_session: bool,
}

/// The import by which a store keeps its login.
const SESSION: &str = "whimbrel:secrets/session@";

impl SecretStore {
    /// A store of this plugin. Nothing of the plugin runs before the first call.
    ///
    /// # Errors
    /// The plugin is of another world, or its grants can't be meant.
    pub fn new(plugin: Plugin, settings: StoreSettings) -> Result<Self, Fault> {
        plugin.store().map_err(|error| fault(&error))?;
        let egress = plugin.egress(Arc::clone(&settings.materials))?;
        Ok(Self {
            keeps_session: plugin
                .imports()
                .iter()
                .any(|import| import.starts_with(SESSION)),
            ahead: Ahead::new(&plugin),
            plugin,
            name: settings.name,
            with: Configuration::new(settings.with, settings.materials),
            egress: Arc::new(egress),
            session: Arc::default(),
            bound: Bound::default(),
            scrubber: settings.scrubber,
            log: settings.log.unwrap_or_else(traced),
            schema: OnceCell::new(),
            fits: OnceCell::new(),
        })
    }

    /// The JSON Schema of its `with:`, read once.
    ///
    /// # Errors
    /// The plugin misbehaves.
    pub async fn schema(&self) -> Result<&Json, Fault> {
        let schema = self.schema.get_or_try_init(|| self.plugin.store_schema());
        schema.await.map_err(|error| fault(&error))
    }

    /// What is wrong with its `with:` by that schema. Nothing secret is read for it.
    ///
    /// # Errors
    /// The plugin misbehaves, or its schema can't be used.
    pub async fn mismatches(&self) -> Result<Vec<Mismatch>, Fault> {
        let schema = self.schema().await?;
        let limits = self.plugin.sandbox().limits();
        self.with
            .mismatches(schema, limits)
            .map_err(|error| Fault::new(FaultClass::Internal, "plugin.schema", error.to_string()))
    }

    /// Configures it and closes it, whether or not it holds a login: what can be tried without a secret.
    ///
    /// # Errors
    /// The plugin doesn't take its configuration, or can't be closed.
    pub async fn rehearse(&self) -> Result<(), Fault> {
        let closed = self.call("close", "", move |exports, store| {
            Box::pin(async move { exports.whimbrel_secrets_backend().call_close(store).await })
        });
        closed.await?;
        self.session.forget();
        Ok(())
    }

    async fn fits(&self) -> Result<(), Fault> {
        let check = async || match mismatched(&self.mismatches().await?) {
            Some(fault) => Err(fault),
            None => Ok(()),
        };
        self.fits.get_or_try_init(check).await.copied()
    }

    /// Runs one function of the guest, configured, in a store of its own. What it is asked about stays readable. Tells under
    /// which login it was done, if the guest said so. What goes wrong is told without secrets.
    async fn call<T: Send + 'static>(
        &self,
        function: &'static str,
        about: &str,
        guest: impl for<'a> FnOnce(Exports, &'a mut Store<State>) -> Guest<'a, T> + Send + 'static,
    ) -> Result<(T, Option<Under>), Fault> {
        let answer = self.attempt(function, about, guest).await;
        answer.map_err(|fault| self.scrubber.clean_fault(fault))
    }

    async fn attempt<T: Send + 'static>(
        &self,
        function: &'static str,
        about: &str,
        guest: impl for<'a> FnOnce(Exports, &'a mut Store<State>) -> Guest<'a, T> + Send + 'static,
    ) -> Result<(T, Option<Under>), Fault> {
        self.fits().await?;
        let config = self.with.resolved().await?;
        let outgoing = self.egress.outgoing(config.json())?;
        // One call logs in, others wait for its login instead of leaving their own behind.
        let entrance = if self.keeps_session && function != "close" {
            self.session.enter().await
        } else {
            None
        };
        let mut call = Call::new("", &format!("secrets/{}/{function}", self.name));
        call.log = Arc::clone(&self.log);
        let visit = Arc::new(Visit::new(Arc::clone(&self.session)));
        let scrubber = self.scrubber.clone();
        let scope = Scope::store(function, call, Arc::clone(&visit), outgoing, scrubber)
            .about(about.to_owned());
        let limit = self.plugin.sandbox().limits().store_timeout;
        let store = self.plugin.store().map_err(|error| fault(&error))?.clone();
        let stop = StopFlag::new();
        let (made, exports, is_configured) = match self.ahead.take() {
            Some(waiting) => (
                Some(waiting.made),
                Some(waiting.exports),
                waiting.is_configured,
            ),
            None => (None, None, false),
        };
        let answer = guarded_in(made, &self.plugin, scope, limit, &stop, move |target| {
            Box::pin(async move {
                let exports = match exports {
                    Some(exports) => exports,
                    None => store.instantiate_async(&mut *target).await?,
                };
                if !is_configured {
                    let backend = exports.whimbrel_secrets_backend();
                    let configured = backend.call_configure(&mut *target, config.text()).await?;
                    if let Err(fault) = configured {
                        return Ok(Err(fault));
                    }
                }
                drop(config);
                guest(exports, target).await
            })
        });
        let mut answer = pin!(answer);
        let answer = match futures::poll!(answer.as_mut()) {
            Poll::Ready(answer) => answer,
            // It waits for a server, mostly.
            Poll::Pending => {
                let lasting = self.with.lasting();
                let log = Arc::clone(&self.log);
                let ahead = self.ahead.make(&self.plugin, lasting, log);
                tokio::select! {
                    biased;
                    () = ahead => answer.await,
                    // Nobody waits for one that takes its time.
                    answer = answer.as_mut() => answer,
                }
            }
        };
        if entrance.is_some() {
            self.session.left(answer.is_err());
        }
        let under = visit.under();
        self.bound.note(under.as_ref());
        let answer = answer.map_err(|error| fault(&error))?;
        Ok((answer, under))
    }

    fn answers(&self, function: &'static str) -> Answers<'_> {
        Answers {
            plugin: &self.plugin,
            function,
            scrubber: &self.scrubber,
            limits: self.plugin.sandbox().limits(),
        }
    }
}

impl Plugin {
    async fn store_schema(&self) -> Result<Json, PluginError> {
        let store = self.store()?.clone();
        let scope = Scope::pure("schema", traced());
        let limit = self.sandbox().limits().pure_timeout;
        let stop = StopFlag::new();
        let text = guarded(self, scope, limit, &stop, move |target| {
            Box::pin(async move {
                let exports = store.instantiate_async(&mut *target).await?;
                let backend = exports.whimbrel_secrets_backend();
                backend.call_schema(target).await.map(Ok)
            })
        });
        self.json("schema", &text.await?)
    }
}

#[async_trait]
impl Backend for SecretStore {
    fn describe(&self) -> String {
        format!("plugin {} as `{}`", self.plugin.name(), self.name)
    }

    async fn read(&self, reference: &SecretReference) -> Result<Secret, Fault> {
        let asked = asked(reference);
        let answers = self.answers("read");
        let secret = self.call("read", &reference.path, move |exports, store| {
            Box::pin(async move {
                let backend = exports.whimbrel_secrets_backend();
                backend.call_read(store, &asked).await
            })
        });
        let (secret, under) = secret.await?;
        let mut secret = answers.secret(secret)?;
        let lease = secret.lease.take();
        secret.lease = lease.map(|lease| self.bound.lent(under.as_ref(), lease));
        Ok(secret)
    }

    async fn shape(&self, reference: &SecretReference) -> Result<Shape, Fault> {
        let asked = asked(reference);
        let answers = self.answers("describe");
        let shape = self.call("describe", &reference.path, move |exports, store| {
            Box::pin(async move {
                let backend = exports.whimbrel_secrets_backend();
                backend.call_describe(store, &asked).await
            })
        });
        answers.shape(shape.await?.0)
    }

    async fn renew(&self, lease: &LeaseId, want: Duration) -> Result<Renewal, Fault> {
        let (id, seconds) = (lease.0.clone(), want.as_secs());
        let answers = self.answers("renew");
        let renewal = self.call("renew", &lease.0, move |exports, store| {
            Box::pin(async move {
                let backend = exports.whimbrel_secrets_backend();
                backend.call_renew(store, &id, seconds).await
            })
        });
        let renewal = answers.renewal(renewal.await?.0)?;
        Ok(self.bound.renewed(lease, renewal, want))
    }

    async fn revoke(&self, lease: &LeaseId) -> Result<(), Fault> {
        let id = lease.0.clone();
        let revoked = self.call("revoke", &lease.0, move |exports, store| {
            Box::pin(async move {
                let backend = exports.whimbrel_secrets_backend();
                backend.call_revoke(store, &id).await
            })
        });
        revoked.await.map(drop)
    }

    fn forget(&self, lease: &LeaseId) {
        self.bound.forget(lease);
    }

    async fn close(&self) -> Result<(), Fault> {
        // What no call left behind needs no end.
        if !self.session.is_live() {
            return Ok(());
        }
        self.rehearse().await
    }
}

fn asked(reference: &SecretReference) -> wit::Reference {
    wit::Reference {
        path: reference.path.clone(),
        version: reference.version.clone(),
        options: reference.options.to_string(),
    }
}
