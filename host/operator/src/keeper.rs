//! The loop of an environment: observes, asks what is to be done, does it, and observes again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use kube::ResourceExt as _;
use tokio::sync::{Notify, mpsc};
use whimbrel_config::Kind;
use whimbrel_core::environment::{CLUSTER_BACKEND, Environment as Definition, ValueSource};
use whimbrel_core::reference::references;
use whimbrel_engine::{
    Ending, EngineError, Publishing, approve, ending, publish, publish_again,
};
use whimbrel_project::DefinitionCache;
use whimbrel_run::Stop;
use whimbrel_server::Pulse;

use crate::api::{
    Approval, ApprovalStatus, ConditionStatus, ConditionType, Environment, FINALIZER, Said,
    conditions,
};
use crate::cluster::now;
use crate::definition::is_abstract;
use crate::operator::Operator;
use crate::reconcile::{Action, Known, Observed, Source, Waiting, is_retried, say, step};
use crate::report::report;
use crate::survey::{Surveyed, failed, selection, survey};

/// The most actions of one pass: what changes faster is looked at again a little later.
const ACTIONS: usize = 24;
/// How long a run may go on after its object was deleted, before it is cancelled: a database that hangs must not hold up the
/// end of a namespace.
const RELEASE: Duration = Duration::from_secs(60);

struct Keeper {
    operator: Arc<Operator>,
    name: String,
    bell: Arc<Notify>,
    pulse: Pulse,
    cache: DefinitionCache,
    failures: u32,
    /// The plan that failed, and how: it isn't tried again as long as it stays the same.
    held: Option<(String, String)>,
    /// How the last run failed; the plan as it is next made is the one that does.
    failure: Option<String>,
    publishing: Option<Publishing>,
    /// Approvals that were looked at to the end, by their uid.
    handled: BTreeSet<String>,
    /// Who watches each `Secret` that is referred to.
    watched: BTreeMap<String, tokio::task::JoinHandle<()>>,
}

/// What one pass knows.
struct Pass {
    object: Arc<Environment>,
    is_held: bool,
    known: Known,
    surveyed: Option<Surveyed>,
}

