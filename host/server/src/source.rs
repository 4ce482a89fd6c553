//! The loop of a source: looks at it, and sees to it that each of its environments has a loop of its own.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde::Serialize;
use tokio::sync::Notify;
use whimbrel_core::name::EnvironmentName;
use whimbrel_engine::{EngineError, Selection, opening};
use whimbrel_git::{Access, Fetched};
use whimbrel_project::{Control, Place, ProjectError};
use whimbrel_signal::Scrubbed;
use whimbrel_signal::metric::FetchResult;

use crate::environment::Reach;
use crate::hooks::{Bucket, Seen};
use crate::limits::Limits;
use crate::measures::Measures;
use crate::reports::Reports;
use crate::server::Server;
use crate::settings::{Hosted, SourceSettings};

/// A source with how it stands.
pub(crate) struct Source {
    pub(crate) name: String,
    pub(crate) settings: SourceSettings,
    /// Deliveries of its host that were taken.
    pub(crate) seen: Seen,
    /// How many of them may come.
    pub(crate) bucket: Bucket,
    /// What is shown at its host.
    pub(crate) reports: Option<Reports>,
    /// The mirror of a repository elsewhere, as it was fetched last.
    fetched: Mutex<Option<Place>>,
    bell: Notify,
    /// Whether somebody who rang wants everything to be looked at.
    is_whole: AtomicBool,
    begun: Instant,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// When it was looked at last with success.
    good: Option<(Instant, Timestamp)>,
    error: Option<Scrubbed>,
    hint: Option<Scrubbed>,
    environments: BTreeSet<String>,
}

/// How fresh what is known of a source is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Freshness {
    /// It hasn't been looked at yet.
    Unknown,
    /// It could be read.
    Fresh,
    /// It can't be read; the last good revision counts.
    Stale,
    /// What it says is wrong; the last good revision counts.
    Invalid,
}

/// A source as it is shown.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SourceView {
    name: String,
    location: String,
    sync_status: Freshness,
    #[serde(skip_serializing_if = "Option::is_none")]
    synced_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    age_seconds: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Scrubbed>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<Scrubbed>,
    environments: BTreeSet<String>,
}

impl Source {
    pub(crate) fn new(name: String, settings: SourceSettings, limits: &Limits) -> Self {
        let reporter = settings.hosted.as_ref();
        let reporter = reporter.and_then(|hosted| hosted.reporter.clone());
        Self {
            seen: Seen::new(limits.deliveries_time, limits.deliveries_remembered),
            bucket: Bucket::new(limits.deliveries_burst, limits.deliveries_pause),
            reports: reporter.map(|reporter| Reports::new(reporter, limits)),
            name,
            settings,
            fetched: Mutex::default(),
            bell: Notify::new(),
            is_whole: AtomicBool::new(true),
            begun: Instant::now(),
            state: Mutex::default(),
        }
    }

    /// Asks to look at it soon. A thousand who ask at once are one.
    pub(crate) fn ring(&self, reach: Reach) {
        if reach == Reach::Everything {
            self.is_whole.store(true, Ordering::Relaxed);
        }
        self.bell.notify_one();
    }

    /// Whether its environments were ever known.
    pub(crate) fn is_known(&self) -> bool {
        self.lock().good.is_some()
    }

    /// How old what is known of it is.
    pub(crate) fn age(&self) -> Duration {
        self.lock().good.map_or(self.begun, |(at, _)| at).elapsed()
    }

    /// Why it can't be read now.
    pub(crate) fn error(&self) -> Option<Scrubbed> {
        self.lock().error.clone()
    }

    pub(crate) fn view(&self) -> SourceView {
        let state = self.lock();
        SourceView {
            name: self.name.clone(),
            location: self.location(),
            sync_status: match (&state.error, state.good) {
                (Some(_), _) => Freshness::Stale,
                (None, Some(_)) => Freshness::Fresh,
                (None, None) => Freshness::Unknown,
            },
            synced_at: state.good.map(|(_, at)| at),
            age_seconds: state.good.map(|(at, _)| at.elapsed().as_secs()),
            error: state.error.clone(),
            hint: state.hint.clone(),
            environments: state.environments.clone(),
        }
    }

    /// Where an environment of it is read from: nothing is fetched for each of them.
    pub(crate) fn selection(&self, environment: &str) -> Selection {
        let fetched = self.fetched.lock().unwrap_or_else(PoisonError::into_inner);
        Selection {
            place: fetched
                .clone()
                .unwrap_or_else(|| self.settings.selection.place.clone()),
            environment: Some(environment.to_owned()),
            ..self.settings.selection.clone()
        }
    }

    fn location(&self) -> String {
        match &self.settings.selection.place {
            Place::Here(location) => location.to_string(),
            Place::Written { folder, .. } => folder.display().to_string(),
            Place::Elsewhere { remote, reference }
            | Place::Fetched {
                remote, reference, ..
            } => match reference {
                Some(reference) => format!("{}@{reference}", remote.mirror().address()),
                None => remote.mirror().address().to_string(),
            },
        }
    }

    /// What its document says.
    pub(crate) fn hosted(&self) -> Option<&Hosted> {
        self.settings.hosted.as_ref()
    }

    /// What opens it now; none where that was said once and for all.
    pub(crate) async fn access(&self) -> Result<Option<Access>, EngineError> {
        let Some(hosted) = self.hosted() else {
            return Ok(None);
        };
        let access = hosted.secrets.access(&hosted.source.auth).await;
        let access = access.map_err(|fault| ProjectError::Access(Box::new(fault)))?;
        Ok(Some(access))
    }

