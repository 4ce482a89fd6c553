//! An environment that is kept: how it stands, and who may give it orders.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use jiff::Timestamp;
use serde::Serialize;
use tokio::sync::{Notify, mpsc, oneshot};
use whimbrel_core::gate::{Gate, Refusal};
use whimbrel_signal::{Scrubbed, Scrubber};

use crate::audience::Stand;
use crate::desired::Desired;
use crate::drift::Drift;
use crate::look::Commit;
use crate::problem::Problem;
use crate::readiness::Readiness;
use crate::said::Said;
use crate::source::{Freshness, Source};

/// What an environment is waiting for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Phase {
    /// It hasn't been planned yet.
    Starting,
    /// Nothing is pending.
    Current,
    /// A run goes on.
    Applying,
    /// Gates say no: an approval, a window, a promotion.
    Waiting,
    /// The plan can't be run at all.
    Blocked,
    /// What was tried failed, and is tried again when something changes or somebody asks.
    Failed,
    /// Somebody reverted by hand what is pending: it stays so until something changes or somebody asks.
    Held,
    /// It couldn't be read or reached, or somebody else holds it: tried again by itself.
    Retrying,
}

/// What is asked of an environment.
#[derive(Clone, Debug)]
pub(crate) enum Goal {
    Apply,
    Revert(Vec<String>),
}

/// An order, with whom to tell.
pub(crate) struct Order {
    pub(crate) goal: Goal,
    /// The digest of the plan that was looked at.
    pub(crate) plan: String,
    pub(crate) destructive_confirmed: bool,
    /// The commit that the plan is of; the newest one if absent.
    pub(crate) revision: Option<Commit>,
    /// What is said in place of the environment's documents.
    pub(crate) said: Option<Said>,
    pub(crate) by: String,
    pub(crate) answer: oneshot::Sender<Result<Accepted, Problem>>,
}

/// What became of an order so far.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Accepted {
    pub(crate) plan: String,
    /// The run; absent when there was nothing to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) run: Option<String>,
}

/// How an environment stands.
pub(crate) struct State {
    pub(crate) desired: Option<Arc<Desired>>,
    pub(crate) phase: Phase,
    /// The revision that was planned last, which everything below is about.
    pub(crate) revision: Option<String>,
    /// Why the newest revision couldn't be read.
    pub(crate) unread: Option<Unread>,
    pub(crate) plan: Option<PlanLine>,
    pub(crate) gates: Vec<GateView>,
    pub(crate) error: Option<Scrubbed>,
    pub(crate) hint: Option<Scrubbed>,
    pub(crate) retry_at: Option<Timestamp>,
    pub(crate) last_run: Option<String>,
    pub(crate) checked_at: Option<Timestamp>,
    pub(crate) drift: Option<Drift>,
}

/// Why the newest revision couldn't be read.
#[derive(Clone, Debug)]
pub(crate) struct Unread {
    pub(crate) freshness: Freshness,
    pub(crate) error: Scrubbed,
}

/// What is to be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Every database.
    Everything,
    /// Those for which what was pushed may change something.
    Changes,
}

/// A plan in short.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct PlanLine {
    pub(crate) digest: String,
    pub(crate) changes: usize,
}

/// A gate's no, as it is shown.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct GateView {
    gate: Gate,
    message: Scrubbed,
    hint: Scrubbed,
}

impl GateView {
    pub(crate) fn new(refusal: &Refusal, scrubber: &Scrubber) -> Self {
        Self {
            gate: refusal.gate,
            message: scrubber.clean(&refusal.message),
            hint: scrubber.clean(&refusal.hint),
        }
    }
}

/// An environment that is kept.
pub(crate) struct Environment {
    pub(crate) name: String,
    pub(crate) source: Arc<Source>,
    pub(crate) stand: Stand,
    pub(crate) readiness: Readiness,
    woken: Notify,
    is_woken: AtomicBool,
    /// Whether somebody asked to look at everything.
    is_whole: AtomicBool,
    gone: AtomicBool,
    orders: mpsc::Sender<Order>,
    state: Mutex<State>,
}