/// Keeps an environment until its object is gone or the operator ends.
pub async fn keep(
    operator: Arc<Operator>,
    name: String,
    bell: Arc<Notify>,
    guard: mpsc::Sender<()>,
) {
    operator.begun().await;
    let mut keeper = Keeper {
        pulse: operator.pulses.begin(format!("environment {name}")),
        operator: Arc::clone(&operator),
        name: name.clone(),
        bell: Arc::clone(&bell),
        cache: DefinitionCache::default(),
        failures: 0,
        held: None,
        failure: None,
        publishing: None,
        handled: BTreeSet::new(),
        watched: BTreeMap::new(),
    };
    loop {
        keeper.pulse.beat(Duration::ZERO);
        let pause = keeper.pass().await;
        let Some(pause) = pause else { break };
        keeper.pulse.beat(pause);
        tokio::select! {
            () = operator.stop.requested() => break,
            () = bell.notified() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
    for task in keeper.watched.values() {
        task.abort();
    }
    drop(keeper);
    drop(guard);
    operator.forget(&name);
}

impl Keeper {
    /// Does what is to be done; how long to wait until the next look, or none when the object is gone.
    async fn pass(&mut self) -> Option<Duration> {
        let object = self.operator.cluster.environment(&self.name)?;
        let mut pass = Pass {
            is_held: object.finalizers().iter().any(|name| name == FINALIZER),
            object,
            known: Known::Nothing,
            surveyed: None,
        };
        let done = self.act(&mut pass).await;
        if let Some(surveyed) = pass.surveyed.take() {
            surveyed.close().await;
        }
        match done {
            Ok(false) => {
                self.failures = 0;
                let is_timed = matches!(
                    pass.known,
                    Known::Waiting {
                        on: Waiting::Time,
                        ..
                    }
                );
                let pause = if is_timed {
                    self.operator.limits.interval
                } else {
                    self.operator.settings.resync
                };
                Some(self.operator.limits.pause(pause))
            }
            Ok(true) => Some(self.backoff()),
            Err(error) => {
                tracing::warn!(environment = %self.name, %error, "the API server doesn't do what is asked");
                Some(self.backoff())
            }
        }
    }

    fn backoff(&mut self) -> Duration {
        self.failures = self.failures.saturating_add(1);
        self.operator.limits.backoff(self.failures)
    }

    /// One action after the other; whether to look again soon.
    async fn act(&mut self, pass: &mut Pass) -> Result<bool, kube::Error> {
        for _ in 0..ACTIONS {
            let Some(object) = self.operator.cluster.environment(&self.name) else {
                return Ok(true);
            };
            // Another one of the same name: what is known isn't of it.
            if object.metadata.uid != pass.object.metadata.uid {
                return Ok(true);
            }
            pass.object = object;
            let observed = self.observe(pass);
            match step(&observed) {
                Action::Hold => {
                    self.operator.cluster.hold(&pass.object.metadata, true).await?;
                    pass.is_held = true;
                }
                Action::Release => {
                    self.operator.cluster.hold(&pass.object.metadata, false).await?;
                    return Ok(false);
                }
                Action::Forget => return Ok(false),
                Action::Survey => self.ask(pass).await,
                Action::Approve => self.approve(pass).await?,
                Action::Run => {
                    report(&self.operator, pass.surveyed.as_ref(), &pass.object, &say(&observed))
                        .await?;
                    self.run(pass).await;
                }
                Action::Report => {
                    if let (Known::Current, Some(surveyed)) = (&pass.known, &pass.surveyed)
                        && let Some(prepared) = &surveyed.prepared
                    {
                        let known = &prepared.survey.histories;
                        let before = self.publishing.as_ref();
                        let done = publish_again(before, &surveyed.opened, known).await;
                        self.publishing = done.or(self.publishing.take());
                    }
                    let said = say(&observed);
                    report(&self.operator, pass.surveyed.as_ref(), &pass.object, &said).await?;
                    return Ok(is_retried(&observed));
                }
            }
            if self.operator.stop.is_requested() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn observe(&self, pass: &Pass) -> Observed {
        let spec = &pass.object.spec;
        let source = match &spec.source_ref {
            None => Source::Known,
            Some(of) => match self.operator.source(&of.name) {
                None => Source::Missing(format!("there is no GitSource `{}`", of.name)),
                Some(source) => match source.selection() {
                    Ok(_) => Source::Known,
                    Err(why) => Source::Unread(format!("the GitSource `{}`: {why}", of.name)),
                },
            },
        };
        Observed {
            is_deleted: pass.object.metadata.deletion_timestamp.is_some(),
            is_held: pass.is_held,
            is_abstract: is_abstract(&pass.object),
            is_suspended: spec.suspend,
            source,
            is_approved: pass
                .surveyed
                .as_ref()
                .is_some_and(|surveyed| self.approval(surveyed).is_some()),
            known: pass.known.clone(),
        }
    }

    /// The approvals of this environment.
    fn approvals(&self) -> Vec<Arc<Approval>> {
        let approvals = &self.operator.cluster.stores.approvals;
        let mut own: Vec<_> = approvals
            .state()
            .into_iter()
            .filter(|approval| approval.spec.environment_ref.name == self.name)
            .filter(|approval| approval.metadata.deletion_timestamp.is_none())
            .collect();
        own.sort_by_key(|approval| approval.name_any());
        own
    }

    /// An approval of the plan at hand that isn't recorded yet.
    fn approval(&self, surveyed: &Surveyed) -> Option<Arc<Approval>> {
        let prepared = surveyed.prepared.as_ref()?;
        self.approvals().into_iter().find(|approval| {
            let uid = approval.metadata.uid.as_ref();
            let is_handled = uid.is_some_and(|uid| self.handled.contains(uid));
            let is_told = approval
                .status
                .as_ref()
                .is_some_and(|status| !status.conditions.is_empty());
            !is_handled && !is_told && prepared.require(&approval.spec.plan).is_ok()
        })
    }

    /// Asks the databases.
    async fn ask(&mut self, pass: &mut Pass) {
        if let Some(before) = pass.surveyed.take() {
            before.close().await;
        }
        let selection = match selection(&self.operator, &pass.object, &self.cache).await {
            Ok(selection) => selection,
            Err(why) => {
                pass.known = Known::Away(why);
                return;
            }
        };
        let operator = Arc::clone(&self.operator);
        // Nobody closes it.
        let Ok(_turn) = operator.turns.acquire().await else {
            return;
        };
        match survey(&operator, &selection, &self.approvals()).await {
            Ok((known, surveyed)) => {
                self.watch_secrets(surveyed.opened.environment());
                if let Some(failure) = self.failure.take() {
                    self.held = Some((surveyed.digest.clone(), failure));
                }
                let held = self.held.take_if(|(digest, _)| {
                    *digest != surveyed.digest || surveyed.is_empty
                });
                drop(held);
                pass.known = match (&self.held, known) {
                    (Some((_, failure)), Known::Pending) => Known::Failed(failure.clone()),
                    (_, known) => known,
                };
                pass.surveyed = Some(surveyed);
            }
            Err(error) => {
                tracing::warn!(environment = %self.name, error = %error.brief(), "the environment can't be planned");
                pass.known = failed(&error);
            }
        }
        self.scrub(&mut pass.known);
    }

    /// Records an approval in the databases, and says so in its status.
    async fn approve(&mut self, pass: &mut Pass) -> Result<(), kube::Error> {
        let Some(surveyed) = &pass.surveyed else {
            return Ok(());
        };
        let (Some(approval), Some(prepared)) = (self.approval(surveyed), &surveyed.prepared) else {
            return Ok(());
        };
        let approved = approve(&surveyed.opened, prepared, &approval.spec.recorded()).await;
        let succeeded = |status, reason, message: &str| {
            vec![Said::new(ConditionType::Succeeded, status, reason, message)]
        };
        let (said, expires) = match &approved {
            Ok(approved) => {
                let said = succeeded(ConditionStatus::True, "Recorded", "");
                (said, Some(approved.expires.to_string()))
            }
            Err(error @ EngineError::MayNotApprove { .. }) => {
                let message = error.to_string();
                (succeeded(ConditionStatus::False, "MayNotApprove", &message), None)
            }
            Err(error) => {
                pass.known = failed(error);
                self.scrub(&mut pass.known);
                return Ok(());
            }
        };
        let generation = approval.metadata.generation.unwrap_or_default();
        let status = ApprovalStatus {
            observed_generation: generation,
            conditions: conditions(&[], &said, generation, now()),
            expires,
        };
        self.handled.extend(approval.metadata.uid.clone());
        pass.known = Known::Nothing;
        let cluster = &self.operator.cluster;
        cluster
            .write_status(Kind::Approval, &approval.metadata, &status)
            .await?;
        cluster
            .tell(Kind::Approval, &*approval, &[], &status.conditions)
            .await;
        Ok(())
    }

    /// Runs the plan to its end, or to the next safe point when the object is deleted meanwhile.
    async fn run(&mut self, pass: &mut Pass) {
        let Some(surveyed) = &mut pass.surveyed else {
            return;
        };
        let Some(prepared) = surveyed.prepared.take() else {
            return;
        };
        let opened = &surveyed.opened;
        pass.known = Known::Nothing;
        let admitted = match prepared.admit(opened, None).await {
            Ok(Some(admitted)) => admitted,
            Ok(None) => return,
            Err(error) => {
                pass.known = failed(&error);
                self.scrub(&mut pass.known);
                return;
            }
        };
        self.pulse.run();
        let by = format!("{} (operator)", whimbrel_engine::actor());
        let stop = Stop::default();
        let run = admitted.on_behalf_of(by).run(opened, stop.clone());
        let outcome = tokio::select! {
            outcome = run => outcome,
            never = self.watch_over(&pass.object, &stop) => match never {},
        };
        self.pulse.beat(Duration::ZERO);
        if outcome.is_success() {
            self.publishing = Some(publish(opened, outcome.unchanged()).await);
            return;
        }
        let view = outcome.view(self.operator.context.scrubber());
        let failed = view.targets.iter().find(|target| target.error.is_some());
        let message = failed.map_or_else(String::new, |target| {
            let error = target.error.clone().unwrap_or_default();
            let hint = target.hint.as_ref();
            let hint = hint.map(|hint| format!(" ({hint})")).unwrap_or_default();
            format!("{}: {error}{hint}", target.target)
        });
        tracing::warn!(environment = %self.name, "{message}");
        match ending(&outcome) {
            Ending::Temporary => pass.known = Known::Away(message),
            Ending::Moved => {}
            Ending::Failed => self.failure = Some(message),
        }
    }

    /// Asks a run to end when the operator ends, or when the object is deleted: then it is cancelled after a bounded time.
    async fn watch_over(&self, object: &Environment, stop: &Stop) -> std::convert::Infallible {
        let is_deleted = || {
            let now = self.operator.cluster.environment(&self.name);
            now.is_none_or(|now| {
                now.metadata.deletion_timestamp.is_some() || now.metadata.uid != object.metadata.uid
            })
        };
        loop {
            if is_deleted() {
                stop.request();
                tokio::time::sleep(RELEASE).await;
                stop.request();
                return std::future::pending().await;
            }
            tokio::select! {
                () = self.operator.stop.requested() => {
                    stop.request();
                    self.operator.stop.insisted().await;
                    stop.request();
                    return std::future::pending().await;
                }
                () = self.bell.notified() => {}
            }
        }
    }

    /// Looks again whenever a `Secret` that the environment refers to changes. Each is watched by its name.
    fn watch_secrets(&mut self, environment: &Definition) {
        let wanted = secrets_of(environment);
        self.watched.retain(|name, task| {
            let is_wanted = wanted.contains(name);
            if !is_wanted {
                task.abort();
            }
            is_wanted
        });
        for name in wanted {
            if !self.watched.contains_key(&name) {
                let api = self.operator.cluster.secrets_without_values();
                let task = crate::watch::secret(api, name.clone(), Arc::clone(&self.bell));
                self.watched.insert(name, tokio::spawn(task));
            }
        }
    }

    fn scrub(&self, known: &mut Known) {
        let scrubber = self.operator.context.scrubber();
        match known {
            Known::Waiting { message, .. }
            | Known::Failed(message)
            | Known::Wrong { message, .. }
            | Known::Away(message) => *message = scrubber.scrub(message),
            Known::Nothing | Known::Current | Known::Pending => {}
        }
    }
}

/// The names of the `Secret`s that an environment refers to.
fn secrets_of(environment: &Definition) -> BTreeSet<String> {
    let databases = environment.databases.values();
    let own = databases.flat_map(|database| {
        [Some(&database.url), database.username.as_ref(), database.password.as_ref()]
    });
    let own = own.flatten().filter_map(|value| match value {
        ValueSource::Secret(reference) => Some(reference.clone()),
        ValueSource::Literal(_) => None,
    });
    let backends = environment.secrets.values();
    let theirs = backends
        .flat_map(|backend| references(&backend.with))
        .map(|(_, reference)| reference);
    own.chain(theirs)
        .filter(|reference| reference.backend == CLUSTER_BACKEND)
        .map(|reference| reference.path)
        .collect()
}
