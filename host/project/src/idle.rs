//! Connections that only read, kept for a moment: who asks the same database again soon needs no new one.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use whimbrel_core::statement::Dialect;
use whimbrel_database::{Endpoint, Session, SessionSettings};

use crate::Connected;

/// How long one is kept. A server doesn't drop a database while somebody is connected to it, and waits some seconds for that.
const MOMENT: Duration = Duration::from_millis(250);

/// Connections to servers that nobody uses now. Files cost nothing to open again, and one that isn't there yet may be soon.
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
        };
        let place = all.iter().position(is_it)?;
        Some(all.swap_remove(place).connected.session)
    }

    /// Keeps one for a moment, unless its user is only lent.
    pub(crate) fn keep(&self, connected: Connected, settings: SessionSettings) {
        let is_server = connected.endpoint.dialect() == Dialect::Postgres;
        if !is_server || !connected.lent.leases().is_empty() || connected.session.in_transaction() {
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
