//! Connections that only read, kept for a moment: who asks the same database again soon needs no new one.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use whimbrel_database::{Endpoint, Session, SessionSettings};

use crate::Connected;

/// How long one is kept. A server doesn't drop a database while somebody is connected to it, and waits some seconds for that.
const MOMENT: Duration = Duration::from_millis(250);

/// Connections that nobody uses now. One to a file costs the reading of its whole schema; one to a file that isn't there
/// yet isn't kept, because it may be there soon.
#[derive(Clone, Default)]
pub struct Idle(Arc<Mutex<Vec<Resting>>>);

struct Resting {
    settings: SessionSettings,
    connected: Connected,
    since: Instant,
}

impl Idle {
    /// One that leads to the same place, as the same user with the same password, and behaves the same.
    pub(crate) fn take(
        &self,
        endpoint: &Endpoint,
        settings: &SessionSettings,
    ) -> Option<Box<dyn Session>> {
        let mut all = self.all();
        let is_it = |resting: &Resting| {
            resting.settings == *settings
                && resting.connected.endpoint.is_same(endpoint)
                && !resting.connected.session.is_closed()
                && resting.connected.session.is_current()
        };
        let place = all.iter().position(is_it)?;
        Some(all.swap_remove(place).connected.session)
    }

    /// Keeps one for a moment, unless its user is only lent.
    pub(crate) fn keep(&self, connected: Connected, settings: SessionSettings) {
        let session = &connected.session;
        if !session.is_current() || !connected.lent.leases().is_empty() || session.in_transaction()
        {
            return;
        }
        self.all().push(Resting {
            settings,
            connected,
            since: Instant::now(),
        });
        let idle = self.clone();
        tokio::spawn(async move {
            tokio::time::sleep(MOMENT).await;
            idle.all()
                .retain(|resting| resting.since.elapsed() < MOMENT);
        });
    }

    fn all(&self) -> MutexGuard<'_, Vec<Resting>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
