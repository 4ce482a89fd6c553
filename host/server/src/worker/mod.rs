//! The loop of an environment: reads its newest revision, plans, and runs what may be run. One after the other, so that
//! nothing here competes with itself; other processes are kept apart by the databases' locks and fences.

mod looking;
mod orders;
mod publishing;

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::Value as Json;
use tokio::sync::mpsc;
use whimbrel_core::digest::Digest;
use whimbrel_core::plan::Plan;
use whimbrel_engine::{
    Admitted, Ending, EngineError, Kept, Opened, Outcome, Passing, Prepared, Publishing, Stand,
    ending,
};
use whimbrel_plugin::CommitState;

use crate::audience::Starting;
use crate::desired::{Desired, Guard};
use crate::environment::{Environment, GateView, Order, Phase, PlanLine, Reach};
use crate::pulse::Pulse;
use crate::server::Server;

/// The longest pause of a loop that waits to be woken.
const IDLE: Duration = Duration::from_secs(3_600);

/// What comes next.
enum Next {
    /// Look again at once: something was done, or changed meanwhile.
    Again,
    /// Wait until something changes.
    Wait,
    /// Try again later by itself.
    Retry,
}

struct Worker {
    server: Arc<Server>,
    environment: Arc<Environment>,
    pulse: Pulse,
    guard: Guard,
    /// The plan that failed: it isn't tried again as long as it stays the same.
    held: Option<Digest>,
    /// What failed and is still to be planned as it is after that, so that it is known again.
    hold: Option<Arc<Desired>>,
    failures: u32,
    /// Databases that lacked nothing by the definitions that are there, and needn't be asked for every push.
    kept: Kept,
    /// Whether it is for a push alone that it looks.
    reach: Reach,
    /// When all of them were asked last.
    asked_all: Instant,
    /// What became of publishing; none when it is still to be done by this process.
    publishing: Option<Publishing>,
    /// What was run and is still to be published.
    unpublished: Option<Arc<Desired>>,
}

/// Keeps an environment until it is gone or the server ends.
pub(crate) async fn keep(
    server: Arc<Server>,
    environment: Arc<Environment>,
    mut orders: mpsc::Receiver<Order>,
    guard: Guard,
) {
    let pulse = server
        .pulses
        .begin(format!("environment {}", environment.name));
    let mut worker = Worker {
        server,
        environment,
        pulse,
        guard,
        held: None,
        hold: None,
        failures: 0,
        kept: Kept::default(),
        reach: Reach::Everything,
        asked_all: Instant::now(),
        publishing: None,
        unpublished: None,
    };
    worker.work(&mut orders).await;
    worker.publish_rest().await;
    // What is borrowed for it goes back now.
    let desired = worker.environment.lock().desired.take();
    drop(desired);
    worker.server.ended(&worker.environment);
}

impl Worker {
    async fn work(&mut self, orders: &mut mpsc::Receiver<Order>) {
        let stop = self.server.stop.clone();
        let mut retry = None;
        loop {
            let pause = retry.map_or(IDLE, |at: Instant| {
                at.saturating_duration_since(Instant::now())
            });
            self.pulse.beat(pause);
            tokio::select! {
                biased;
                () = stop.requested() => return,
                Some(order) = orders.recv() => {
                    self.reach = Reach::Everything;
                    self.order(order).await;
                }
                () = self.environment.woken() => self.reach = Reach::Changes,
                () = tokio::time::sleep(pause) => self.reach = Reach::Everything,
            }
            if self.environment.is_gone() || stop.is_requested() {
                return;
            }
            retry = self.reconcile().await;
        }
    }

