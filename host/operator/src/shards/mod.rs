//! Which replica works on what: environments and sources are spread over shards by their names, and each shard has a Lease.
//!
//! Who doesn't hold the Lease of a shard begins nothing in it. What was begun goes on, whatever becomes of the Lease: a
//! statement in flight is held to the database's lock and fence, and never cut because the API server was away.

mod balance;
mod contender;
mod identity;
mod keep;
mod lease;

use std::num::NonZeroU16;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sha2::{Digest as _, Sha256};
use tokio::sync::{Notify, watch};

pub use identity::identity;
pub use keep::keep;
pub use lease::Leases;

use contender::{Contender, Terms};
use lease::Subject;

/// The shards of a namespace, as this replica holds them.
pub struct Shards {
    me: String,
    number: u16,
    terms: Terms,
    began: Instant,
    all: Mutex<Vec<Shard>>,
    /// Sent to whenever others are held than before.
    changed: watch::Sender<()>,
    /// Rung when nothing of a shard is in work any more.
    idle: Notify,
}

#[derive(Default)]
struct Shard {
    contender: Contender,
    /// Since when it is being given up: nothing is begun in it any more.
    leaves: Option<Duration>,
    /// How many looks at something of it go on.
    in_work: usize,
}

/// A look at something of a shard. As long as it lives, the shard isn't given up, unless it takes long.
pub struct Work {
    shards: Arc<Shards>,
    shard: usize,
}

impl Shards {
    /// A number of shards, none of which is held yet. A Lease that isn't renewed for the duration is taken by another replica.
    pub fn new(number: NonZeroU16, me: String, duration: Duration) -> Arc<Self> {
        let all = std::iter::repeat_with(Shard::default).take(usize::from(number.get()));
        Arc::new(Self {
            me,
            number: number.get(),
            terms: Terms {
                duration,
                deadline: duration * 2 / 3,
            },
            began: Instant::now(),
            all: Mutex::new(all.collect()),
            changed: watch::Sender::new(()),
            idle: Notify::new(),
        })
    }

    /// By which name this replica is known in Leases.
    pub fn me(&self) -> &str {
        &self.me
    }

    /// Whether work may be begun on what has this name.
    pub fn is_held(&self, name: &str) -> bool {
        let all = self.lock();
        let shard = all.get(shard_of(name, all.len()));
        shard.is_some_and(|shard| shard.may_begin(self.terms, self.now()))
    }

    /// Begins a look at what has this name; none when it isn't held.
    pub fn begin(self: &Arc<Self>, name: &str) -> Option<Work> {
        let mut all = self.lock();
        let place = shard_of(name, all.len());
        let shard = all.get_mut(place)?;
        if !shard.may_begin(self.terms, self.now()) {
            return None;
        }
        shard.in_work += 1;
        Some(Work {
            shards: Arc::clone(self),
            shard: place,
        })
    }

    /// Until work on what has this name may not be begun.
    pub async fn lost(&self, name: &str) {
        let mut changes = self.changes();
        // The sender lives as long as `self`, so waiting can't fail.
        while self.is_held(name) {
            let _ = changes.changed().await;
        }
    }

    /// Hears whenever other shards are held than before.
    pub fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    fn subject(&self, place: usize) -> Subject {
        let of = self.number;
        Subject::Shard { place, of }
    }

    /// Whether any is being given up.
    fn is_leaving(&self) -> bool {
        self.lock().iter().any(|shard| shard.leaves.is_some())
    }

    fn now(&self) -> Duration {
        self.began.elapsed()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Shard>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shard {
    fn may_begin(&self, terms: Terms, now: Duration) -> bool {
        self.leaves.is_none() && self.contender.may_begin(terms, now)
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        if let Some(shard) = self.shards.lock().get_mut(self.shard) {
            shard.in_work = shard.in_work.saturating_sub(1);
            if shard.in_work == 0 {
                self.shards.idle.notify_one();
            }
        }
    }
}

/// The shard of a name, of so many: the first eight bytes of its SHA-256, the same in every process and version.
fn shard_of(name: &str, number: usize) -> usize {
    let hash = Sha256::digest(name.as_bytes());
    let first = hash.iter().take(8);
    let hash = first.fold(0_u64, |hash, byte| hash << 8 | u64::from(*byte));
    let number = u64::try_from(number).unwrap_or(1).max(1);
    usize::try_from(hash % number).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU16;
    use std::time::Duration;

    use super::{Shards, shard_of};

    #[test]
    fn a_name_is_always_of_the_same_shard_and_shards_are_alike() {
        // Another number here would move every environment at an upgrade.
        assert_eq!(shard_of("production", 4), 1);
        assert_eq!(shard_of("production", 1), 0);
        let mut counts = [0; 4];
        for number in 0..1_000 {
            counts[shard_of(&format!("environment-{number}"), 4)] += 1;
        }
        assert!(
            counts.iter().all(|count| (200..300).contains(count)),
            "{counts:?}"
        );
    }

    #[test]
    fn nothing_is_begun_before_a_shard_is_held_while_it_is_given_up_or_when_its_lease_is_old() {
        let shards = Shards::new(NonZeroU16::MIN, "a".to_owned(), Duration::from_secs(60));
        assert!(shards.begin("dev").is_none());
        shards.lock()[0].contender.wrote(shards.now());
        let work = shards.begin("dev").unwrap();
        assert_eq!(shards.lock()[0].in_work, 1);
        shards.lock()[0].leaves = Some(shards.now());
        assert!(!shards.is_held("dev"));
        assert!(shards.begin("dev").is_none());
        drop(work);
        assert_eq!(shards.lock()[0].in_work, 0);
        let short = Shards::new(NonZeroU16::MIN, "a".to_owned(), Duration::from_millis(3));
        short.lock()[0].contender.wrote(short.now());
        std::thread::sleep(Duration::from_millis(5));
        assert!(!short.is_held("dev"));
    }
}
