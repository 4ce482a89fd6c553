//! Whether every loop makes progress: what `healthz` answers.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What a loop does.
#[derive(Clone, Copy, Debug)]
enum Doing {
    /// Something that should be over by then.
    Until(Instant),
    /// Something that must be over by then.
    By(Instant),
    /// A run, which takes as long as it takes.
    Run,
    /// Nothing any more: it fell over.
    Nothing,
}

/// The loops of a process. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Pulses(Arc<Mutex<BTreeMap<String, Doing>>>);

/// One loop's; gone when it is dropped, unless by a panic.
#[derive(Debug)]
pub struct Pulse {
    all: Pulses,
    name: String,
}

impl Pulses {
    /// A new loop's.
    #[must_use]
    pub fn begin(&self, name: String) -> Pulse {
        Pulse {
            all: self.clone(),
            name,
        }
    }

    /// The loops that are late by more than this.
    #[must_use]
    pub fn stuck(&self, patience: Duration) -> Vec<String> {
        let now = Instant::now();
        let all = self.lock();
        let late = all.iter().filter(|(_, doing)| match doing {
            Doing::Until(due) => now.saturating_duration_since(*due) > patience,
            Doing::By(due) => now > *due,
            Doing::Run => false,
            Doing::Nothing => true,
        });
        late.map(|(name, _)| name.clone()).collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Doing>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pulse {
    /// Works now, or waits for so long.
    pub fn beat(&self, pause: Duration) {
        self.set(Doing::Until(Instant::now() + pause));
    }

    /// Counts as stuck after this time, whatever the patience, unless something happens before.
    pub fn expect(&self, within: Duration) {
        self.set(Doing::By(Instant::now() + within));
    }

    /// Runs a plan.
    pub fn run(&self) {
        self.set(Doing::Run);
    }

    fn set(&self, doing: Doing) {
        self.all.lock().insert(self.name.clone(), doing);
    }
}

impl Drop for Pulse {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // Nobody begins it again: only a restart helps, and whoever asks for `healthz` can do that.
            self.set(Doing::Nothing);
        } else {
            self.all.lock().remove(&self.name);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Pulses;

    #[test]
    fn a_loop_that_is_late_is_stuck_and_a_run_is_not() {
        let pulses = Pulses::default();
        let (one, other) = (pulses.begin("one".into()), pulses.begin("other".into()));
        one.beat(Duration::ZERO);
        other.run();
        std::thread::sleep(Duration::from_millis(5));
        assert_eq!(pulses.stuck(Duration::ZERO), ["one"]);
        assert!(pulses.stuck(Duration::from_secs(60)).is_empty());
        other.expect(Duration::ZERO);
        std::thread::sleep(Duration::from_millis(5));
        assert_eq!(pulses.stuck(Duration::from_secs(60)), ["other"]);
        other.run();
        drop(one);
        assert!(pulses.stuck(Duration::ZERO).is_empty());
    }

    #[tokio::test]
    async fn a_loop_that_fell_over_is_stuck() {
        let pulses = Pulses::default();
        let pulse = pulses.begin("environment dev".into());
        let fell = tokio::spawn(async move {
            pulse.run();
            panic!("as a test asks for");
        });
        assert!(fell.await.is_err());
        assert_eq!(pulses.stuck(Duration::from_secs(60)), ["environment dev"]);
    }
}
