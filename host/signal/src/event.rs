//! The events of a run and who listens.

use std::sync::Arc;
use std::time::Duration;

use serde::{Serialize, Serializer};
use whimbrel_core::history::Direction;
use whimbrel_core::name::{MigrationName, TargetName};
use whimbrel_core::statement::Dialect;

use crate::Scrubber;
use crate::metric::{ErrorClass, Measurement, RunResult, StepKind};

/// Rows done by a step so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Progress {
    /// Rows done.
    pub done: u64,
    /// Rows in all, if known.
    pub total: Option<u64>,
}

/// Something that happened in a run. Each names its target, because a hundred may run at once.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", tag = "event")]
#[allow(missing_docs)] // the names of the fields say all there is
pub enum Signal {
    /// The run begins.
    RunStarted {
        run: String,
        environment: String,
        targets: usize,
    },
    /// A target's work begins.
    TargetStarted {
        target: TargetName,
        migrations: usize,
    },
    /// Somebody else holds the target's lock.
    LockWaiting { target: TargetName, holder: String },
    /// The lock is ours, under this epoch.
    LockTaken {
        target: TargetName,
        epoch: i64,
        waited_milliseconds: u64,
    },
    /// A migration begins, or goes on after a crash.
    MigrationStarted {
        target: TargetName,
        migration: MigrationName,
        direction: Direction,
        resumed: bool,
    },
    /// A statement or a plugin step begins.
    StepStarted {
        target: TargetName,
        migration: MigrationName,
        title: String,
    },
    /// A plugin step committed a batch.
    StepProgress {
        target: TargetName,
        migration: MigrationName,
        title: String,
        progress: Progress,
        /// Rows of this batch; `progress` counts those of earlier runs too.
        rows: u64,
    },
    /// A statement or a plugin step is done.
    StepFinished {
        target: TargetName,
        migration: MigrationName,
        title: String,
        kind: StepKind,
        dialect: Dialect,
        #[serde(rename = "milliseconds", serialize_with = "milliseconds")]
        took: Duration,
        rows: u64,
        /// Rows that came with the end itself, after the last `StepProgress`.
        rest: u64,
    },
    /// Something curable went wrong and is tried again.
    Retrying {
        target: TargetName,
        migration: MigrationName,
        attempt: u32,
        reason: String,
    },
    /// A migration is committed.
    MigrationFinished {
        target: TargetName,
        migration: MigrationName,
        direction: Direction,
        milliseconds: u64,
        rows: u64,
    },
    /// A migration stopped.
    MigrationFailed {
        target: TargetName,
        migration: MigrationName,
        direction: Direction,
        error: String,
        committed: String,
    },
    /// A plugin's log line.
    PluginLog {
        target: TargetName,
        plugin: String,
        level: String,
        message: String,
    },
    /// A business metric was read.
    Metric {
        target: TargetName,
        migration: MigrationName,
        name: String,
        r#type: String,
        value: f64,
    },
    /// A target's work ended.
    TargetFinished {
        target: TargetName,
        result: String,
        /// Why it ended early, if it did.
        #[serde(skip_serializing_if = "Option::is_none")]
        class: Option<ErrorClass>,
    },
    /// The run ended.
    RunFinished {
        run: String,
        result: RunResult,
        milliseconds: u64,
    },
}

fn milliseconds<S: Serializer>(took: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(u64::try_from(took.as_millis()).unwrap_or(u64::MAX))
}

impl Signal {
    /// Everything in it that somebody wrote, and that so may hold anything.
    fn texts(&mut self) -> Vec<&mut String> {
        match self {
            Self::LockWaiting { holder, .. } => vec![holder],
            Self::StepStarted { title, .. }
            | Self::StepProgress { title, .. }
            | Self::StepFinished { title, .. } => vec![title],
            Self::Retrying { reason, .. } => vec![reason],
            Self::MigrationFailed {
                error, committed, ..
            } => vec![error, committed],
            Self::PluginLog { message, level, .. } => vec![message, level],
            Self::Metric { name, .. } => vec![name],
            Self::TargetFinished { result, .. } => vec![result],
            Self::RunStarted { .. }
            | Self::RunFinished { .. }
            | Self::TargetStarted { .. }
            | Self::LockTaken { .. }
            | Self::MigrationStarted { .. }
            | Self::MigrationFinished { .. } => Vec::new(),
        }
    }
}

/// Somebody who listens. Called on the run's own task: it must be quick and must not block.
pub trait Sink: Send + Sync {
    /// Takes one event.
    fn emit(&self, signal: &Signal);

    /// Takes what a plugin measured while it worked on a target. There may be many, and most have no use for them.
    fn measure(&self, target: &TargetName, plugin: &str, measurement: &Measurement) {
        let _ = (target, plugin, measurement);
    }
}

/// Hands each event to every sink.
#[derive(Clone, Default)]
pub struct Bus {
    sinks: Arc<Vec<Arc<dyn Sink>>>,
    scrubber: Scrubber,
}

impl Bus {
    /// A bus with these sinks.
    #[must_use]
    pub fn new(sinks: Vec<Box<dyn Sink>>, scrubber: Scrubber) -> Self {
        Self {
            sinks: Arc::new(sinks.into_iter().map(Arc::from).collect()),
            scrubber,
        }
    }

    /// The same with one more who listens.
    #[must_use]
    pub fn with_sink(&self, sink: Box<dyn Sink>) -> Self {
        let sinks = self.sinks.iter().cloned().chain([Arc::from(sink)]);
        Self {
            sinks: Arc::new(sinks.collect()),
            scrubber: self.scrubber.clone(),
        }
    }

    /// What knows the live secrets.
    #[must_use]
    pub const fn scrubber(&self) -> &Scrubber {
        &self.scrubber
    }

    /// Tells every sink, free-text fields scrubbed.
    pub fn emit(&self, mut signal: Signal) {
        if self.sinks.is_empty() {
            return;
        }
        for text in signal.texts() {
            *text = self.scrubber.scrub(text);
        }
        for sink in self.sinks.iter() {
            sink.emit(&signal);
        }
    }

    /// Tells every sink what a plugin measured, the values of labels scrubbed.
    pub fn measure(&self, target: &TargetName, plugin: &str, mut measurement: Measurement) {
        if self.sinks.is_empty() {
            return;
        }
        if let Measurement::Custom(custom) = &mut measurement {
            for (_, value) in &mut custom.labels {
                *value = self.scrubber.scrub(value);
            }
        }
        for sink in self.sinks.iter() {
            sink.measure(target, plugin, &measurement);
        }
    }
}
