//! The loop of an environment: observes, asks what is to be done, does it, and observes again.

mod drifting;
mod holding;
mod jobs;
mod leaving;
mod patience;
mod running;

use std::sync::Arc;
use std::time::{Duration, Instant};

use kube::ResourceExt as _;
use tokio::sync::{Notify, OwnedSemaphorePermit, mpsc};
use whimbrel_core::lineage::Revision;
use whimbrel_core::name::MigrationName;
use whimbrel_engine::Publishing;
use whimbrel_project::DefinitionCache;
use whimbrel_server::Pulse;

use crate::api::{Environment, Execution, FINALIZER, Migration};
use crate::approvals::{self, Told};
use crate::definition::is_abstract;
use crate::operator::Operator;
use crate::reconcile::{
    Action, Failures, Fate, Known, Observed, Question, Source, Waiting, Wrote, is_retried, say,
    step,
};
use crate::referenced::{Referenced, secrets_of};
use crate::report::{Scope, report};
use crate::survey::{Surveyed, failed, selection, survey};

use drifting::Drift;
use jobs::Attended;
use leaving::{Departures, Findings};
use patience::{Passed, Patience};
use running::revision;

/// The most actions of one pass: what changes faster is looked at again a little later.
const ACTIONS: usize = 24;

struct Keeper {
    operator: Arc<Operator>,
    name: String,
    bell: Arc<Notify>,
    pulse: Pulse,
    cache: DefinitionCache,
    patience: Patience,
    /// What was tried and failed.
    tried: Failures,
    wrote: Wrote,
    publishing: Option<Publishing>,
    /// What those that come after it were woken for.
    handed_on: Option<Revision>,
    told: Told,
    referenced: Referenced,
    departures: Departures,
    attended: Attended,
    drift: Drift,
}