    /// Fetches a repository elsewhere, and reads which environments are wanted.
    fn read(
        &self,
        access: Option<Access>,
        measures: &Measures,
    ) -> Result<BTreeSet<String>, EngineError> {
        let mut selection = self.settings.selection.clone();
        if let Place::Elsewhere { remote, reference } = selection.place {
            let remote = match access {
                Some(access) => remote.with_access(access),
                None => remote,
            };
            let fetched = remote.fetch(reference.as_deref());
            measures.fetched(&self.name, result(&fetched));
            let repository = fetched?.repository;
            selection.place = Place::Fetched {
                remote,
                repository,
                reference,
            };
            *self.fetched.lock().unwrap_or_else(PoisonError::into_inner) =
                Some(selection.place.clone());
        }
        names(&selection, &self.settings.environments)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keeps a source until the server ends.
pub(crate) async fn keep(server: Arc<Server>, source: Arc<Source>) {
    let pulse = server.pulses.begin(format!("source {}", source.name));
    let interval = source.settings.interval.unwrap_or(server.limits.interval);
    let mut failures = 0_u32;
    loop {
        pulse.beat(Duration::ZERO);
        let pause = if look(&server, &source).await {
            failures = 0;
            server.limits.pause(interval)
        } else {
            failures = failures.saturating_add(1);
            server.limits.backoff(failures).min(interval)
        };
        pulse.beat(pause);
        let looked = Instant::now();
        tokio::select! {
            () = server.stop.requested() => return,
            () = source.bell.notified() => quiet(&server, &source, looked).await,
            () = tokio::time::sleep(pause) => source.is_whole.store(true, Ordering::Relaxed),
        }
    }
}

/// Waits until nobody rings any more where somebody rang during the last look or shortly after: those of a burst are answered
/// together. Whoever rings after a rest is answered at once.
async fn quiet(server: &Server, source: &Source, looked: Instant) {
    let rest = server.limits.bell_rest;
    let until = Instant::now() + server.limits.bell_patience;
    let mut pause = rest.saturating_sub(looked.elapsed());
    while !pause.is_zero() {
        tokio::select! {
            () = server.stop.requested() => return,
            () = tokio::time::sleep(pause) => return,
            () = source.bell.notified() => {
                pause = rest.min(until.saturating_duration_since(Instant::now()));
            }
        }
    }
}

/// Looks at it once; whether it could be read.
async fn look(server: &Arc<Server>, source: &Arc<Source>) -> bool {
    let is_whole = source.is_whole.swap(false, Ordering::Relaxed);
    let read = match source.access().await {
        Ok(access) => {
            let (source, server) = (Arc::clone(source), Arc::clone(server));
            tokio::task::spawn_blocking(move || source.read(access, &server.measures)).await
        }
        Err(error) => Ok(Err(error)),
    };
    let is_good = match read {
        Ok(Ok(names)) => {
            let mut state = source.lock();
            state.good = Some((Instant::now(), Timestamp::now()));
            (state.error, state.hint) = (None, None);
            drop(state);
            let kept = server.keep_environments(source, &names);
            source.lock().environments = kept;
            true
        }
        Ok(Err(error)) => {
            tracing::warn!(source = %source.name, %error, "the source can't be read");
            let scrubber = server.context.scrubber();
            let hint = error.hints().into_iter().next();
            let mut state = source.lock();
            state.hint = hint.map(|hint| scrubber.clean(hint));
            state.error = Some(scrubber.clean(error));
            false
        }
        Err(error) => {
            let said = format!("looking at it ended abnormally: {error}");
            source.lock().error = Some(server.context.scrubber().clean(said));
            false
        }
    };
    // Databases and approvals may have changed even where the source can't be read.
    let reach = if is_whole || !is_good {
        Reach::Everything
    } else {
        Reach::Changes
    };
    server.wake(source, reach);
    tidy(source).await;
    is_good
}

/// Keeps a mirror small, when everybody who waited for what was fetched has it.
async fn tidy(source: &Source) {
    let Place::Elsewhere { remote, .. } = &source.settings.selection.place else {
        return;
    };
    let mirror = remote.mirror().clone();
    let tidied = tokio::task::spawn_blocking(move || mirror.tidy()).await;
    if let Ok(Err(error)) = tidied {
        tracing::debug!(source = %source.name, %error, "the mirror can't be made smaller now");
    }
}

/// How a fetch ended.
fn result<E>(fetched: &Result<Fetched, E>) -> FetchResult {
    match fetched {
        Ok(fetched) if fetched.moves.is_empty() => FetchResult::Unchanged,
        Ok(_) => FetchResult::Changed,
        Err(_) => FetchResult::Failed,
    }
}

/// The environments that a source defines and that are wanted.
fn names(selection: &Selection, wanted: &[String]) -> Result<BTreeSet<String>, EngineError> {
    let opening = opening(selection, Control::Environment(None))?;
    let defined = &opening.documents().environments;
    if wanted.is_empty() {
        return Ok(defined.keys().map(EnvironmentName::to_string).collect());
    }
    for name in wanted {
        match opening.environment(name) {
            // Somebody removed it on purpose, or it isn't on this branch yet: its own loop says so.
            Ok(_) | Err(ProjectError::UnknownEnvironment { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(wanted.iter().cloned().collect())
}
