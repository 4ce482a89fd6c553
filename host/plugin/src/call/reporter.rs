//! The world `git-reporter`: shows results where the reviewers are.

use std::sync::Arc;

use serde_json::Value as Json;
use tokio::sync::OnceCell;
use wasmtime::Store;
use whimbrel_core::fault::{Fault, FaultClass};
use whimbrel_signal::Scrubber;

use crate::bindings::reporter::Reporter as Exports;
use crate::bindings::reporter::exports::whimbrel::git::reporter as wit;
use crate::call::config::Configuration;
use crate::call::fault::{fault, mismatched};
use crate::call::guard::{Guest, guarded};
use crate::call::{Call, LogSink, StopFlag, traced};
use crate::egress::{Egress, Materials};
use crate::error::PluginError;
use crate::instance::{Scope, State};
use crate::plugin::Plugin;
use crate::schema::Mismatch;

/// How a reporter is set up.
pub struct ReporterSettings {
    /// What the source is called.
    pub name: String,
    /// Its `with:`, in which secrets may be referred to.
    pub with: Json,
    /// Reads what `with:` and the plugin's grants refer to.
    pub materials: Arc<dyn Materials>,
    /// Takes secrets out of what goes wrong, and out of what is shown.
    pub scrubber: Scrubber,
    /// Takes its log lines; none means `tracing`.
    pub log: Option<LogSink>,
}

/// A result beside a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitStatus {
    /// The whole name of the commit.
    pub commit: String,
    /// What the result is of: a later one of the same context replaces it.
    pub context: String,
    /// How it stands.
    pub state: CommitState,
    /// One sentence.
    pub summary: String,
    /// Where there is more to read.
    pub link: Option<String>,
}

/// How a result stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommitState {
    /// There is none yet.
    Pending,
    /// Good.
    Success,
    /// Not good.
    Failure,
}

/// A configured plugin of the world `git-reporter`.
pub struct Reporter {
    plugin: Plugin,
    name: String,
    with: Configuration,
    egress: Arc<Egress>,
    scrubber: Scrubber,
    log: LogSink,
    /// Filled once `with:` was found to fit the schema.
    fits: OnceCell<()>,
}

impl Reporter {
    /// A reporter of this plugin. Nothing of the plugin runs before the first call.
    ///
    /// # Errors
    /// The plugin is of another world, or its grants can't be meant.
    pub fn new(plugin: Plugin, settings: ReporterSettings) -> Result<Self, Fault> {
        plugin.reporter().map_err(|error| fault(&error))?;
        let egress = plugin.egress(Arc::clone(&settings.materials))?;
        Ok(Self {
            plugin,
            name: settings.name,
            with: Configuration::new(settings.with, settings.materials),
            egress: Arc::new(egress),
            scrubber: settings.scrubber,
            log: settings.log.unwrap_or_else(traced),
            fits: OnceCell::new(),
        })
    }

    /// The JSON Schema of its `with:`.
    ///
    /// # Errors
    /// The plugin misbehaves.
    pub async fn schema(&self) -> Result<Json, Fault> {
        let schema = self.plugin.reporter_schema().await;
        schema.map_err(|error| fault(&error))
    }

    /// What is wrong with its `with:` by that schema. Nothing secret is read for it.
    ///
    /// # Errors
    /// The plugin misbehaves, or its schema can't be used.
    pub async fn mismatches(&self) -> Result<Vec<Mismatch>, Fault> {
        let limits = self.plugin.sandbox().limits();
        self.with
            .mismatches(&self.schema().await?, limits)
            .map_err(|error| Fault::new(FaultClass::Internal, "plugin.schema", error.to_string()))
    }