/// What one pass knows.
struct Pass {
    object: Arc<Environment>,
    is_held: bool,
    known: Known,
    /// What `known` is about.
    question: Question,
    surveyed: Option<Surveyed>,
    /// What is to be reverted.
    reverting: Vec<MigrationName>,
    findings: Findings,
    /// Leave to run, of which there are so many at once.
    leave: Option<OwnedSemaphorePermit>,
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
        patience: Patience::default(),
        tried: Failures::default(),
        wrote: Wrote::default(),
        publishing: None,
        handed_on: None,
        told: Told::new(),
        referenced: Referenced::default(),
        departures: Departures::default(),
        attended: Attended::default(),
        drift: Drift::new(&operator),
    };
    loop {
        if !keeper.hold().await {
            break;
        }
        keeper.pulse.beat(Duration::ZERO);
        let pause = keeper.pass().await;
        let Some(pause) = pause else { break };
        keeper.pulse.beat(pause);
        tokio::select! {
            () = operator.stop.requested() => break,
            () = bell.notified() => {}
            () = operator.shards.lost(&name) => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
    drop(keeper);
    drop(guard);
    if !operator.stop.is_requested() {
        operator.measures.forget(&name);
    }
    operator.forget(&name);
}

impl Keeper {
    /// Does what is to be done; how long to wait until the next look, or none when the object is gone.
    async fn pass(&mut self) -> Option<Duration> {
        let object = self.operator.cluster.environment(&self.name)?;
        let Some(_work) = self.operator.shards.begin(&self.name) else {
            return Some(Duration::ZERO);
        };
        let mut pass = Pass {
            is_held: object.finalizers().iter().any(|name| name == FINALIZER),
            object,
            known: Known::Nothing,
            question: Question::default(),
            surveyed: None,
            reverting: Vec::new(),
            findings: Findings::default(),
            leave: None,
        };
        let done = self.act(&mut pass).await;
        self.compare(&pass, done.is_ok()).await;
        if let Some(surveyed) = pass.surveyed.take() {
            surveyed.close().await;
        }
        let has_taken = self.wrote.has_taken();
        let passed = match done {
            Ok(false) => Passed::Well,
            Ok(true) => Passed::Away,
            Err(error) => {
                tracing::warn!(environment = %self.name, %error, "the API server doesn't do what is asked");
                Passed::Refused { has_taken }
            }
        };
        let is_timed = matches!(
            pass.known,
            Known::Waiting {
                on: Waiting::Time,
                ..
            }
        );
        let limits = &self.operator.limits;
        let pause = match self.patience.after(passed) {
            Some(failures) => limits.backoff(failures),
            None if is_timed => limits.pause(limits.interval),
            None => limits.pause(self.operator.settings.resync),
        };
        let next = self.departures.next;
        let next = next.map(|next| next.saturating_duration_since(Instant::now()));
        let next = next.into_iter().chain(self.drift.pause()).min();
        Some(next.map_or(pause, |next| pause.min(next)))
    }

    /// One action after the other; whether to look again soon.
    async fn act(&mut self, pass: &mut Pass) -> Result<bool, kube::Error> {
        for _ in 0..ACTIONS {
            self.pulse.beat(Duration::ZERO);
            let Some(object) = self.operator.cluster.environment(&self.name) else {
                return Ok(true);
            };
            // Another one of the same name: what is known isn't of it.
            if object.metadata.uid != pass.object.metadata.uid {
                return Ok(true);
            }
            // Whoever holds it now reports what was done here.
            if !self.operator.shards.is_held(&self.name) {
                return Ok(false);
            }
            pass.object = object;
            let fates = self.fates(pass);
            let question = self.question(pass);
            if question != pass.question {
                (pass.question, pass.known) = (question, Known::Nothing);
                if let Some(before) = pass.surveyed.take() {
                    before.close().await;
                }
            }
            let observed = self.observe(pass, &fates);
            match step(&observed) {
                Action::Hold => {
                    self.operator
                        .cluster
                        .hold(&pass.object.metadata, true)
                        .await?;
                    self.wrote.taken();
                    pass.is_held = true;
                }
                Action::Release => {
                    self.end_jobs(&pass.object).await;
                    self.operator
                        .cluster
                        .hold(&pass.object.metadata, false)
                        .await?;
                    return Ok(false);
                }
                Action::Forget => return Ok(false),
                Action::Mark => self.mark(pass, &fates).await?,
                Action::Judge => self.judge(pass, &fates).await?,
                Action::Survey => {
                    self.attend(pass, &observed).await?;
                    if pass.known == Known::Nothing && !self.operator.stop.is_requested() {
                        self.ask(pass).await;
                    }
                }
                Action::Approve => self.approve(pass).await?,
                Action::Run if pass.object.spec.execution == Execution::Job => {
                    self.run_by_job(pass, &observed).await?;
                }
                Action::Run if pass.leave.is_none() => self.take_leave(pass, observed).await?,
                Action::Run => {
                    if !self.operator.cluster.is_current(&pass.object).await? {
                        return Ok(true);
                    }
                    self.report(pass, &observed, Scope::Environment).await?;
                    self.run(pass).await;
                    pass.leave = None;
                }
                Action::Report => {
                    self.hand_on(pass).await;
                    if let (false, Some(surveyed)) = (is_asked(&pass.known), &pass.surveyed) {
                        let held = &surveyed.approvals;
                        approvals::note(&self.operator, &self.name, held, &mut self.told).await?;
                    }
                    self.report(pass, &observed, Scope::Everything).await?;
                    return Ok(is_retried(&observed));
                }
            }
            if self.operator.stop.is_requested() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn report(
        &mut self,
        pass: &Pass,
        observed: &Observed,
        scope: Scope,
    ) -> Result<(), kube::Error> {
        let (surveyed, said) = (pass.surveyed.as_ref(), say(observed));
        let (object, reverting) = (&pass.object, &pass.reverting);
        let wrote = &mut self.wrote;
        report(
            &self.operator,
            surveyed,
            object,
            &said,
            scope,
            reverting,
            wrote,
        )
        .await
    }

    fn observe(&self, pass: &Pass, fates: &[(Arc<Migration>, Fate)]) -> Observed {
        let spec = &pass.object.spec;
        let source = match &spec.source_ref {
            None => Source::Known,
            Some(of) => match self.operator.source(&of.name) {
                None => Source::Missing(self.operator.no_source(&of.name)),
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
            is_unmarked: fates
                .iter()
                .any(|(_, fate)| matches!(fate, Fate::Mark | Fate::LetGo(_))),
            is_unjudged: fates.iter().any(|(_, fate)| *fate == Fate::Judge),
            reverting: leaving::listed(&pass.reverting),
            is_approved: pass.surveyed.as_ref().is_some_and(|surveyed| {
                approvals::open(&self.operator, &self.name, surveyed, &self.told).is_some()
            }),
            known: pass.known.clone(),
        }
    }

    /// Asks the databases.
    async fn ask(&mut self, pass: &mut Pass) {
        if let Some(before) = pass.surveyed.take() {
            before.close().await;
        }
        let selection = match selection(&self.operator, &pass.object, &self.cache).await {
            Ok(selection) => selection,
            Err(why) => {
                pass.known = Known::Away(self.operator.context.scrubber().clean(why));
                return;
            }
        };
        let operator = Arc::clone(&self.operator);
        // Others' databases may be slow: waiting for them is no want of progress.
        self.pulse.run();
        let waits = operator.measures.wait();
        let turn = operator.turns.acquire().await;
        drop(waits);
        self.pulse.beat(Duration::ZERO);
        // Nobody closes it.
        let Ok(_turn) = turn else {
            return;
        };
        let approvals = approvals::of_environment(&operator, &self.name);
        match survey(&operator, &selection, &approvals, &pass.reverting).await {
            Ok((known, surveyed)) => {
                pass.findings.take(&pass.reverting, &surveyed);
                let secrets = secrets_of(surveyed.opened.environment());
                let timeout = self.operator.settings.watch_timeout;
                self.referenced
                    .watch(secrets, &self.operator.cluster, timeout, &self.bell);
                let revision = revision(&surveyed);
                let plan = (!surveyed.is_empty).then_some(surveyed.digest.as_str());
                let (tried, of) = (&mut self.tried, &pass.question);
                pass.known = tried.known(of, revision.as_deref(), plan, known);
                self.note_left(&pass.object).await;
                pass.surveyed = Some(surveyed);
            }
            Err(error) => {
                tracing::warn!(environment = %self.name, error = %error.brief(), "the environment can't be planned");
                pass.known = failed(&error, self.operator.context.scrubber());
            }
        }
    }

    /// Records an approval in the databases, and says so in its status.
    async fn approve(&mut self, pass: &mut Pass) -> Result<(), kube::Error> {
        let Some(surveyed) = &pass.surveyed else {
            return Ok(());
        };
        let open = approvals::open(&self.operator, &self.name, surveyed, &self.told);
        let Some(approval) = open else {
            return Ok(());
        };
        pass.known = Known::Nothing;
        match approvals::record(&self.operator, &approval, surveyed, &mut self.told).await {
            Ok(told) => {
                if told.is_ok() {
                    self.wrote.taken();
                }
                told
            }
            Err(error) => {
                pass.known = failed(&error, self.operator.context.scrubber());
                Ok(())
            }
        }
    }
}

/// Whether an approval is waited for: what is recorded of one may not be recorded everywhere.
const fn is_asked(known: &Known) -> bool {
    matches!(
        known,
        Known::Waiting {
            on: Waiting::Approval,
            ..
        }
    )
}