    /// Brings the environment as far as it may be brought; when to try again, if that is worth it.
    async fn reconcile(&mut self) -> Option<Instant> {
        self.begin();
        for _ in 0..self.server.limits.replans {
            self.pulse.beat(Duration::ZERO);
            match self.once().await {
                Next::Again if self.server.stop.is_requested() || self.environment.is_gone() => {
                    return None;
                }
                Next::Again => {}
                Next::Wait => {
                    self.failures = 0;
                    self.environment.lock().retry_at = None;
                    return None;
                }
                Next::Retry => break,
            }
        }
        self.failures = self.failures.saturating_add(1);
        let pause = self.server.limits.backoff(self.failures);
        self.environment.lock().retry_at = Timestamp::now().checked_add(pause).ok();
        Some(Instant::now() + pause)
    }

    async fn once(&mut self) -> Next {
        let is_fresh = self.refresh().await;
        let Some(desired) = self.environment.desired() else {
            return Next::Retry;
        };
        if let Some(failed) = self.hold.take()
            && let Err(error) = self.hold(&failed).await
            && failed.marker.is_some()
            && failed.marker == desired.marker
        {
            self.failed(Phase::Retrying, &error);
            self.hold = Some(failed);
            return Next::Retry;
        }
        let next = self.plan_and_run(&desired).await;
        if !matches!(next, Next::Again) {
            self.publish_soon().await;
        }
        match next {
            Next::Wait if !is_fresh => Next::Retry,
            next => next,
        }
    }

    /// Holds the plan of what failed. Of these definitions and no others: newer ones may be what mends it.
    async fn hold(&mut self, failed: &Desired) -> Result<(), EngineError> {
        let goal = whimbrel_core::plan::Goal::Apply;
        let mut prepared = Prepared::new(&failed.opened, goal, Passing::default()).await?;
        prepared.require_all()?;
        self.held = Some(prepared.plan().digest());
        Ok(())
    }

    async fn plan_and_run(&mut self, desired: &Arc<Desired>) -> Next {
        let opened = &desired.opened;
        let goal = whimbrel_core::plan::Goal::Apply;
        let prepared = match self.reach {
            Reach::Changes => Prepared::again(opened, &self.kept).await,
            Reach::Everything => Prepared::new(opened, goal, Passing::default()).await,
        };
        let prepared = match prepared {
            Ok(prepared) => prepared,
            Err(error) => {
                self.environment.lock().revision = desired.revision();
                self.failed(Phase::Retrying, &error);
                return Next::Retry;
            }
        };
        self.kept = Kept::of(opened, &prepared);
        let (refusals, scrubber) = (prepared.refusals(), self.server.context.scrubber());
        let gates = refusals.iter();
        let gates = gates.map(|refusal| GateView::new(refusal, scrubber));
        let gates = gates.collect();
        let digest = prepared.plan().digest();
        let is_held = self.held == Some(digest);
        {
            let mut state = self.environment.lock();
            state.plan = Some(line(prepared.plan()));
            state.gates = gates;
            state.checked_at = Some(Timestamp::now());
            let revision = desired.revision();
            if state.revision != revision {
                state.revision = revision;
                // How it stood was about another one.
                if !is_held {
                    state.phase = Phase::Starting;
                }
            }
        }
        if is_held {
            return Next::Wait;
        }
        self.held = None;
        match prepared.stand() {
            Stand::Blocked(blocked) => {
                self.failed(Phase::Blocked, &blocked);
                return Next::Wait;
            }
            Stand::Waiting(_) => {
                self.stands(Phase::Waiting);
                return Next::Wait;
            }
            Stand::Current => {
                self.stands(Phase::Current);
                if opened.targets.is_complete() {
                    self.server.measures.up_to_date(&self.environment.name);
                }
                self.publish_again(opened, &prepared).await;
                return Next::Wait;
            }
            Stand::Unread { error, hint } => {
                self.says(Phase::Retrying, &error, hint);
                return Next::Retry;
            }
            Stand::Pending => {}
        }
        if self.server.stop.is_requested() {
            return Next::Wait;
        }
        match prepared.admit(opened, None).await {
            Ok(None) => Next::Wait,
            Ok(Some(admitted)) => {
                let by = format!("{} (serve)", whimbrel_engine::actor());
                self.run(desired, admitted, by, None).await
            }
            Err(error) => {
                let is_temporary = error.is_temporary();
                self.failed(
                    if is_temporary {
                        Phase::Retrying
                    } else {
                        Phase::Blocked
                    },
                    &error,
                );
                if is_temporary {
                    Next::Retry
                } else {
                    Next::Wait
                }
            }
        }
    }

