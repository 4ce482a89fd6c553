//! Every timeout, limit and retry of a run, in one table with its reason.

use std::time::Duration;

/// The settings of runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How often a curable error of one transaction is tried again (lock timeout, deadlock, serialization failure).
    /// Five tries at the default lock timeout of 5 s bound the wait to about half a minute.
    pub retries: usize,
    /// The first pause between tries; it doubles, with jitter, so that two runs don't meet again.
    pub retry_delay: Duration,
    /// The longest pause between tries.
    pub retry_delay_limit: Duration,
    /// How often a target is connected to anew after a lost connection before its run fails. A failover takes seconds.
    pub reconnects: usize,
    /// The first pause before connecting anew.
    pub reconnect_delay: Duration,
    /// How often the heartbeat's counter is raised; several beats fit into the silence that others wait for.
    pub heartbeat: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            retries: 5,
            retry_delay: Duration::from_millis(100),
            retry_delay_limit: Duration::from_secs(5),
            reconnects: 5,
            reconnect_delay: Duration::from_millis(200),
            heartbeat: Duration::from_secs(2),
        }
    }
}
