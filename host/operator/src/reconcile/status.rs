//! What the status of an environment says, and when it is to be written.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;

use crate::api::{DatabaseStatus, EnvironmentStatus, MigrationStatus, Said, conditions};

/// What the databases of an environment were found to hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Each of them.
    pub databases: Vec<DatabaseStatus>,
    /// How many migrations are applied, pending and failed over all of them.
    pub sums: [u32; 3],
    /// The commit that was planned from.
    pub revision: Option<String>,
    /// The digest of what is to be done; none when nothing is.
    pub plan: Option<String>,
}

/// How an environment stands. Where its databases weren't asked, what was found before still stands there.
#[must_use]
pub fn environment_status(
    before: &EnvironmentStatus,
    said: &[Said],
    found: Option<Found>,
    generation: i64,
    request: Option<&str>,
    now: Timestamp,
) -> EnvironmentStatus {
    let mut after = EnvironmentStatus {
        observed_generation: generation,
        conditions: conditions(&before.conditions, said, generation, now),
        last_handled_request: request.map(str::to_owned),
        ..before.clone()
    };
    if let Some(found) = found {
        after.databases = found.databases;
        [after.applied, after.pending, after.failed] = found.sums;
        (after.revision, after.plan) = (found.revision, found.plan);
    }
    after
}

/// A status as this process has written it last of one object.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Last<S> {
    /// What it says.
    pub status: S,
    /// Whether the API server said that it has it. A request that gets lost and an answer that does look the same: nobody
    /// knows what stands there then.
    pub is_sure: bool,
}

impl<S> Last<S> {
    /// It is written now.
    pub const fn tried(status: S) -> Self {
        Self {
            status,
            is_sure: false,
        }
    }
}

/// Whether a status is to be written: it isn't what was seen, or not what this process wrote last, or it isn't known whether
/// that got there. What was seen may be older than that, and nobody looks again because of a status.
#[must_use]
pub fn is_news<S: PartialEq>(seen: Option<&S>, wrote: Option<&Last<S>>, after: &S) -> bool {
    seen != Some(after) || wrote.is_some_and(|wrote| !wrote.is_sure || wrote.status != *after)
}

/// The statuses of migrations that this process has written and not seen yet, by the uid of their object. There may be
/// thousands of migrations, and only those are kept that are on their way.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Unseen(BTreeMap<String, Last<MigrationStatus>>);

impl Unseen {
    /// One is written now.
    pub fn add(&mut self, uid: &str, status: &MigrationStatus) {
        let last = Last::tried(status.clone());
        self.0.insert(uid.to_owned(), last);
    }

    /// The API server has the one that was written last.
    pub fn hear(&mut self, uid: &str) {
        if let Some(last) = self.0.get_mut(uid) {
            last.is_sure = true;
        }
    }

    /// Whether a status is to be written, as [`is_news`] says.
    pub fn is_news(
        &mut self,
        uid: &str,
        seen: Option<&MigrationStatus>,
        after: &MigrationStatus,
    ) -> bool {
        let wrote = self.0.get(uid);
        let is_news = is_news(seen, wrote, after);
        if wrote.is_some_and(|wrote| wrote.is_sure && Some(&wrote.status) == seen) {
            self.0.remove(uid);
        }
        is_news
    }
}

/// What this process has written last of an environment: the store may not know it yet.
#[derive(Debug, Default)]
pub struct Wrote {
    /// Of itself.
    pub environment: Option<Last<EnvironmentStatus>>,
    /// The uids of migrations that are gone: nothing more is to be written of them.
    pub gone: BTreeSet<String>,
    /// Of its migrations.
    migrations: Mutex<Unseen>,
    /// Whether the API server took anything since somebody asked.
    has_taken: AtomicBool,
}

impl Wrote {
    /// Of its migrations.
    pub fn migrations(&self) -> MutexGuard<'_, Unseen> {
        let migrations = self.migrations.lock();
        migrations.unwrap_or_else(PoisonError::into_inner)
    }

    /// The API server has taken a write.
    pub fn taken(&self) {
        self.has_taken.store(true, Ordering::Relaxed);
    }

    /// Whether it has taken any since this was asked last.
    pub fn has_taken(&self) -> bool {
        self.has_taken.swap(false, Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::{Last, Unseen, is_news};
    use crate::api::{EnvironmentStatus, MigrationStatus};

    #[test]
    fn a_written_status_is_remembered_until_it_is_seen() {
        let status = |generation| MigrationStatus {
            observed_generation: generation,
            ..MigrationStatus::default()
        };
        let (one, other) = (status(1), status(2));
        let mut unseen = Unseen::default();
        assert!(!unseen.is_news("a", Some(&one), &one));
        unseen.add("a", &other);
        unseen.hear("a");
        // What is seen is older than what was written.
        assert!(unseen.is_news("a", Some(&one), &one));
        assert!(!unseen.is_news("a", Some(&other), &other));
        // Once it was seen, what is seen later counts.
        assert!(!unseen.is_news("a", Some(&one), &one));
        assert_eq!(unseen, Unseen::default());
    }

    #[test]
    fn what_nobody_knows_to_be_there_is_written_again() {
        let status = MigrationStatus::default();
        let mut unseen = Unseen::default();
        unseen.add("a", &status);
        // What is seen may be what was there before another one that is seen later.
        for _ in 0..2 {
            assert!(unseen.is_news("a", Some(&status), &status));
        }
        unseen.hear("a");
        assert!(!unseen.is_news("a", Some(&status), &status));
        let tried = Last::tried(status.clone());
        assert!(is_news(Some(&status), Some(&tried), &status));
    }

    #[test]
    fn a_status_that_was_overwritten_since_it_was_seen_is_written_again() {
        let status = |applied| EnvironmentStatus {
            applied,
            ..EnvironmentStatus::default()
        };
        let (one, other) = (status(1), status(2));
        let sure = |status: &EnvironmentStatus| Last {
            status: status.clone(),
            is_sure: true,
        };
        assert!(is_news(None, None, &one));
        assert!(!is_news(Some(&one), None, &one));
        assert!(!is_news(Some(&one), Some(&sure(&one)), &one));
        assert!(is_news(Some(&one), Some(&sure(&other)), &one));
    }
}
