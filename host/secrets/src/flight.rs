//! One reading serves all who wait for the same secret, and for a while those who come after.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::sync::watch;
use whimbrel_core::environment::SecretReference;
use whimbrel_core::fault::{Fault, FaultClass};

use crate::backend::Secret;
use crate::clock::Clock;
use crate::lease::HeldLease;
use crate::limits::Limits;

/// A secret as it was read.
pub(crate) struct Reading {
    /// Counts the readings, so that a later one can be asked for.
    pub(crate) number: u64,
    pub(crate) secret: Secret,
    pub(crate) lease: Option<HeldLease>,
}

/// What becomes of a reading.
pub(crate) type Outcome = Result<Arc<Reading>, Arc<Fault>>;

/// Readings under way and readings kept, by what is read: a reference without its key.
pub(crate) struct Flights {
    clock: Arc<dyn Clock>,
    limits: Arc<Limits>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    count: u64,
    entries: HashMap<SecretReference, Entry>,
}

enum Entry {
    Flying(u64, watch::Receiver<Option<Outcome>>),
    Kept(Arc<Reading>, Instant),
}

/// What somebody who wants a secret is to do.
pub(crate) enum Boarding {
    /// It is there.
    Kept(Arc<Reading>),
    /// Somebody reads it.
    Waits(Flight),
    /// It must be read, under this number; the others wait for the outcome.
    Reads(watch::Sender<Option<Outcome>>, Flight),
}

/// A reading under way.
pub(crate) struct Flight {
    pub(crate) number: u64,
    outcome: watch::Receiver<Option<Outcome>>,
}

/// For how long a secret is still of use by then.
fn left(secret: &Secret, now: SystemTime) -> Duration {
    let end = secret.expires.map(Duration::from_millis);
    let end = end.and_then(|end| UNIX_EPOCH.checked_add(end));
    end.map_or(Duration::MAX, |end| {
        end.duration_since(now).unwrap_or_default()
    })
}

impl Flights {
    pub(crate) fn new(clock: Arc<dyn Clock>, limits: Arc<Limits>) -> Self {
        Self {
            clock,
            limits,
            state: Mutex::default(),
        }
    }

    /// Joins a reading that began after the one of a number, or begins one.
    pub(crate) fn board(&self, what: &SecretReference, newer_than: u64) -> Boarding {
        let now = self.clock.now();
        let mut state = self.lock();
        match state.entries.get(what) {
            Some(Entry::Kept(reading, until)) if reading.number > newer_than && now < *until => {
                return Boarding::Kept(Arc::clone(reading));
            }
            Some(Entry::Flying(number, outcome)) if *number > newer_than => {
                return Boarding::Waits(Flight {
                    number: *number,
                    outcome: outcome.clone(),
                });
            }
            _ => {}
        }
        state.count += 1;
        let number = state.count;
        let (sender, outcome) = watch::channel(None);
        let entry = Entry::Flying(number, outcome.clone());
        state.entries.insert(what.clone(), entry);
        Boarding::Reads(sender, Flight { number, outcome })
    }

    /// Waits for the outcome of a reading.
    pub(crate) async fn land(&self, what: &SecretReference, mut flight: Flight) -> Outcome {
        let outcome = flight.outcome.wait_for(Option::is_some).await;
        if let Ok(Some(outcome)) = outcome.as_deref() {
            return outcome.clone();
        }
        self.settle(what, flight.number, None);
        Err(Arc::new(Fault::new(
            FaultClass::Internal,
            "secrets.lost",
            "the reading ended without an outcome",
        )))
    }

    /// Notes that a reading is over, and keeps what may be kept.
    pub(crate) fn settle(
        &self,
        what: &SecretReference,
        number: u64,
        reading: Option<&Arc<Reading>>,
    ) {
        let now = self.clock.now();
        let mut state = self.lock();
        if !matches!(state.entries.get(what), Some(Entry::Flying(flying, _)) if *flying == number) {
            return;
        }
        state.entries.remove(what);
        let kept = reading
            .filter(|reading| reading.secret.version.is_some() && reading.secret.lease.is_none());
        if let Some(reading) = kept {
            let left = left(&reading.secret, self.clock.wall());
            let until = now + self.limits.cache_time.min(left);
            let entry = Entry::Kept(Arc::clone(reading), until);
            state.entries.insert(what.clone(), entry);
            self.make_room(&mut state, now);
        }
    }

    fn make_room(&self, state: &mut State, now: Instant) {
        state
            .entries
            .retain(|_, entry| !matches!(entry, Entry::Kept(_, until) if *until <= now));
        let mut kept: Vec<_> = state
            .entries
            .iter()
            .filter_map(|(what, entry)| match entry {
                Entry::Kept(reading, until) => Some((*until, reading.number, what.clone())),
                Entry::Flying(..) => None,
            })
            .collect();
        let surplus = kept.len().saturating_sub(self.limits.cache_entries);
        if surplus == 0 {
            return;
        }
        kept.sort_unstable_by_key(|(until, number, _)| (*until, *number));
        for (_, _, what) in kept.into_iter().take(surplus) {
            state.entries.remove(&what);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
