//! Which deliveries were taken: hosts send one again when an answer got lost. Kept in memory only; one that is taken twice
//! costs a look.

use std::collections::{HashSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use whimbrel_core::digest::Digest;

/// The deliveries of the last days, each by a digest of its id, which names its host as well: however long a host's ids are,
/// they take as much memory as there may be deliveries.
pub(crate) struct Seen {
    time: Duration,
    most: usize,
    ids: Mutex<Ids>,
}

#[derive(Default)]
struct Ids {
    known: HashSet<Digest>,
    order: VecDeque<(Instant, Digest)>,
}

impl Seen {
    /// Remembers deliveries for so long, and no more of them at once.
    pub(crate) fn new(time: Duration, most: usize) -> Self {
        Self {
            time,
            most,
            ids: Mutex::default(),
        }
    }

    /// Whether a delivery was taken.
    pub(crate) fn knows(&self, id: &str, now: Instant) -> bool {
        let mut ids = self.lock();
        self.forget(&mut ids, now);
        ids.known.contains(&Digest::of(id.as_bytes()))
    }

    /// Notes that a delivery was taken; the oldest is forgotten where there are too many.
    pub(crate) fn remember(&self, id: &str, now: Instant) {
        let id = Digest::of(id.as_bytes());
        let mut ids = self.lock();
        if ids.known.insert(id) {
            ids.order.push_back((now, id));
        }
        self.forget(&mut ids, now);
    }

    fn forget(&self, ids: &mut Ids, now: Instant) {
        while let Some((taken, oldest)) = ids.order.front() {
            let is_old = now.saturating_duration_since(*taken) >= self.time;
            if !is_old && ids.order.len() <= self.most {
                return;
            }
            ids.known.remove(oldest);
            ids.order.pop_front();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Ids> {
        self.ids.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::Seen;
    use crate::limits::Limits;

    const HOUR: Duration = Duration::from_secs(3_600);

    #[test]
    fn the_oldest_is_forgotten_where_there_are_too_many() {
        let (seen, now) = (Seen::new(HOUR, 2), Instant::now());
        for id in ["a", "b", "b", "c"] {
            seen.remember(id, now);
        }
        assert!(!seen.knows("a", now) && seen.knows("b", now) && seen.knows("c", now));
        let ids = seen.lock();
        assert_eq!((ids.known.len(), ids.order.len()), (2, 2));
    }

    #[test]
    fn a_delivery_is_known_for_three_days_whatever_else_comes() {
        let limits = Limits::default();
        let seen = Seen::new(limits.deliveries_time, limits.deliveries_remembered);
        let begun = Instant::now();
        seen.remember("first", begun);
        // More than 4,096 in three days: a busy repository.
        for number in 0..72 * 100 {
            seen.remember(&number.to_string(), begun + HOUR * (number / 100));
        }
        assert!(seen.knows("first", begun + HOUR * 71));
        assert!(!seen.knows("first", begun + HOUR * 72));
        // What is old takes no memory.
        assert!(!seen.knows("0", begun + HOUR * 500));
        let ids = seen.lock();
        assert_eq!((ids.known.len(), ids.order.len()), (0, 0));
    }
}
