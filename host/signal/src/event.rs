//! The events of a run and who listens.

use std::sync::Arc;

use serde::Serialize;
use whimbrel_core::history::Direction;
use whimbrel_core::name::{MigrationName, TargetName};

use crate::Scrubber;

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
    },
    /// A statement or a plugin step is done.
    StepFinished {
        target: TargetName,
        migration: MigrationName,
        title: String,
        milliseconds: u64,
        rows: u64,
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
        value: f64,
    },
    /// A target's work ended.
    TargetFinished { target: TargetName, result: String },
    /// The run ended.
    RunFinished {
        run: String,
        result: String,
        milliseconds: u64,
    },
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
            Self::TargetFinished { result, .. } | Self::RunFinished { result, .. } => vec![result],
            Self::RunStarted { .. }
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
}

/// Hands each event to every sink.
#[derive(Clone, Default)]
pub struct Bus {
    sinks: Arc<Vec<Box<dyn Sink>>>,
    scrubber: Scrubber,
}

impl Bus {
    /// A bus with these sinks.
    #[must_use]
    pub fn new(sinks: Vec<Box<dyn Sink>>, scrubber: Scrubber) -> Self {
        Self {
            sinks: Arc::new(sinks),
            scrubber,
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
}
