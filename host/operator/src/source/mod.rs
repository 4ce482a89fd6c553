//! Keeps a `GitSource`: fetches its repository, and says what it defines.

mod read;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use kube::ResourceExt as _;
use tokio::sync::Notify;
use whimbrel_config::Kind;
use whimbrel_engine::Selection;
use whimbrel_signal::metric::Gauge;

use crate::api::{
    ConditionStatus, ConditionType, GitSource, GitSourceStatus, REQUESTED_AT, Said, conditions,
};
use crate::cluster::{annotation, now};
use crate::operator::Operator;
use crate::reconcile::{Last, is_news};
use crate::referenced::{Referenced, secrets_of_source};
use crate::run::RunError;

use read::{Read, definition, read};

/// A source that is kept.
pub struct Source {
    pub bell: Arc<Notify>,
    state: Mutex<State>,
}

struct State {
    /// Since when nothing newer is known of it.
    known: Instant,
    /// Shown while it is looked at.
    lag: Option<Gauge>,
    selection: Option<Selection>,
    error: Option<String>,
    revision: Option<String>,
    /// What was written of it last.
    wrote: Option<Last<GitSourceStatus>>,
}

impl Source {
    pub fn new() -> Self {
        Self {
            bell: Arc::new(Notify::new()),
            state: Mutex::new(State {
                known: Instant::now(),
                lag: None,
                selection: None,
                error: None,
                revision: None,
                wrote: None,
            }),
        }
    }

    /// Brings up to date how old what is known of it is.
    pub fn measure(&self) {
        let state = self.lock();
        if let Some(lag) = &state.lag {
            lag.set(state.known.elapsed().as_secs_f64());
        }
    }

    /// Where its environments are read from, as it was fetched last; or why nothing is known of it.
    pub fn selection(&self) -> Result<Selection, String> {
        let state = self.lock();
        match (&state.selection, &state.error) {
            (Some(selection), _) => Ok(selection.clone()),
            (None, Some(error)) => Err(error.clone()),
            (None, None) => Err("it wasn't fetched yet".to_owned()),
        }
    }

    /// It isn't read here any more: what was known of it gets old.
    fn sleep(&self) {
        let mut state = self.lock();
        (state.selection, state.error, state.lag) = (None, None, None);
    }

