//! Counts a guest's own compute, without the time that it waits for the host.

use std::time::{Duration, Instant};

/// The guest computed for too long.
#[derive(Debug, thiserror::Error)]
#[error("it computed for {0:?} without a commit or an end")]
pub struct Exhausted(pub Duration);

/// Adds up stretches of compute between host calls.
#[derive(Debug)]
pub struct Meter {
    since: Instant,
    spent: Duration,
    budget: Duration,
    /// The most that one look can add: what is beyond it, others had the processor.
    longest: Duration,
}

impl Meter {
    /// A meter that looks once a tick.
    pub fn new(budget: Duration, tick: Duration) -> Self {
        Self {
            since: Instant::now(),
            spent: Duration::ZERO,
            budget,
            longest: tick * 2,
        }
    }

    /// The guest has called the host and waits.
    pub fn pause(&mut self) {
        self.count(Instant::now());
    }

    /// The host has answered.
    pub fn resume(&mut self) {
        self.since = Instant::now();
    }

    /// The guest got something done for good: it may compute as long again.
    pub const fn renew(&mut self) {
        self.spent = Duration::ZERO;
    }

    /// A tick came while the guest computed.
    ///
    /// # Errors
    /// The budget is used up.
    pub fn tick(&mut self) -> Result<(), Exhausted> {
        let now = Instant::now();
        self.count(now);
        self.since = now;
        if self.spent > self.budget {
            return Err(Exhausted(self.budget));
        }
        Ok(())
    }

    fn count(&mut self, now: Instant) {
        self.spent += now.saturating_duration_since(self.since).min(self.longest);
    }
}

#[cfg(test)]
mod tests {
    use super::Meter;
    use std::thread::sleep;
    use std::time::Duration;

    const TICK: Duration = Duration::from_millis(2);

    #[test]
    fn compute_counts() {
        let mut meter = Meter::new(TICK * 3, TICK);
        let mut ticks = 0;
        while meter.tick().is_ok() {
            sleep(TICK);
            ticks += 1;
            assert!(ticks < 100, "never exhausted");
        }
    }

    #[test]
    fn waiting_for_the_host_does_not() {
        let mut meter = Meter::new(TICK * 3, TICK);
        for _ in 0..5 {
            meter.pause();
            sleep(TICK * 2);
            meter.resume();
            assert!(meter.tick().is_ok());
        }
        meter.renew();
        assert_eq!(meter.spent, Duration::ZERO);
    }
}
