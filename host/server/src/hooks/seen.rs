//! Which deliveries were taken: hosts send one again when an answer got lost. Kept in memory only; one that is taken twice
//! costs a look.

use std::collections::{HashSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The ids of the newest deliveries.
pub(crate) struct Seen {
    most: usize,
    ids: Mutex<Ids>,
}

#[derive(Default)]
struct Ids {
    known: HashSet<String>,
    order: VecDeque<String>,
}

impl Seen {
    pub(crate) fn new(most: usize) -> Self {
        Self {
            most,
            ids: Mutex::default(),
        }
    }

    /// Whether a delivery was taken.
    pub(crate) fn knows(&self, id: &str) -> bool {
        self.lock().known.contains(id)
    }

    /// Notes that a delivery was taken; the oldest is forgotten where there are too many.
    pub(crate) fn remember(&self, id: &str) {
        let mut ids = self.lock();
        if ids.known.insert(id.to_owned()) {
            ids.order.push_back(id.to_owned());
        }
        while ids.order.len() > self.most {
            if let Some(oldest) = ids.order.pop_front() {
                ids.known.remove(&oldest);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Ids> {
        self.ids.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::Seen;

    #[test]
    fn the_oldest_is_forgotten() {
        let seen = Seen::new(2);
        for id in ["a", "b", "b", "c"] {
            seen.remember(id);
        }
        assert!(!seen.knows("a") && seen.knows("b") && seen.knows("c"));
        let ids = seen.lock();
        assert_eq!((ids.known.len(), ids.order.len()), (2, 2));
    }
}
