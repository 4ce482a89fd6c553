//! The end of what a resolver was lent, and of what others left.

use std::sync::Arc;

use whimbrel_core::fault::{Fault, FaultClass};

use super::Resolver;
use crate::lease::{LeaseLeft, RecordedLease};
use crate::retry::persist;

impl Resolver {
    /// The leases that are held now.
    #[must_use]
    pub fn leases(&self) -> Vec<RecordedLease> {
        self.leases.records()
    }

    /// Ends every lease that is held, each with its backend's confirmation, and tells which couldn't be.
    pub async fn revoke_all(&self) -> Vec<LeaseLeft> {
        self.scrubbed_left(self.leases.revoke_all().await)
    }

    /// Ends leases that another run left, and tells which couldn't be. One that is over is fine, however often it is
    /// ended; one that is held here is told as left, for somebody uses it.
    pub async fn revoke_left(&self, left: &[RecordedLease]) -> Vec<LeaseLeft> {
        let held = self.leases.records();
        let mut endings = Vec::new();
        let mut failed = Vec::new();
        for record in left {
            let fault = match self.slots.get(&record.backend) {
                Some(_) if held.contains(record) => in_use(),
                Some(slot) => {
                    endings.push((record.clone(), Arc::clone(&slot.backend)));
                    continue;
                }
                None => no_backend(&record.backend),
            };
            failed.push(LeaseLeft {
                record: record.clone(),
                fault,
            });
        }
        failed.extend(self.leases.end(endings).await);
        self.scrubbed_left(failed)
    }

    /// Ends every lease and every login; nothing can be borrowed afterwards. Idempotent.
    pub async fn close(&self) -> Vec<LeaseLeft> {
        let ((), left) = tokio::join!(self.sweep.end(), self.leases.close());
        for (name, slot) in &self.slots {
            let budget = self.limits.revoke_time;
            let closed = persist(&*self.clock, &self.limits, budget, || slot.backend.close());
            if let Err(fault) = closed.await {
                let fault = self.scrubbed(fault);
                tracing::warn!(backend = %name, "the login couldn't be ended: {fault}");
            }
        }
        self.scrubbed_left(left)
    }

    pub(crate) fn scrubbed_left(&self, left: Vec<LeaseLeft>) -> Vec<LeaseLeft> {
        left.into_iter()
            .map(|left| LeaseLeft {
                fault: self.scrubbed(left.fault),
                ..left
            })
            .collect()
    }
}

fn in_use() -> Fault {
    Fault::new(
        FaultClass::Conflict,
        "secrets.in-use",
        "another connection of this program stands on it",
    )
}

pub(super) fn no_backend(name: &str) -> Fault {
    Fault::new(
        FaultClass::NotFound,
        "secrets.no-backend",
        format!("there is no secret backend called `{name}` any more"),
    )
    .with_hint("revoke its leases by hand, or wait until they are over")
}
