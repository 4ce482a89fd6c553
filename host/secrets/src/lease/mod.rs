//! The leases that are held: renewed while they are needed, ended when they aren't, and named so that a later run can
//! end what a crashed one left.

mod end;
mod renew;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio::task::AbortHandle;
use whimbrel_core::fault::{Fault, FaultClass};

use crate::backend::{Backend, Lease, LeaseId};
use crate::clock::Clock;
use crate::ledger::Pages;
use crate::limits::Limits;

/// A lease as it is recorded: enough to end it later, and no secret.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RecordedLease {
    /// The name that the environment gave the backend.
    pub backend: String,
    /// The lease's name as the backend knows it.
    pub lease: String,
}

/// How a lease stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaseState {
    /// It holds, and is renewed in time.
    Held,
    /// It holds until then and no longer: new credentials are needed before.
    EndsAt(Instant),
    /// It is over: new credentials are needed now.
    Gone,
}

/// A lease that somebody holds, and what becomes of it.
#[derive(Clone, Debug)]
pub struct HeldLease {
    /// What to record of it.
    pub record: RecordedLease,
    /// How it stands, and how it changes.
    pub state: watch::Receiver<LeaseState>,
}

/// A lease that couldn't be ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseLeft {
    /// Which one.
    pub record: RecordedLease,
    /// Why.
    pub fault: Fault,
}

/// Every lease that is held.
#[derive(Clone)]
pub(crate) struct LeaseTable {
    clock: Arc<dyn Clock>,
    limits: Arc<Limits>,
    /// Where they are noted for the case that this process is killed.
    pages: Option<Pages>,
    entries: Arc<Mutex<Entries>>,
}

#[derive(Default)]
struct Entries {
    held: BTreeMap<RecordedLease, Entry>,
    closed: bool,
}

struct Entry {
    backend: Arc<dyn Backend>,
    state: Arc<watch::Sender<LeaseState>>,
    renewal: AbortHandle,
    /// What was lent first.
    want: Duration,
    /// How many connections stand on it.
    sharers: usize,
}

impl LeaseTable {
    pub(crate) fn new(clock: Arc<dyn Clock>, limits: Arc<Limits>, pages: Option<Pages>) -> Self {
        Self {
            clock,
            limits,
            pages,
            entries: Arc::default(),
        }
    }

    /// Takes a lease in, and renews it from now on. One for which there is no room is ended at once.
    pub(crate) async fn hold(
        &self,
        name: &str,
        backend: &Arc<dyn Backend>,
        lease: &Lease,
    ) -> Result<HeldLease, Fault> {
        let record = RecordedLease {
            backend: name.to_owned(),
            lease: lease.id.0.clone(),
        };
        self.note(&record);
        let refusal = match self.admit(&record, backend, lease) {
            Ok(held) => return Ok(held),
            Err(refusal) => refusal,
        };
        // What nobody will use mustn't live on; that it can't be ended changes nothing about the refusal.
        let _ = self.revoke(backend, &record).await;
        Err(refusal)
    }

    fn admit(
        &self,
        record: &RecordedLease,
        backend: &Arc<dyn Backend>,
        lease: &Lease,
    ) -> Result<HeldLease, Fault> {
        let mut entries = self.lock();
        if entries.closed {
            return Err(closed());
        }
        if let Some(entry) = entries.held.get(record) {
            return Ok(HeldLease {
                record: record.clone(),
                state: entry.state.subscribe(),
            });
        }
        if entries.held.len() >= self.limits.leases {
            return Err(Fault::new(
                FaultClass::Unavailable,
                "secrets.leases",
                format!("{} leases are held already", self.limits.leases),
            )
            .with_hint("let fewer databases be worked on at once: `concurrency` in the policy"));
        }
        let (sender, state) = watch::channel(LeaseState::Held);
        let sender = Arc::new(sender);
        let task = renew::keep(
            self.clone(),
            record.clone(),
            Arc::clone(backend),
            lease.clone(),
            Arc::clone(&sender),
        );
        let entry = Entry {
            backend: Arc::clone(backend),
            state: sender,
            renewal: tokio::spawn(task).abort_handle(),
            want: lease.time_to_live,
            sharers: 0,
        };
        entries.held.insert(record.clone(), entry);
        Ok(HeldLease {
            record: record.clone(),
            state,
        })
    }

    /// What is held now, to be recorded.
    pub(crate) fn records(&self) -> Vec<RecordedLease> {
        self.lock().held.keys().cloned().collect()
    }

    /// Notes that one more connection stands on a lease.
    pub(crate) fn share(&self, record: &RecordedLease) {
        if let Some(entry) = self.lock().held.get_mut(record) {
            entry.sharers += 1;
        }
    }

    fn forget(&self, record: &RecordedLease) {
        self.strike(record);
        let removed = self.lock().held.remove(record);
        if let Some(entry) = removed {
            entry.backend.forget(&LeaseId(record.lease.clone()));
        }
    }

    /// Ends a lease. One that can't be ended stays noted for the next process.
    async fn revoke(
        &self,
        backend: &Arc<dyn Backend>,
        record: &RecordedLease,
    ) -> Result<(), Fault> {
        let budget = self.limits.revoke_time;
        let lease = LeaseId(record.lease.clone());
        let revoked = crate::retry::persist(&*self.clock, &self.limits, budget, || {
            backend.revoke(&lease)
        })
        .await;
        backend.forget(&lease);
        if revoked.is_ok() {
            self.strike(record);
        }
        revoked
    }

    fn note(&self, record: &RecordedLease) {
        if let Some(pages) = &self.pages {
            pages.note(record);
        }
    }

    fn strike(&self, record: &RecordedLease) {
        if let Some(pages) = &self.pages {
            pages.strike(record);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The fault of whoever asks after everything was ended.
pub(crate) fn closed() -> Fault {
    Fault::new(
        FaultClass::Cancelled,
        "secrets.closed",
        "the run has ended and gave its leases back",
    )
}

/// A share of a time, in hundredths.
fn percent(time: Duration, hundredths: u32) -> Duration {
    time.saturating_mul(hundredths) / 100
}
