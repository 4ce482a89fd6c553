//! What a service lets go of when it has come to rest.

use std::convert::Infallible;
use std::time::Duration;

/// How long a thread that reads files and repositories waits for more of it. What others have freed of its memory stays with it for
/// as long.
pub(super) const SPARE: Duration = Duration::from_secs(2);

/// How often it is looked whether there is rest.
const PAUSE: Duration = Duration::from_secs(2);

/// What is worked at most in a pause at rest: a clock goes, somebody asks for the metrics.
const QUIET: Duration = Duration::from_millis(10);

/// What must have been worked since the last time, for it to be worth while.
const WORTH: Duration = Duration::from_millis(20);

/// Lets go of the program's code whenever there is rest after work, for as long as the service lives.
pub(super) async fn let_go() -> Infallible {
    let mut work = Work::default();
    loop {
        tokio::time::sleep(PAUSE).await;
        if work.is_over(worked()) {
            whimbrel_allocator::let_go_of_code();
        }
    }
}

/// The processor time of all threads since the beginning. Where it can't be told there is never enough.
fn worked() -> Duration {
    #[cfg(unix)]
    {
        use rustix::time::{ClockId, clock_gettime};
        Duration::try_from(clock_gettime(ClockId::ProcessCPUTime)).unwrap_or_default()
    }
    #[cfg(not(unix))]
    Duration::ZERO
}

/// What was worked since the beginning.
#[derive(Debug, Default)]
struct Work {
    /// As of the last look.
    before: Duration,
    /// As of the last rest.
    rested: Duration,
}

impl Work {
    /// Whether there was none of late, and some before that, for the first time since then.
    fn is_over(&mut self, now: Duration) -> bool {
        let lately = now.saturating_sub(self.before);
        self.before = now;
        let is_it = lately <= QUIET && now.saturating_sub(self.rested) >= WORTH;
        if is_it {
            self.rested = now;
        }
        is_it
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Work;

    #[test]
    fn there_is_rest_after_work_once() {
        let mut work = Work::default();
        let mut look = |milliseconds| work.is_over(Duration::from_millis(milliseconds));
        // It starts, and there is nothing to do.
        assert_eq!([look(90), look(91), look(92)], [false, true, false]);
        // Much, less, none, and still none.
        let seen = [look(2_000), look(2_020), look(2_025), look(2_035)];
        assert_eq!(seen, [false, false, true, false]);
        // A little, and a little more, until it is worth while.
        assert_eq!(
            [look(2_040), look(2_044), look(2_046)],
            [false, false, true]
        );
    }
}
