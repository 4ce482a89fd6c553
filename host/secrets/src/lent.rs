//! What was lent to one connection: how it stands, and its end.

use crate::Resolver;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::lease::{HeldLease, LeaseLeft, LeaseState, RecordedLease};

/// The leases that a connection's credentials stand on. Connections that waited for the same reading share one; it is
/// ended when the last of them ends its own. Empty for credentials that nobody lent.
pub struct Lent {
    resolver: Resolver,
    leases: Vec<HeldLease>,
    ended: AtomicBool,
}

impl Lent {
    pub(crate) fn new(resolver: Resolver, mut leases: Vec<HeldLease>) -> Self {
        leases.sort_by(|one, other| one.record.cmp(&other.record));
        Self {
            resolver,
            leases,
            ended: AtomicBool::new(false),
        }
    }

    /// What to record of them before they are used.
    #[must_use]
    pub fn records(&self) -> Vec<RecordedLease> {
        let leases = self.leases.iter();
        leases.map(|lease| lease.record.clone()).collect()
    }

    /// Each with what becomes of it.
    #[must_use]
    pub fn leases(&self) -> &[HeldLease] {
        &self.leases
    }

    /// How they stand, as far as is known without asking: as the one that is over first.
    #[must_use]
    pub fn state(&self) -> LeaseState {
        let states = self.leases.iter().map(|lease| *lease.state.borrow());
        states.reduce(sooner).unwrap_or(LeaseState::Held)
    }

    /// How they stand, asking whoever lent them: because what they allowed was refused. One that can't be renewed can't
    /// be asked about.
    pub async fn ask(&self) -> LeaseState {
        for lease in &self.leases {
            self.resolver.table().ask(&lease.record).await;
        }
        self.state()
    }

    /// Ends what nobody else stands on, once the connection is closed; tells what couldn't be ended. Idempotent.
    pub async fn end(&self) -> Vec<LeaseLeft> {
        let mut left = Vec::new();
        if self.ended.swap(true, Ordering::Relaxed) {
            return left;
        }
        for lease in &self.leases {
            left.extend(self.resolver.table().give_back(&lease.record).await);
        }
        self.resolver.scrubbed_left(left)
    }
}

fn sooner(one: LeaseState, other: LeaseState) -> LeaseState {
    match (one, other) {
        (LeaseState::Gone, _) | (_, LeaseState::Gone) => LeaseState::Gone,
        (LeaseState::EndsAt(one), LeaseState::EndsAt(other)) => LeaseState::EndsAt(one.min(other)),
        (ends @ LeaseState::EndsAt(_), LeaseState::Held)
        | (LeaseState::Held, ends @ LeaseState::EndsAt(_)) => ends,
        (LeaseState::Held, LeaseState::Held) => LeaseState::Held,
    }
}
