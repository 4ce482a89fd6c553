//! What time it is, so that tests needn't wait for it.

use std::time::{Duration, Instant, SystemTime};

use async_trait::async_trait;

/// How much time passes, and which it is on the wall: what a store says of an end is said by the latter.
#[async_trait]
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> Instant;

    /// Now, as people say it.
    fn wall(&self) -> SystemTime;

    /// Waits.
    async fn sleep(&self, time: Duration);
}

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

#[async_trait]
impl Clock for SystemClock {
    fn now(&self) -> Instant {
        Instant::now()
    }

    fn wall(&self) -> SystemTime {
        SystemTime::now()
    }

    async fn sleep(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }
}
