//! Ends leases: each with the store's word that what was lent can't be used any more, all within a bounded time.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use whimbrel_core::fault::{Fault, FaultClass, Retry};

use super::{LeaseLeft, LeaseState, LeaseTable, RecordedLease};
use crate::backend::Backend;

/// A lease and whoever can end it.
type Ending = (RecordedLease, Arc<dyn Backend>);

impl LeaseTable {
    /// Ends everything that is held, and tells what couldn't be ended.
    pub(crate) async fn revoke_all(&self) -> Vec<LeaseLeft> {
        let held = std::mem::take(&mut self.lock().held);
        let endings = held
            .into_iter()
            .map(|(record, entry)| {
                entry.renewal.abort();
                entry.state.send_replace(LeaseState::Gone);
                (record, entry.backend)
            })
            .collect();
        self.end(endings).await
    }

    /// Ends a lease when the last connection that stood on it gives it back.
    pub(crate) async fn give_back(&self, record: &RecordedLease) -> Option<LeaseLeft> {
        let entry = {
            let mut entries = self.lock();
            let entry = entries.held.get_mut(record)?;
            entry.sharers = entry.sharers.saturating_sub(1);
            if entry.sharers > 0 {
                return None;
            }
            entries.held.remove(record)?
        };
        entry.renewal.abort();
        entry.state.send_replace(LeaseState::Gone);
        let left = self.end(vec![(record.clone(), entry.backend)]).await;
        left.into_iter().next()
    }

    /// Takes nothing in any more, and ends everything that is held.
    pub(crate) async fn close(&self) -> Vec<LeaseLeft> {
        self.lock().closed = true;
        self.revoke_all().await
    }

    /// Ends leases, several at once. Those that time doesn't suffice for are told as left.
    pub(crate) async fn end(&self, endings: Vec<Ending>) -> Vec<LeaseLeft> {
        let mut open: BTreeMap<RecordedLease, Fault> = endings
            .iter()
            .map(|(record, _)| (record.clone(), unconfirmed()))
            .collect();
        let permits = self.limits.concurrent_revocations.max(1);
        let permits = Arc::new(Semaphore::new(permits));
        let mut tasks = JoinSet::new();
        for (record, backend) in endings {
            let (table, permits) = (self.clone(), Arc::clone(&permits));
            tasks.spawn(async move {
                // Nobody closes it.
                let _permit = permits.acquire().await;
                let result = table.revoke(&backend, &record).await;
                (record, result)
            });
        }
        let end = self.clock.sleep(self.limits.end_time);
        tokio::pin!(end);
        loop {
            tokio::select! {
                next = tasks.join_next() => match next {
                    Some(Ok((record, Ok(())))) => {
                        open.remove(&record);
                    }
                    Some(Ok((record, Err(fault)))) => {
                        open.insert(record, fault);
                    }
                    // A panic is no confirmation.
                    Some(Err(_)) => {}
                    None => break,
                },
                () = &mut end => break,
            }
        }
        let left = open.into_iter();
        left.map(|(record, fault)| LeaseLeft { record, fault })
            .collect()
    }
}

fn unconfirmed() -> Fault {
    let mut fault = Fault::new(
        FaultClass::Unavailable,
        "secrets.unconfirmed",
        "the backend didn't confirm in time that the lease is over",
    );
    fault.retry = Retry::Backoff;
    fault
}
