//! How many series there may be.

use std::sync::atomic::{AtomicUsize, Ordering};

/// How many series there may be, and how many there are.
pub(super) struct Room {
    limit: usize,
    taken: AtomicUsize,
}

impl Room {
    /// Room for so many.
    pub(super) const fn new(limit: usize) -> Self {
        Self {
            limit,
            taken: AtomicUsize::new(0),
        }
    }

    /// Takes so many, if they are to be had.
    pub(super) fn take(&self, count: usize) -> bool {
        let update = |taken: usize| {
            let sum = taken.saturating_add(count);
            (sum <= self.limit).then_some(sum)
        };
        self.taken
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, update)
            .is_ok()
    }

    /// Gives so many back.
    pub(super) fn give_back(&self, count: usize) {
        let update = |taken: usize| Some(taken.saturating_sub(count));
        let _ = self
            .taken
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, update);
    }
}
