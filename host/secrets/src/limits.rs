//! Every timeout, limit and retry of secrets, in one table with its reason.

use std::time::Duration;

/// The bounds of a resolver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How long a value with a version is kept before it is read again: a run that connects to a hundred databases asks
    /// once, and a new version is seen within a minute. What is lent, and what has no version, is never kept.
    pub cache_time: Duration,
    /// The most values kept at once; what would be dropped soonest goes first.
    pub cache_entries: usize,
    /// How many reads one backend is asked for at once: stores answer 429 to bursts.
    pub concurrent_reads: usize,
    /// How long one attempt may take; far above any healthy store's, and below the patience of a person.
    pub attempt_time: Duration,
    /// The first pause before trying again; it doubles, with jitter, so that many don't come back at once.
    pub retry_delay: Duration,
    /// The longest pause that is chosen here. A store that names a longer one is heeded within the budget.
    pub retry_delay_limit: Duration,
    /// How long one secret is tried for in all: a store's failover takes some seconds.
    pub retry_budget: Duration,
    /// The most fields of one secret: Kubernetes and Vault have fewer within their bounds of size.
    pub fields: usize,
    /// The most bytes of one secret, all fields together: the bound that Kubernetes has for a whole Secret.
    pub secret_size: usize,
    /// The most leases held at once: ten for each of the hundred databases that a run works on at once, and some.
    pub leases: usize,
    /// How much sooner than at two thirds a lease may be renewed, in hundredths: many that began together are spread.
    pub renew_jitter_percent: u32,
    /// How long before its end a lease that can't be renewed, for whatever reason, is told to end, in hundredths of its
    /// time: a batch and a reconnection must fit in.
    pub notice_percent: u32,
    /// How long ending one lease may take, with retries.
    pub revoke_time: Duration,
    /// How many leases are ended at once.
    pub concurrent_revocations: usize,
    /// How long ending everything may take: a program that was told to stop has thirty seconds on most platforms.
    pub end_time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            cache_time: Duration::from_secs(60),
            cache_entries: 1_024,
            concurrent_reads: 8,
            attempt_time: Duration::from_secs(15),
            retry_delay: Duration::from_millis(200),
            retry_delay_limit: Duration::from_secs(5),
            retry_budget: Duration::from_secs(30),
            fields: 256,
            secret_size: 1 << 20,
            leases: 4_096,
            renew_jitter_percent: 10,
            notice_percent: 20,
            revoke_time: Duration::from_secs(10),
            concurrent_revocations: 8,
            end_time: Duration::from_secs(20),
        }
    }
}
