//! Calling a plugin: what a call carries, and one file per world for the functions.

mod config;
mod fault;
mod guard;
mod provider;
mod reporter;
mod step;
mod store;
mod webhook;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use whimbrel_signal::metric::Measurement;

use crate::egress::{Materials, NoMaterials};

pub use guard::dry_run;
pub use provider::{Going, Planned, ResourceProvider, Stored};
pub use reporter::{CommitState, CommitStatus, Reporter, ReporterSettings};
pub use step::{Outcome, Preview};
pub use store::{SecretStore, StoreSettings};
pub use webhook::{
    GitEvent, PullRequest, Push, Rejection, Verified, WebhookReceiver, WebhookSettings,
};

/// How important a log line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Every detail.
    Trace,
    /// For someone who looks for the cause of a trouble.
    Debug,
    /// For someone who follows the run.
    Info,
    /// Something that a person should look at.
    Warn,
    /// Something that failed.
    Error,
}

impl fmt::Display for Level {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Trace => "trace",
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        })
    }
}

/// Takes a plugin's log lines.
pub type LogSink = Arc<dyn Fn(Level, &str, &[(String, String)]) + Send + Sync>;

/// Takes what a plugin measures. It must be quick and must not block.
pub type MetricSink = Arc<dyn Fn(Measurement) + Send + Sync>;

/// Asks calls to stop at a safe point. Clones share one answer.
#[derive(Clone, Debug)]
pub struct StopFlag(Arc<watch::Sender<bool>>);

impl Default for StopFlag {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(false)))
    }
}

impl StopFlag {
    /// A flag that isn't raised.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Raises it, for good.
    pub fn stop(&self) {
        self.0.send_replace(true);
    }

    /// Whether it is raised.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until it is raised.
    pub async fn stopped(&self) {
        // The sender lives as long as this flag, so that waiting ends by the flag alone.
        let _ = self.0.subscribe().wait_for(|raised| *raised).await;
    }
}

/// What a call is part of.
#[derive(Clone)]
pub struct Call {
    /// The run's id.
    pub run_id: String,
    /// The same for every attempt of one operation.
    pub operation_id: String,
    /// Which attempt this is, from 1.
    pub attempt: u32,
    /// The wall-clock limit; the sandbox's own if none.
    pub timeout: Option<Duration>,
    /// Asks it to stop.
    pub stop: StopFlag,
    /// Takes its log lines.
    pub log: LogSink,
    /// Takes its business metrics; the sandbox's meter if none.
    pub metrics: Option<MetricSink>,
    /// Reads what the plugin's `http` grants refer to.
    pub materials: Arc<dyn Materials>,
}

impl Call {
    /// A first attempt without a limit of its own, whose log goes to `tracing`.
    #[must_use]
    pub fn new(run_id: &str, operation_id: &str) -> Self {
        Self {
            run_id: run_id.to_owned(),
            operation_id: operation_id.to_owned(),
            attempt: 1,
            timeout: None,
            stop: StopFlag::new(),
            log: traced(),
            metrics: None,
            materials: Arc::new(NoMaterials),
        }
    }
}

impl fmt::Debug for Call {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Call")
            .field("run_id", &self.run_id)
            .field("operation_id", &self.operation_id)
            .field("attempt", &self.attempt)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

/// A log sink for calls that belong to no run.
pub fn traced() -> LogSink {
    Arc::new(|level, message, fields| tracing::debug!(%level, message, ?fields, "plugin"))
}
