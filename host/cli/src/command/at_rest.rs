//! What a service gives back when there is less to do than before. A thread gives back what is free when it goes to sleep; what
//! others free after that stays with it until it wakes, and so does what it had no time for. So all of them are woken once more.

use std::convert::Infallible;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;

/// How often it is looked whether there is less to do.
const PAUSE: Duration = Duration::from_secs(2);

/// How long those who are there wait for the others.
const PATIENCE: Duration = Duration::from_millis(5);

/// What must have been worked since the last time, for it to be worth while.
const WORTH: Duration = Duration::from_millis(20);

/// What is worked at most in a pause while they are woken for that: an eighth of their time. Who works more wakes by itself.
const LIGHT: u32 = 8;

/// What is worked at most in a pause at rest: a clock goes, somebody asks for the metrics.
const QUIET: Duration = Duration::from_millis(10);

/// Gives back whenever there is less to do than before, for as long as the service lives.
pub(super) async fn give_back() -> Infallible {
    let handle = Handle::current();
    let threads = u32::try_from(handle.metrics().num_workers()).unwrap_or(u32::MAX);
    let mut work = Work::new(PAUSE.saturating_mul(threads) / LIGHT);
    loop {
        tokio::time::sleep(PAUSE).await;
        let now = worked();
        if work.is_light(now) {
            on_every_thread(&handle, PATIENCE, whimbrel_allocator::collect).await;
        }
        if work.is_over(now) {
            whimbrel_allocator::let_go_of_code();
        }
        work.lately(worked());
    }
}

/// The processor time of all threads since the beginning, also of those that read repositories and files. Where it can't be told
/// nothing is given back so.
fn worked() -> Duration {
    #[cfg(unix)]
    {
        use rustix::time::{ClockId, clock_gettime};
        Duration::try_from(clock_gettime(ClockId::ProcessCPUTime)).unwrap_or_default()
    }
    #[cfg(not(unix))]
    Duration::ZERO
}

/// What was worked since the beginning, as of several times.
#[derive(Debug)]
struct Work {
    light: Duration,
    /// When it was looked last.
    before: Duration,
    /// When memory was given back last.
    memory: Duration,
    /// When the program's pages were given back last.
    program: Duration,
}

impl Work {
    const fn new(light: Duration) -> Self {
        Self {
            light,
            before: Duration::ZERO,
            memory: Duration::ZERO,
            program: Duration::ZERO,
        }
    }

    /// Whether there was little of late, and some since memory was given back last: now it is.
    fn is_light(&mut self, now: Duration) -> bool {
        Self::is_worth(
            now.saturating_sub(self.before),
            self.light,
            now,
            &mut self.memory,
        )
    }

    /// Whether there was none of late, and some since the program's pages were given back last: now they are.
    fn is_over(&mut self, now: Duration) -> bool {
        Self::is_worth(
            now.saturating_sub(self.before),
            QUIET,
            now,
            &mut self.program,
        )
    }

    fn is_worth(lately: Duration, most: Duration, now: Duration, last: &mut Duration) -> bool {
        let is_it = lately <= most && now.saturating_sub(*last) >= WORTH;
        if is_it {
            *last = now;
        }
        is_it
    }

    /// So much had been worked when it was done with that.
    fn lately(&mut self, now: Duration) {
        self.before = now;
    }
}

/// Does something on each thread of a runtime that does nothing else, and on this one. Whoever has come waits for the others, so
/// that nobody takes another one's turn; where they have something else to do, some do it twice.
async fn on_every_thread(handle: &Handle, patience: Duration, work: fn()) {
    let workers = handle.metrics().num_workers();
    let gathering = Arc::new(Gathering::default());
    let tasks: Vec<_> = (0..workers)
        .map(|_| {
            let gathering = Arc::clone(&gathering);
            handle.spawn(async move {
                gathering.join(workers, patience);
                work();
            })
        })
        .collect();
    for task in tasks {
        // None of them can fail.
        let _ = task.await;
    }
    work();
}

#[derive(Default)]
struct Gathering {
    present: Mutex<usize>,
    came: Condvar,
}

impl Gathering {
    fn join(&self, all: usize, patience: Duration) {
        let mut present = self.present.lock().unwrap_or_else(PoisonError::into_inner);
        *present += 1;
        self.came.notify_all();
        // Waited for in vain it is done all the same.
        let _ = self
            .came
            .wait_timeout_while(present, patience, |present| *present < all);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Mutex;
    use std::thread::{self, ThreadId};
    use std::time::Duration;

    use super::{Work, on_every_thread};

    static SEEN: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

    #[test]
    fn there_is_rest_after_work() {
        let mut work = Work::new(Duration::from_millis(500));
        let mut look = |milliseconds| {
            let now = Duration::from_millis(milliseconds);
            let both = (work.is_light(now), work.is_over(now));
            work.lately(now);
            both
        };
        let (nothing, memory, both) = ((false, false), (true, false), (true, true));
        // It starts, and there is nothing to do.
        assert_eq!(
            [look(40), look(41), look(42)],
            [memory, (false, true), nothing]
        );
        // Too much, less, none, and still none.
        let seen = [look(2_000), look(2_400), look(2_405), look(2_410)];
        assert_eq!(seen, [nothing, memory, (false, true), nothing]);
        // None after too much.
        assert_eq!(
            [look(4_000), look(4_001), look(4_002)],
            [nothing, both, nothing]
        );
        // A little, and a little more, until it is worth while.
        assert_eq!(
            [look(4_009), look(4_018), look(4_022)],
            [nothing, nothing, both]
        );
    }

    fn name(thread: ThreadId) -> String {
        format!("{thread:?}")
    }

    #[test]
    fn nobody_is_left_out() {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(3)
            .enable_all()
            .build()
            .unwrap();
        let see = || {
            SEEN.lock().unwrap().insert(name(thread::current().id()));
        };
        let patience = Duration::from_secs(60);
        runtime.block_on(on_every_thread(runtime.handle(), patience, see));
        let seen = SEEN.lock().unwrap();
        assert!(seen.len() == 4 && seen.contains(&name(thread::current().id())));
    }

    #[test]
    fn who_does_not_come_is_not_waited_for() {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let (end, ended) = std::sync::mpsc::channel::<()>();
        let (begin, begun) = std::sync::mpsc::channel();
        runtime.spawn(async move {
            let _ = begin.send(());
            let _ = ended.recv();
        });
        begun.recv().unwrap();
        let patience = Duration::from_millis(1);
        runtime.block_on(on_every_thread(runtime.handle(), patience, || ()));
        drop(end);
    }
}
