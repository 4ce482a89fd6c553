//! What an operator measures of itself, besides what its runs do and ask for.

use whimbrel_core::name::TargetName;
use whimbrel_report::metrics::Metrics;
use whimbrel_signal::metric::{Gauge, Name};

/// The gauges of the process.
pub struct Measures {
    metrics: Metrics,
    queue: Gauge,
}

/// An environment that waits for its turn, as long as this lives.
pub struct Waits<'m>(&'m Gauge);

impl Measures {
    pub fn new(metrics: Metrics) -> Self {
        let queue = metrics.meter().gauge(Name::QueueDepth, &[]);
        queue.set(0.0);
        Self { metrics, queue }
    }

    /// An environment waits for its turn from now on.
    pub fn wait(&self) -> Waits<'_> {
        self.queue.add(1.0);
        Waits(&self.queue)
    }

    /// How long ago it was last known what a source says.
    pub fn lag(&self, source: &str) -> Gauge {
        self.metrics.meter().gauge(Name::SyncLag, &[source])
    }

    /// So many migrations of a database aren't as they were applied.
    pub fn drifted(&self, environment: &str, target: &TargetName, migrations: usize) {
        self.metrics.drifted(environment, target, migrations);
    }

    /// Nothing is shown of an environment any more: it is gone, or another replica shows it.
    pub fn forget(&self, environment: &str) {
        self.metrics.forget_environment(environment);
    }

    /// Nothing is shown of a source any more.
    pub fn forget_source(&self, source: &str) {
        self.metrics.meter().forget_source(source);
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.add(-1.0);
    }
}
