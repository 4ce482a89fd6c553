//! An admitted plugin, and what can be said of it.

use std::fmt;
use std::sync::Arc;

use tokio::sync::OnceCell;
use whimbrel_core::digest::Digest;
use whimbrel_core::fault::Fault;
use whimbrel_core::name::PluginName;

use crate::bindings::provider::ProviderPre;
use crate::bindings::reporter::ReporterPre;
use crate::bindings::step::StepPre;
use crate::bindings::store::StorePre;
use crate::bindings::webhook::WebhookPre;
use crate::egress::{Egress, Materials};
use crate::error::PluginError;
use crate::grants::Grants;
use crate::instance::State;
use crate::known::World;
use crate::manifest::Manifest;
use crate::room::Kind;
use crate::sandbox::Sandbox;
use crate::schema::ConfigSchema;

/// A component that was found fit. Cheap to clone; every call of it is on its own.
#[derive(Clone)]
pub struct Plugin {
    sandbox: Sandbox,
    admitted: Arc<Admitted>,
    /// The schema of a step's `with:`, once it was asked for; none when the plugin gives none.
    schema: Arc<OnceCell<Option<ConfigSchema>>>,
}

/// What admission found out.
pub struct Admitted {
    pub name: PluginName,
    pub digest: Digest,
    pub size: usize,
    pub manifest: Option<Manifest>,
    pub grants: Grants,
    pub memory: usize,
    pub kind: Kind,
    pub imports: Vec<String>,
    pub exports: Vec<String>,
    pub worlds: Vec<World>,
    pub calls: Exports,
}

/// The functions of the worlds that a component is of and the host calls.
#[derive(Default)]
pub struct Exports {
    pub step: Option<StepPre<State>>,
    pub store: Option<StorePre<State>>,
    pub webhook: Option<WebhookPre<State>>,
    pub reporter: Option<ReporterPre<State>>,
    pub provider: Option<ProviderPre<State>>,
}

impl Plugin {
    pub(crate) fn new(sandbox: Sandbox, admitted: Admitted) -> Self {
        Self {
            sandbox,
            admitted: Arc::new(admitted),
            schema: Arc::default(),
        }
    }

    /// The name under which it was admitted.
    #[must_use]
    pub fn name(&self) -> &PluginName {
        &self.admitted.name
    }

    /// The digest of its bytes.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.admitted.digest
    }

    /// The size of its bytes.
    #[must_use]
    pub fn size(&self) -> usize {
        self.admitted.size
    }

    /// What it says of itself, if it says anything.
    #[must_use]
    pub fn manifest(&self) -> Option<&Manifest> {
        self.admitted.manifest.as_ref()
    }

    /// The worlds that it is of.
    #[must_use]
    pub fn worlds(&self) -> &[World] {
        &self.admitted.worlds
    }

    /// What it imports, by full name.
    #[must_use]
    pub fn imports(&self) -> &[String] {
        &self.admitted.imports
    }

    /// What it exports, by full name.
    #[must_use]
    pub fn exports(&self) -> &[String] {
        &self.admitted.exports
    }

    /// What it may do: what it needs and the operator granted.
    #[must_use]
    pub fn grants(&self) -> &Grants {
        &self.admitted.grants
    }

    /// The memory that a call of it may have, in bytes.
    #[must_use]
    pub fn memory(&self) -> usize {
        self.admitted.memory
    }

    /// The kind of room that suits it.
    pub(crate) fn kind(&self) -> Kind {
        self.admitted.kind
    }

    pub(crate) const fn sandbox(&self) -> &Sandbox {
        &self.sandbox
    }

    pub(crate) const fn schema(&self) -> &Arc<OnceCell<Option<ConfigSchema>>> {
        &self.schema
    }

    pub(crate) fn step(&self) -> Result<&StepPre<State>, PluginError> {
        self.called(self.admitted.calls.step.as_ref(), World::MigrationStep)
    }

    pub(crate) fn store(&self) -> Result<&StorePre<State>, PluginError> {
        self.called(self.admitted.calls.store.as_ref(), World::SecretStore)
    }

    pub(crate) fn webhook(&self) -> Result<&WebhookPre<State>, PluginError> {
        self.called(self.admitted.calls.webhook.as_ref(), World::GitWebhook)
    }

    pub(crate) fn reporter(&self) -> Result<&ReporterPre<State>, PluginError> {
        self.called(self.admitted.calls.reporter.as_ref(), World::GitReporter)
    }

    pub(crate) fn provider(&self) -> Result<&ProviderPre<State>, PluginError> {
        self.called(
            self.admitted.calls.provider.as_ref(),
            World::ResourceProvider,
        )
    }

    fn called<'a, T>(&self, calls: Option<&'a T>, world: World) -> Result<&'a T, PluginError> {
        calls.ok_or_else(|| PluginError::NoWorld {
            plugin: self.name().to_string(),
            wanted: world.to_string(),
        })
    }

    /// Where its requests may go.
    pub(crate) fn egress(&self, materials: Arc<dyn Materials>) -> Result<Egress, Fault> {
        let names = self.sandbox.names();
        Egress::new(&self.grants().http, materials, names, self.sandbox.limits())
    }
}

impl fmt::Debug for Plugin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Plugin")
            .field("name", self.name())
            .field("digest", &self.digest())
            .finish_non_exhaustive()
    }
}
