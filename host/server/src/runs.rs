//! The runs of this process, with their newest events: what `/v1/runs` shows and streams.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value as Json;
use tokio::sync::broadcast;
use whimbrel_report::sink::event;
use whimbrel_signal::Signal;

use crate::limits::Limits;

/// An event with its number.
pub(crate) type Numbered = (u64, Arc<str>);

/// The runs, the newest last. Clones share them.
#[derive(Clone)]
pub(crate) struct Runs {
    runs: Arc<Mutex<VecDeque<Arc<Run>>>>,
    limits: Arc<Limits>,
}

/// One run.
pub(crate) struct Run {
    pub(crate) id: String,
    pub(crate) environment: String,
    plan: String,
    actor: String,
    /// What was said in place of the environment's documents.
    given: Option<Json>,
    started: Timestamp,
    kept: usize,
    inner: Mutex<Inner>,
    live: broadcast::Sender<Numbered>,
}

struct Inner {
    next: u64,
    events: VecDeque<Numbered>,
    /// As JSON text: a value of it takes ten times the memory.
    outcome: Option<Box<str>>,
    over: bool,
}

/// A run as it is shown.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RunView {
    id: String,
    environment: String,
    plan: String,
    actor: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    given: Option<Json>,
    started: Timestamp,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<Json>,
}

/// What a stream begins with, and what goes on.
pub(crate) struct Following {
    pub(crate) past: Vec<Numbered>,
    /// None when the run is over.
    pub(crate) live: Option<broadcast::Receiver<Numbered>>,
}

impl Runs {
    pub(crate) fn new(limits: Arc<Limits>) -> Self {
        Self {
            runs: Arc::default(),
            limits,
        }
    }

    /// A run that begins.
    pub(crate) fn begin(
        &self,
        id: String,
        environment: String,
        plan: String,
        actor: String,
        given: Option<Json>,
    ) -> Arc<Run> {
        let run = Arc::new(Run {
            id,
            environment,
            plan,
            actor,
            given,
            started: Timestamp::now(),
            kept: self.limits.events,
            inner: Mutex::new(Inner {
                next: 1,
                events: VecDeque::new(),
                outcome: None,
                over: false,
            }),
            live: broadcast::Sender::new(self.limits.stream_lag),
        });
        let mut runs = self.lock();
        runs.push_back(Arc::clone(&run));
        while runs.len() > self.limits.runs {
            runs.pop_front();
        }
        run
    }

    pub(crate) fn get(&self, id: &str) -> Option<Arc<Run>> {
        self.lock().iter().find(|run| run.id == id).cloned()
    }

    /// The newest runs of an environment, the newest first.
    pub(crate) fn of(&self, environment: &str) -> Vec<RunView> {
        let runs = self.lock();
        let runs = runs.iter().rev();
        runs.filter(|run| run.environment == environment)
            .map(|run| run.view())
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Arc<Run>>> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Run {
    /// Takes an event in.
    pub(crate) fn emit(&self, signal: &Signal) {
        let text: Arc<str> = event(signal, Timestamp::now()).to_string().into();
        let mut inner = self.lock();
        let numbered = (inner.next, text);
        inner.next += 1;
        inner.events.push_back(numbered.clone());
        while inner.events.len() > self.kept {
            inner.events.pop_front();
        }
        inner.over |= matches!(signal, Signal::RunFinished { .. });
        // Under the lock, so that a stream that begins now has it once. Nobody listening is no failure.
        let _ = self.live.send(numbered);
    }

    /// Takes in what became of it.
    pub(crate) fn end(&self, outcome: String) {
        let mut inner = self.lock();
        // Without the room that it grew by.
        inner.outcome = Some(outcome.into());
        inner.over = true;
    }

    pub(crate) fn view(&self) -> RunView {
        let inner = self.lock();
        RunView {
            id: self.id.clone(),
            environment: self.environment.clone(),
            plan: self.plan.clone(),
            actor: self.actor.clone(),
            given: self.given.clone(),
            started: self.started,
            state: if inner.outcome.is_some() {
                "finished"
            } else {
                "running"
            },
            // Our own text is JSON.
            outcome: inner
                .outcome
                .as_deref()
                .and_then(|text| serde_json::from_str(text).ok()),
        }
    }

    /// The events after a number, and those to come.
    pub(crate) fn follow(&self, after: u64) -> Following {
        let inner = self.lock();
        let past = inner.events.iter().filter(|(number, _)| *number > after);
        Following {
            past: past.cloned().collect(),
            live: (!inner.over).then(|| self.live.subscribe()),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use whimbrel_signal::Signal;
    use whimbrel_signal::metric::RunResult;

    use super::Runs;
    use crate::limits::Limits;

    fn finished() -> Signal {
        Signal::RunFinished {
            run: "r".to_owned(),
            result: RunResult::Succeeded,
            milliseconds: 1,
        }
    }

    #[test]
    fn runs_and_events_are_bounded_and_a_stream_has_each_event_once() {
        let limits = Limits {
            runs: 2,
            events: 3,
            ..Limits::default()
        };
        let runs = Runs::new(Arc::new(limits));
        let begin = |id: &str| {
            runs.begin(
                id.into(),
                "dev".into(),
                "sha256:0".into(),
                "ann".into(),
                None,
            )
        };
        let first = begin("1");
        assert!(first.follow(0).live.is_some());
        for _ in 0..5 {
            first.emit(&finished());
        }
        let following = first.follow(3);
        let numbers: Vec<u64> = following.past.iter().map(|(number, _)| *number).collect();
        assert_eq!(numbers, [4, 5]);
        assert!(following.live.is_none());
        begin("2");
        begin("3");
        assert!(runs.get("1").is_none() && runs.get("3").is_some());
        assert_eq!(runs.of("dev").len(), 2);
        assert!(runs.of("production").is_empty());
    }
}