/// An environment as it is shown.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EnvironmentView {
    name: String,
    source: String,
    phase: Phase,
    #[serde(skip_serializing_if = "Option::is_none")]
    revision: Option<String>,
    /// The newest one that could be read; another one than `revision` until it is planned.
    #[serde(skip_serializing_if = "Option::is_none")]
    desired_revision: Option<String>,
    sync_status: Freshness,
    #[serde(skip_serializing_if = "Option::is_none")]
    sync_error: Option<Scrubbed>,
    /// How old what is served is, while it is not fresh.
    #[serde(skip_serializing_if = "Option::is_none")]
    revision_age_seconds: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    plan: Option<PlanLine>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    gates: Vec<GateView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Scrubbed>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<Scrubbed>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_run: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    checked_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    drift: Option<Drift>,
}

impl Environment {
    pub(crate) fn new(
        name: String,
        source: Arc<Source>,
        stand: Stand,
        readiness: Readiness,
        orders: mpsc::Sender<Order>,
    ) -> Self {
        Self {
            name,
            source,
            stand,
            readiness,
            woken: Notify::new(),
            // Its first look waits as well.
            is_woken: AtomicBool::new(true),
            is_whole: AtomicBool::new(true),
            gone: AtomicBool::new(false),
            orders,
            state: Mutex::new(State {
                desired: None,
                phase: Phase::Starting,
                revision: None,
                unread: None,
                plan: None,
                gates: Vec::new(),
                error: None,
                hint: None,
                retry_at: None,
                last_run: None,
                checked_at: None,
                drift: None,
            }),
        }
    }

    /// Gives an order.
    pub(crate) fn order(&self, order: Order) -> Result<(), Problem> {
        if self.lock().phase == Phase::Applying {
            return Err(
                Problem::conflict("running", format!("a run goes on in `{}`", self.name))
                    .hint("ask again when it is over"),
            );
        }
        self.orders
            .try_send(order)
            .map_err(|_| Problem::busy(format!("too many orders wait for `{}`", self.name)))
    }

    /// Asks its loop to look again.
    pub(crate) fn wake(&self, reach: Reach) {
        if reach == Reach::Everything {
            self.is_whole.store(true, Ordering::Relaxed);
        }
        self.is_woken.store(true, Ordering::Relaxed);
        self.woken.notify_one();
    }

    /// Until somebody asks to look again.
    pub(crate) async fn woken(&self) {
        self.woken.notified().await;
    }

    /// Its loop looks; at what it was asked to.
    pub(crate) fn begin(&self) -> Reach {
        self.is_woken.store(false, Ordering::Relaxed);
        if self.is_whole.swap(false, Ordering::Relaxed) {
            Reach::Everything
        } else {
            Reach::Changes
        }
    }

    /// How many pieces of work wait for its loop.
    pub(crate) fn waiting(&self) -> usize {
        let orders = self.orders.max_capacity() - self.orders.capacity();
        orders + usize::from(self.is_woken.load(Ordering::Relaxed))
    }

    /// Says that nobody keeps it any more.
    pub(crate) fn forget(&self) {
        self.gone.store(true, Ordering::Relaxed);
        self.wake(Reach::Everything);
    }

    pub(crate) fn is_gone(&self) -> bool {
        self.gone.load(Ordering::Relaxed)
    }

    /// The last good revision.
    pub(crate) fn desired(&self) -> Option<Arc<Desired>> {
        self.lock().desired.clone()
    }

    pub(crate) fn view(&self) -> EnvironmentView {
        let stale = self.source.error();
        let state = self.lock();
        let (sync_status, sync_error) = match (&state.unread, stale) {
            (Some(unread), _) => (unread.freshness, Some(unread.error.clone())),
            (None, Some(error)) => (Freshness::Stale, Some(error)),
            (None, None) if state.desired.is_none() => (Freshness::Unknown, None),
            (None, None) => (Freshness::Fresh, None),
        };
        let desired = state.desired.as_ref();
        let age = desired.map(|desired| Instant::now().duration_since(desired.at).as_secs());
        EnvironmentView {
            name: self.name.clone(),
            source: self.source.name.clone(),
            phase: state.phase,
            revision: state.revision.clone(),
            desired_revision: desired.and_then(|desired| desired.revision()),
            sync_status,
            revision_age_seconds: age.filter(|_| sync_error.is_some()),
            sync_error,
            plan: state.plan.clone(),
            gates: state.gates.clone(),
            error: state.error.clone(),
            hint: state.hint.clone(),
            retry_at: state.retry_at,
            last_run: state.last_run.clone(),
            checked_at: state.checked_at,
            drift: state.drift,
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