    /// Takes what was read; whether it is something else than before.
    fn take(&self, read: &Read) -> bool {
        let mut state = self.lock();
        let is_new =
            read.is_promoted || state.revision != read.revision || state.selection.is_none();
        state.selection = Some(read.selection.clone());
        state.revision.clone_from(&read.revision);
        state.error = None;
        state.known = Instant::now();
        is_new
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keeps a source until its object is gone or the operator ends.
pub async fn keep(operator: Arc<Operator>, name: String, source: Arc<Source>) {
    let pulse = operator.pulses.begin(format!("source {name}"));
    let mut failures = 0_u32;
    let mut referenced = Referenced::default();
    let mut changes = operator.shards.changes();
    loop {
        pulse.beat(Duration::ZERO);
        let Some(object) = operator.cluster.source(&name) else {
            operator.forget_source(&name);
            return;
        };
        if !operator.reads(&name) {
            source.sleep();
            referenced = Referenced::default();
            // Another replica may read it for as long as it likes.
            pulse.run();
            tokio::select! {
                () = operator.stop.requested() => return,
                () = source.bell.notified() => {}
                _ = changes.changed() => {}
            }
            continue;
        }
        let looked = if object.spec.suspend {
            source.lock().lag = None;
            let (reason, message) = (
                "Suspended",
                "it isn't looked at while `spec.suspend` is true",
            );
            let (unknown, stalled) = (ConditionStatus::Unknown, ConditionStatus::True);
            let said = [
                Said::new(ConditionType::Ready, unknown, reason, message),
                Said::new(ConditionType::Stalled, stalled, reason, message),
            ];
            let written = report(&operator, &object, &source, &said, None).await;
            written
                .map(|()| operator.settings.resync)
                .map_err(|_| operator.settings.resync)
        } else {
            let lag = || operator.measures.lag(&name);
            source.lock().lag.get_or_insert_with(lag);
            if let Ok(of) = definition(&object) {
                let (wanted, timeout) = (secrets_of_source(&of), operator.settings.watch_timeout);
                referenced.watch(wanted, &operator.cluster, timeout, &source.bell);
            }
            look(&operator, &object, &source).await
        };
        let pause = match looked {
            Ok(interval) => {
                failures = 0;
                operator.limits.pause(interval)
            }
            Err(interval) => {
                failures = failures.saturating_add(1);
                operator.limits.backoff(failures).min(interval)
            }
        };
        pulse.beat(pause);
        tokio::select! {
            () = operator.stop.requested() => return,
            () = source.bell.notified() => {}
            _ = changes.changed() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// Reads a source for whoever needs it once.
pub async fn read_once(operator: &Arc<Operator>, name: &str) -> Result<(), RunError> {
    let failed = |message, is_temporary| RunError::Source {
        name: name.to_owned(),
        message,
        is_temporary,
    };
    let object = operator.cluster.source(name);
    let object = object.ok_or_else(|| failed("there is none".to_owned(), false))?;
    let read = read(operator, &object, None).await;
    let (read, _) = read.map_err(|unread| failed(unread.message, unread.is_temporary))?;
    let source = Arc::new(Source::new());
    source.take(&read);
    operator.knows(name, source);
    Ok(())
}

/// Looks at it once. How long to wait until the next time, at most.
async fn look(
    operator: &Arc<Operator>,
    object: &GitSource,
    source: &Source,
) -> Result<Duration, Duration> {
    let known = source.lock().selection.clone();
    let interval = operator.limits.interval;
    match read(operator, object, known).await {
        Ok((read, interval)) => {
            let is_new = source.take(&read);
            let said = [Said::new(
                ConditionType::Ready,
                ConditionStatus::True,
                "Fetched",
                "",
            )];
            // Whoever waits for it doesn't wait for its status.
            if is_new {
                operator.wake_those_of(&object.name_any());
            }
            let written = report(operator, object, source, &said, Some(read)).await;
            written.map(|()| interval).map_err(|_| interval)
        }
        Err(unread) => {
            let message = operator.context.scrubber().scrub(&unread.message);
            tracing::warn!(source = %object.name_any(), "{message}");
            let was_unknown = source.lock().error.replace(message.clone()).is_none();
            let no = ConditionStatus::False;
            let (reason, besides) = if unread.is_temporary {
                ("Unavailable", ConditionType::Reconciling)
            } else {
                ("Invalid", ConditionType::Stalled)
            };
            let said = [
                Said::new(ConditionType::Ready, no, reason, message.clone()),
                Said::new(besides, ConditionStatus::True, reason, message),
            ];
            if was_unknown {
                operator.wake_those_of(&object.name_any());
            }
            // It is looked at again soon in any case.
            let _ = report(operator, object, source, &said, None).await;
            Err(interval)
        }
    }
}

/// Writes how it stands, where that isn't written already, and where no other replica does.
///
/// # Errors
/// The API server doesn't do it. It is logged.
async fn report(
    operator: &Operator,
    object: &GitSource,
    source: &Source,
    said: &[Said],
    read: Option<Read>,
) -> Result<(), kube::Error> {
    if !operator.shards.is_held(&object.name_any()) {
        return Ok(());
    }
    let generation = object.metadata.generation.unwrap_or_default();
    let before = object.status.clone().unwrap_or_default();
    let mut after = GitSourceStatus {
        observed_generation: generation,
        conditions: conditions(&before.conditions, said, generation, now()),
        last_handled_request: annotation(&object.metadata, REQUESTED_AT).map(str::to_owned),
        ..before.clone()
    };
    if let Some(read) = read {
        after.revision = read.revision;
        after.environments = read.environments.into_iter().collect();
    }
    let wrote = source.lock().wrote.clone();
    if !is_news(object.status.as_ref(), wrote.as_ref(), &after) {
        return Ok(());
    }
    source.lock().wrote = Some(Last::tried(after.clone()));
    let cluster = &operator.cluster;
    let (kind, meta) = (Kind::GitSource, &object.metadata);
    if let Err(error) = cluster.write_status(kind, meta, &after).await {
        tracing::warn!(%error, "the status of a source can't be written");
        return Err(error);
    }
    source.lock().wrote = Some(Last {
        status: after.clone(),
        is_sure: true,
    });
    cluster.tell(kind, object, &before.conditions, &after.conditions);
    Ok(())
}
