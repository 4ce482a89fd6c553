//! Renews one lease until it is over: when two thirds of its time have passed, a little sooner by chance.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use uuid::Uuid;
use whimbrel_core::fault::Fault;

use super::{LeaseState, LeaseTable, RecordedLease, percent};
use crate::backend::{Backend, Lease, LeaseId, Renewal};
use crate::retry::persist;

/// Keeps a lease until it is over, and tells its holders.
pub(super) async fn keep(
    table: LeaseTable,
    record: RecordedLease,
    backend: Arc<dyn Backend>,
    mut lease: Lease,
    state: Arc<watch::Sender<LeaseState>>,
) {
    // What was lent first is what is asked for again: a store grants less, never more.
    let want = lease.time_to_live;
    loop {
        let end = table.clock.now() + lease.time_to_live;
        let wait = table.moment(lease.time_to_live);
        table.clock.sleep(wait).await;
        let renewed = if lease.renewable && !lease.time_to_live.is_zero() {
            table.renew(&backend, &lease.id, want, end).await
        } else {
            None
        };
        match renewed {
            Some(Renewal::Renewed(next)) => {
                state.send_replace(LeaseState::Held);
                lease = next;
            }
            Some(Renewal::Truncated(last)) => {
                let end = table.clock.now() + last.time_to_live;
                table.last(&state, end).await;
                break;
            }
            Some(Renewal::Gone) => break,
            None => {
                table.last(&state, end).await;
                break;
            }
        }
    }
    state.send_replace(LeaseState::Gone);
    table.forget(&record);
}

impl LeaseTable {
    /// When to renew what was lent for so long.
    fn moment(&self, time_to_live: Duration) -> Duration {
        let [low, high, ..] = Uuid::new_v4().into_bytes();
        let chance = f64::from(u16::from_le_bytes([low, high])) / f64::from(u16::MAX);
        let horizon = time_to_live * 2 / 3;
        let jitter = percent(horizon, self.limits.renew_jitter_percent);
        horizon.saturating_sub(jitter.mul_f64(chance))
    }

    /// Renews; none when it couldn't be done in time or was refused.
    async fn renew(
        &self,
        backend: &Arc<dyn Backend>,
        lease: &LeaseId,
        want: Duration,
        end: Instant,
    ) -> Option<Renewal> {
        let left = end.saturating_duration_since(self.clock.now());
        // After that the holder needs what is left to get new credentials.
        let budget = left.saturating_sub(percent(want, self.limits.notice_percent));
        let renewal = || backend.renew(lease, want);
        let result: Result<Renewal, Fault> =
            persist(&*self.clock, &self.limits, budget, renewal).await;
        result.ok()
    }

    /// Asks whoever lent it whether it still holds, by renewing it now.
    pub(crate) async fn ask(&self, record: &RecordedLease) {
        let (backend, state, want) = {
            let entries = self.lock();
            let Some(entry) = entries.held.get(record) else {
                return;
            };
            (
                Arc::clone(&entry.backend),
                Arc::clone(&entry.state),
                entry.want,
            )
        };
        let id = LeaseId(record.lease.clone());
        let renewed = persist(&*self.clock, &self.limits, self.limits.attempt_time, || {
            backend.renew(&id, want)
        });
        match renewed.await {
            Ok(Renewal::Gone) => {
                state.send_replace(LeaseState::Gone);
                self.strike(record);
                if let Some(entry) = self.lock().held.remove(record) {
                    entry.renewal.abort();
                }
            }
            Ok(Renewal::Truncated(last)) => {
                let end = self.clock.now() + last.time_to_live;
                state.send_replace(LeaseState::EndsAt(end));
            }
            // What nobody can tell is as it was.
            Ok(Renewal::Renewed(_)) | Err(_) => {}
        }
    }

    /// Tells that it ends, and waits until it does.
    async fn last(&self, state: &watch::Sender<LeaseState>, end: Instant) {
        state.send_replace(LeaseState::EndsAt(end));
        let left = end.saturating_duration_since(self.clock.now());
        self.clock.sleep(left).await;
    }
}
