//! What the status of an environment says, and when it is to be written.

use jiff::Timestamp;

use crate::api::{DatabaseStatus, EnvironmentStatus, Said, conditions};

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

/// Whether a status is to be written: it isn't what was seen, or not what this process wrote last. What was seen may be older
/// than that, and nobody looks again because of a status.
#[must_use]
pub fn is_news(
    seen: Option<&EnvironmentStatus>,
    wrote: Option<&EnvironmentStatus>,
    after: &EnvironmentStatus,
) -> bool {
    seen != Some(after) || wrote.is_some_and(|wrote| wrote != after)
}

#[cfg(test)]
mod tests {
    use super::is_news;
    use crate::api::EnvironmentStatus;

    #[test]
    fn a_status_that_was_overwritten_since_it_was_seen_is_written_again() {
        let status = |applied| EnvironmentStatus {
            applied,
            ..EnvironmentStatus::default()
        };
        let (one, other) = (status(1), status(2));
        assert!(is_news(None, None, &one));
        assert!(!is_news(Some(&one), None, &one));
        assert!(!is_news(Some(&one), Some(&one), &one));
        assert!(is_news(Some(&one), Some(&other), &one));
    }
}
