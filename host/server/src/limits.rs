//! Every timeout, limit and retry of the server, in one table with its reason.

use std::time::Duration;

/// The bounds of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How often a source is looked at when nothing rings before: a webhook that got lost costs a minute.
    pub interval: Duration,
    /// How much sooner or later that may be, in hundredths: many sidecars that began together are spread.
    pub jitter_percent: u32,
    /// The first pause after something that may pass by itself: a source that can't be reached, a lock held elsewhere.
    pub retry_delay: Duration,
    /// The longest such pause; each is twice the one before.
    pub retry_delay_limit: Duration,
    /// For how long nobody may ring before a source is looked at again shortly after a look: a burst of a thousand deliveries
    /// costs one fetch, and one more when it is over.
    pub bell_rest: Duration,
    /// How long a look may be put off by those who go on ringing.
    pub bell_patience: Duration,
    /// After how long a project is opened anew although its source is the same: a query of `forEach` may have new rows.
    pub reopen: Duration,
    /// How often databases are compared with what was applied to them; never if zero.
    pub drift_interval: Duration,
    /// How long comparing one database may take: its checks are the project's own queries.
    pub drift_time: Duration,
    /// How often a plan is made again at once because it changed meanwhile.
    pub replans: u32,
    /// How late a loop may be before the process counts as dead; far above any plan's time. A run counts as progress for as
    /// long as it takes: statements have time-outs of their own.
    pub stuck: Duration,
    /// How long a statement in flight may go on after SIGTERM; five seconds less than Kubernetes waits before it kills.
    pub grace: Duration,
    /// The most bytes of a request's body: a digest and a list of names are far below.
    pub body_bytes: usize,
    /// The most bytes of a request's head.
    pub head_bytes: usize,
    /// How long the head of a request may take, counted from the end of the one before: an idle connection ends with it.
    pub head_time: Duration,
    /// How long a request may take until its answer begins.
    pub request_time: Duration,
    /// How long a client may read nothing of what is sent to it.
    pub write_time: Duration,
    /// The most connections at once; more wait in the system's queue.
    pub connections: usize,
    /// The most streams of events at once.
    pub streams: usize,
    /// How many events a stream's reader may be behind before it is dropped.
    pub stream_lag: usize,
    /// How often a stream without events says that it is alive.
    pub stream_pause: Duration,
    /// The most requests that read databases at once: each opens a connection to every target.
    pub readers: usize,
    /// The most orders that wait for one environment.
    pub orders: usize,
    /// The most runs that are remembered.
    pub runs: usize,
    /// The most events of a run that are remembered, the newest.
    pub events: usize,
    /// The most answers that are remembered for a repetition with the same idempotency key.
    pub answers: usize,
    /// The most characters of an idempotency key.
    pub key_length: usize,
    /// The most migrations whose readiness is remembered per environment.
    pub readiness: usize,
    /// How long an answer about readiness holds before the database is asked again: many probes at once cost one read.
    pub readiness_time: Duration,
    /// How long a database is waited for where what is asked for was there before: a kubelet waits a second for its probe.
    pub readiness_patience: Duration,
    /// How often tokens are read again, so that a rotated one counts within a minute.
    pub token_time: Duration,
    /// The most events of a target that `history` gives.
    pub history: u32,
    /// The most bytes of a request with a migration that a client writes: the largest document of a project, and what is
    /// around it.
    pub written_bytes: usize,
    /// The most such requests at once: each is kept in memory.
    pub writers: usize,
    /// The most such orders that are remembered; no more go on at once.
    pub written_orders: usize,
    /// How long such an order is waited for before whoever sent it is asked to send it again, to go on waiting: well below the
    /// time of a request.
    pub written_patience: Duration,
    /// The most bytes of a webhook's delivery: what the sandbox takes.
    pub delivery_bytes: usize,
    /// How long a delivery's body may take to come: a host sends it at once.
    pub delivery_time: Duration,
    /// How many deliveries are taken in at once; more are asked to come again, so that nobody waits long for an answer.
    pub deliveries: usize,
    /// How many of them are looked at in the sandbox at once: each takes a processor.
    pub deliveries_at_once: usize,
    /// For how long a delivery is remembered, to know it again: somebody may send it again by hand days later.
    pub deliveries_time: Duration,
    /// The most deliveries of a source that are remembered: some megabytes.
    pub deliveries_remembered: usize,
    /// How many deliveries of a source may come at once: a burst of a thousand, and what else comes.
    pub deliveries_burst: u32,
    /// How long it takes after a burst until one more may come.
    pub deliveries_pause: Duration,
    /// The most pull requests of a source that wait to be planned; each waits once, with its newest commit.
    pub proposals: usize,
    /// How long the plan of one pull request against one environment may take.
    pub proposal_time: Duration,
    /// The most statuses of commits that wait to be shown; each waits once, as it is now.
    pub statuses: usize,
    /// How often something is tried to be shown before it is given up.
    pub report_attempts: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(60),
            jitter_percent: 10,
            retry_delay: Duration::from_secs(2),
            retry_delay_limit: Duration::from_secs(300),
            bell_rest: Duration::from_millis(500),
            bell_patience: Duration::from_secs(5),
            reopen: Duration::from_secs(600),
            drift_interval: Duration::from_secs(600),
            drift_time: Duration::from_secs(60),
            replans: 5,
            stuck: Duration::from_secs(300),
            grace: Duration::from_secs(25),
            body_bytes: 64 << 10,
            head_bytes: 32 << 10,
            head_time: Duration::from_secs(30),
            request_time: Duration::from_secs(60),
            write_time: Duration::from_secs(10),
            connections: 256,
            streams: 64,
            stream_lag: 256,
            stream_pause: Duration::from_secs(15),
            readers: 4,
            orders: 16,
            runs: 50,
            events: 512,
            answers: 1_024,
            key_length: 255,
            readiness: 1_024,
            readiness_time: Duration::from_millis(500),
            readiness_patience: Duration::from_millis(500),
            token_time: Duration::from_secs(60),
            history: 1_000,
            written_bytes: (4 << 20) + (64 << 10),
            writers: 16,
            written_orders: 64,
            written_patience: Duration::from_secs(5),
            delivery_bytes: 1 << 20,
            delivery_time: Duration::from_secs(10),
            deliveries: 128,
            deliveries_at_once: 4,
            deliveries_time: Duration::from_secs(72 * 3_600),
            deliveries_remembered: 32_768,
            deliveries_burst: 1_100,
            deliveries_pause: Duration::from_millis(100),
            proposals: 64,
            proposal_time: Duration::from_secs(120),
            statuses: 256,
            report_attempts: 6,
        }
    }
}

