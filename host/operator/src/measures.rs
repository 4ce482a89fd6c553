//! What an operator measures of itself, besides what its runs do and ask for.

use whimbrel_signal::metric::{Gauge, Meter, Name};

/// The gauges of the process.
pub struct Measures {
    pub meter: Meter,
    queue: Gauge,
}

/// An environment that waits for its turn, as long as this lives.
pub struct Waits<'m>(&'m Gauge);

impl Measures {
    pub fn new(meter: Meter) -> Self {
        let queue = meter.gauge(Name::QueueDepth, &[]);
        queue.set(0.0);
        Self { meter, queue }
    }

    /// An environment waits for its turn from now on.
    pub fn wait(&self) -> Waits<'_> {
        self.queue.add(1.0);
        Waits(&self.queue)
    }

    /// How long ago it was last known what a source says.
    pub fn lag(&self, source: &str) -> Gauge {
        self.meter.gauge(Name::SyncLag, &[source])
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.add(-1.0);
    }
}