    /// Runs a plan to its end.
    async fn run(
        &mut self,
        desired: &Arc<Desired>,
        admitted: Admitted,
        by: String,
        started: Option<tokio::sync::oneshot::Sender<String>>,
    ) -> Next {
        let opened = &desired.opened;
        let outcome = self.execute(opened, admitted, by, None, started).await;
        let view = outcome.view(self.server.context.scrubber());
        if outcome.is_success() {
            self.show(opened, CommitState::Success, "applied");
            // When it stands as it should: nobody who waits for that waits for this.
            self.unpublished = Some(Arc::clone(desired));
            return Next::Again;
        }
        let failed = view.targets.iter().find(|target| target.error.is_some());
        let (error, hint) = failed.map_or_else(Default::default, |target| {
            let error = target.error.as_deref().unwrap_or_default();
            let hint = target.hint.as_ref().map(ToString::to_string);
            (format!("{}: {error}", target.target), hint)
        });
        match ending(&outcome) {
            Ending::Temporary => {
                self.show(opened, CommitState::Pending, "tried again soon");
                self.says(Phase::Retrying, &error, hint);
                Next::Retry
            }
            Ending::Moved => {
                self.reach = Reach::Everything;
                Next::Again
            }
            Ending::Failed => {
                self.show(
                    opened,
                    CommitState::Failure,
                    "failed; `whimbrel status` says where",
                );
                self.says(Phase::Failed, &error, hint);
                self.hold = Some(Arc::clone(desired));
                Next::Again
            }
        }
    }

    /// Runs a plan to its end, before whoever looks at runs.
    async fn execute(
        &mut self,
        opened: &Opened,
        admitted: Admitted,
        by: String,
        given: Option<Json>,
        started: Option<tokio::sync::oneshot::Sender<String>>,
    ) -> Outcome {
        self.stands(Phase::Applying);
        self.pulse.run();
        self.environment.stand.expect(Starting {
            plan: admitted.prepared().plan().digest().to_string(),
            actor: by.clone(),
            given,
            started,
        });
        let admitted = admitted.on_behalf_of(by);
        let outcome = admitted.run(opened, self.server.stop.clone()).await;
        self.pulse.beat(Duration::ZERO);
        if let Some(run) = self.environment.stand.end() {
            let view = outcome.view(self.server.context.scrubber());
            run.end(view.value().to_string());
            self.environment.lock().last_run = Some(run.id.clone());
        }
        outcome
    }

    /// Shows at the source's Git host what became of the commit.
    fn show(&self, opened: &Opened, state: CommitState, summary: &str) {
        let source = &self.environment.source;
        if let (Some(reports), Some(revision)) = (&source.reports, opened.project.revision()) {
            reports.applied(&self.environment.name, &revision.commit, state, summary);
        }
    }

    fn stands(&self, phase: Phase) {
        let mut state = self.environment.lock();
        state.phase = phase;
        (state.error, state.hint, state.retry_at) = (None, None, None);
    }

    fn failed(&self, phase: Phase, error: &EngineError) {
        self.says(phase, &error.to_string(), error.hints().into_iter().next());
    }

    fn says(&self, phase: Phase, error: &str, hint: Option<String>) {
        let scrubber = self.server.context.scrubber();
        let error = scrubber.clean(error);
        tracing::warn!(environment = %self.environment.name, ?phase, "{error}");
        let mut state = self.environment.lock();
        state.phase = phase;
        state.error = Some(error);
        state.hint = hint.map(|hint| scrubber.clean(hint));
    }
}

fn line(plan: &Plan) -> PlanLine {
    PlanLine {
        digest: plan.digest().to_string(),
        changes: plan.changes().count(),
    }
}