impl Limits {
    /// The bounds of fetching what a pull request brings, which anybody may have written: a quarter of what is usual.
    #[must_use]
    pub fn proposal_fetch() -> whimbrel_git::Limits {
        let usual = whimbrel_git::Limits::default();
        whimbrel_git::Limits {
            total: usual.total / 4,
            pack: usual.pack / 4,
            ..usual
        }
    }

    /// A pause around the interval.
    #[must_use]
    pub fn pause(&self, interval: Duration) -> Duration {
        let spread = interval * self.jitter_percent / 100;
        interval.saturating_sub(spread) + (spread * 2).mul_f64(fastrand::f64())
    }

    /// The pause after so many failures in a row.
    #[must_use]
    pub fn backoff(&self, failures: u32) -> Duration {
        let doubled = 1_u32 << failures.saturating_sub(1).min(16);
        let pause = self.retry_delay.saturating_mul(doubled);
        let pause = pause.min(self.retry_delay_limit);
        pause.mul_f64(fastrand::f64().mul_add(0.2, 0.8))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Limits;

    #[test]
    fn pauses_are_spread_and_bounded() {
        let limits = Limits::default();
        for _ in 0..100 {
            let pause = limits.pause(Duration::from_secs(60));
            assert!(pause >= Duration::from_secs(54) && pause <= Duration::from_secs(66));
            let first = limits.backoff(1);
            assert!(first >= Duration::from_millis(1_600) && first <= Duration::from_secs(2));
            assert!(limits.backoff(3) > limits.retry_delay);
            assert!(limits.backoff(u32::MAX) <= limits.retry_delay_limit);
        }
    }
}