    /// Shows a result beside a commit, in place of an earlier one of the same context.
    ///
    /// # Errors
    /// It isn't shown; the fault's advice says whether and when to try again.
    pub async fn set_status(&self, status: &CommitStatus) -> Result<(), Fault> {
        let status = wit::Status {
            commit: status.commit.clone(),
            context: status.context.clone(),
            state: match status.state {
                CommitState::Pending => wit::State::Pending,
                CommitState::Success => wit::State::Success,
                CommitState::Failure => wit::State::Failure,
            },
            summary: self.scrubber.scrub(&status.summary),
            link: status.link.clone(),
        };
        let shown = self.call("set-status", move |exports, store| {
            Box::pin(async move {
                let reporter = exports.whimbrel_git_reporter();
                reporter.call_set_status(store, &status).await
            })
        });
        shown.await
    }

    /// Creates the comment that carries `marker` on a pull request, or replaces it.
    ///
    /// # Errors
    /// It isn't shown, or not as it is now; the fault's advice says whether and when to try again.
    pub async fn put_comment(
        &self,
        number: u64,
        marker: &str,
        markdown: &str,
    ) -> Result<(), Fault> {
        let limit = self.plugin.sandbox().limits().report_bytes;
        if markdown.len() > limit {
            let message = format!(
                "a comment of {} bytes, at most {limit} are shown",
                markdown.len()
            );
            return Err(Fault::new(FaultClass::Invalid, "report.too-big", message));
        }
        let (marker, markdown) = (marker.to_owned(), self.scrubber.scrub(markdown));
        let shown = self.call("put-comment", move |exports, store| {
            Box::pin(async move {
                let reporter = exports.whimbrel_git_reporter();
                let put = reporter.call_put_comment(store, number, &marker, &markdown);
                put.await
            })
        });
        shown.await
    }

    /// Runs one function of the guest, configured, in a store of its own. What goes wrong is told without secrets.
    async fn call(
        &self,
        function: &'static str,
        guest: impl for<'a> FnOnce(Exports, &'a mut Store<State>) -> Guest<'a, ()> + Send + 'static,
    ) -> Result<(), Fault> {
        let shown = self.attempt(function, guest).await;
        shown.map_err(|fault| self.scrubber.clean_fault(fault))
    }

    async fn attempt(
        &self,
        function: &'static str,
        guest: impl for<'a> FnOnce(Exports, &'a mut Store<State>) -> Guest<'a, ()> + Send + 'static,
    ) -> Result<(), Fault> {
        self.fits().await?;
        let config = self.with.resolved().await?;
        let outgoing = self.egress.outgoing(config.json())?;
        let mut call = Call::new("", &format!("git/{}/{function}", self.name));
        call.log = Arc::clone(&self.log);
        let scope = Scope::requests(function, call, outgoing);
        let limit = self.plugin.sandbox().limits().report_timeout;
        let reporter = self.plugin.reporter().map_err(|error| fault(&error))?;
        let reporter = reporter.clone();
        let stop = StopFlag::new();
        let shown = guarded(&self.plugin, scope, limit, &stop, move |store| {
            Box::pin(async move {
                let exports = reporter.instantiate_async(&mut *store).await?;
                let configure = exports.whimbrel_git_reporter();
                let configured = configure.call_configure(&mut *store, config.text()).await?;
                drop(config);
                if let Err(fault) = configured {
                    return Ok(Err(fault));
                }
                guest(exports, store).await
            })
        });
        shown.await.map_err(|error| fault(&error))
    }

    async fn fits(&self) -> Result<(), Fault> {
        let check = async || match mismatched(&self.mismatches().await?) {
            Some(fault) => Err(fault),
            None => Ok(()),
        };
        self.fits.get_or_try_init(check).await.copied()
    }
}

impl Plugin {
    async fn reporter_schema(&self) -> Result<Json, PluginError> {
        let reporter = self.reporter()?.clone();
        let scope = Scope::pure("schema", traced());
        let limit = self.sandbox().limits().pure_timeout;
        let stop = StopFlag::new();
        let text = guarded(self, scope, limit, &stop, move |store| {
            Box::pin(async move {
                let exports = reporter.instantiate_async(&mut *store).await?;
                let reporter = exports.whimbrel_git_reporter();
                reporter.call_schema(store).await.map(Ok)
            })
        });
        self.json("schema", &text.await?)
    }
}
