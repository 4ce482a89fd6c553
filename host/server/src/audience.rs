//! Who hears of an environment's deeds: the run that they belong to, the metrics, and the log.

use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value as Json;
use tokio::sync::oneshot;
use whimbrel_engine::Audience;
use whimbrel_signal::{Bus, Scrubber, Signal, Sink};

use crate::runs::{Run, Runs};

/// Makes sinks besides those of the server, such as a log's.
pub type Listeners = Arc<dyn Fn() -> Vec<Box<dyn Sink>> + Send + Sync>;

/// A run that is about to begin.
pub(crate) struct Starting {
    pub(crate) plan: String,
    pub(crate) actor: String,
    /// What was said in place of the environment's documents.
    pub(crate) given: Option<Json>,
    /// Hears its id.
    pub(crate) started: Option<oneshot::Sender<String>>,
}

/// What an environment is doing.
enum Stage {
    Idle,
    Starting(Starting),
    Running(Arc<Run>),
}

/// The audience of one environment, whose deeds come one after the other. Clones are one.
#[derive(Clone)]
pub(crate) struct Stand {
    environment: String,
    runs: Runs,
    scrubber: Scrubber,
    listeners: Listeners,
    stage: Arc<Mutex<Stage>>,
}

impl Stand {
    pub(crate) fn new(
        environment: String,
        runs: Runs,
        scrubber: Scrubber,
        listeners: Listeners,
    ) -> Self {
        Self {
            environment,
            runs,
            scrubber,
            listeners,
            stage: Arc::new(Mutex::new(Stage::Idle)),
        }
    }

    /// A run is about to begin.
    pub(crate) fn expect(&self, starting: Starting) {
        *self.lock() = Stage::Starting(starting);
    }

    /// The run is over; none when nothing had to be run.
    pub(crate) fn end(&self) -> Option<Arc<Run>> {
        match std::mem::replace(&mut *self.lock(), Stage::Idle) {
            Stage::Running(run) => Some(run),
            Stage::Idle | Stage::Starting(_) => None,
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Stage> {
        self.stage.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Audience for Stand {
    fn notice(&self, text: &str) {
        tracing::info!(environment = %self.environment, "{text}");
    }

    fn bus(&self) -> Bus {
        let mut sinks = (self.listeners)();
        sinks.push(Box::new(Recorder(self.clone())));
        Bus::new(sinks, self.scrubber.clone())
    }
}

/// Keeps what is said in the run that it belongs to.
struct Recorder(Stand);

impl Sink for Recorder {
    fn emit(&self, signal: &Signal) {
        let mut stage = self.0.lock();
        if let (Signal::RunStarted { run, .. }, Stage::Starting(starting)) = (signal, &mut *stage) {
            let began = self.0.runs.begin(
                run.clone(),
                self.0.environment.clone(),
                starting.plan.clone(),
                starting.actor.clone(),
                starting.given.take(),
            );
            if let Some(started) = starting.started.take() {
                // Whoever asked may have gone away.
                let _ = started.send(run.clone());
            }
            *stage = Stage::Running(began);
        }
        if let Stage::Running(run) = &*stage {
            run.emit(signal);
        }
    }
}

/// Who hears of what is only looked at for somebody: the answer says what there is to say.
pub(crate) struct Nobody(pub(crate) Scrubber);

impl Audience for Nobody {
    fn notice(&self, _: &str) {}

    fn bus(&self) -> Bus {
        Bus::new(Vec::new(), self.0.clone())
    }
}
