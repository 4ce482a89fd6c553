//! One backend of an environment: asked for a few secrets at once, its answers noted.

use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::backend::Backend;
use crate::health::Pulse;

/// A backend and what is known of it.
pub(crate) struct Slot {
    pub(crate) backend: Arc<dyn Backend>,
    pub(crate) pulse: Pulse,
    pub(crate) permits: Semaphore,
}

impl Slot {
    pub(crate) fn new(backend: Arc<dyn Backend>, concurrent_reads: usize) -> Self {
        Self {
            backend,
            pulse: Pulse::default(),
            permits: Semaphore::new(concurrent_reads.max(1)),
        }
    }
}
