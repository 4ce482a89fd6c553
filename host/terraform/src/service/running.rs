//! What runs: each call on tasks of its own, so that nothing is dropped in the middle because nobody listens any more.

use std::collections::HashMap;
use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::task::JoinError;

use crate::cancel::{Cancel, CancelReason};

/// The calls that run.
#[derive(Clone)]
pub(super) struct Running {
    /// How long a call may go on after it was asked to end.
    grace: Duration,
    calls: Arc<Mutex<HashMap<u64, Cancel>>>,
    next: Arc<AtomicU64>,
}

/// How a call ended that gave no result of its own.
pub(super) enum Broken {
    /// It panicked.
    Panicked(JoinError),
    /// It was asked to end, and didn't in time.
    Endless,
}

impl Running {
    pub(super) fn new(grace: Duration) -> Self {
        Self {
            grace,
            calls: Arc::default(),
            next: Arc::default(),
        }
    }

    /// Asks all to end.
    pub(super) fn cancel(&self, reason: CancelReason) {
        self.all(|calls| {
            for cancel in calls.values() {
                cancel.request(reason);
            }
        });
    }

    /// Whether there is none.
    pub(super) fn is_idle(&self) -> bool {
        self.all(|calls| calls.is_empty())
    }

    /// Does work to its end. Whoever drops this asks the work to end, but doesn't end it.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        cancel: &Cancel,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, Broken> {
        let counted = self.count(cancel.clone());
        let (asked, grace) = (cancel.clone(), self.grace);
        let supervisor = tokio::spawn(async move {
            let _counted = counted;
            let mut task = tokio::spawn(work);
            tokio::select! {
                done = &mut task => done.map_err(Broken::Panicked),
                () = patience(&asked, grace) => {
                    task.abort();
                    Err(Broken::Endless)
                }
            }
        });
        let mut listener = Listener {
            cancel,
            has_heard: false,
        };
        let ended = supervisor.await;
        listener.has_heard = true;
        ended.unwrap_or_else(|error| Err(Broken::Panicked(error)))
    }

    fn count(&self, cancel: Cancel) -> Counted {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        self.all(|calls| calls.insert(id, cancel));
        Counted {
            running: self.clone(),
            id,
        }
    }

    fn all<T>(&self, of: impl FnOnce(&mut HashMap<u64, Cancel>) -> T) -> T {
        of(&mut self.calls.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// One that runs, until this is dropped.
struct Counted {
    running: Running,
    id: u64,
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.running.all(|calls| calls.remove(&self.id));
    }
}

/// Whoever waits for the answer.
struct Listener<'a> {
    cancel: &'a Cancel,
    has_heard: bool,
}

impl Drop for Listener<'_> {
    fn drop(&mut self) {
        if !self.has_heard {
            self.cancel.request(CancelReason::Gone);
        }
    }
}

async fn patience(cancel: &Cancel, grace: Duration) {
    cancel.requested().await;
    tokio::time::sleep(grace).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_mins(1);

    #[tokio::test]
    async fn work_that_nobody_listens_to_is_asked_to_end_and_counts_until_it_has() {
        let (running, cancel) = (Running::new(LONG), Cancel::default());
        let seen = cancel.clone();
        let work = async move {
            let reason = seen.requested().await;
            tokio::time::sleep(Duration::from_millis(50)).await;
            reason
        };
        let dropped = tokio::time::timeout(Duration::from_millis(10), running.run(&cancel, work));
        assert!(dropped.await.is_err());
        assert_eq!(cancel.reason(), Some(CancelReason::Gone));
        assert!(!running.is_idle(), "it was dropped in the middle");
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert!(running.is_idle());
    }

    #[tokio::test]
    async fn a_panic_is_an_answer() {
        let (running, cancel) = (Running::new(LONG), Cancel::default());
        let broken = running.run(&cancel, async { panic!("told to") });
        assert!(matches!(broken.await, Err::<(), _>(Broken::Panicked(_))));
        assert!(running.is_idle());
    }

    #[tokio::test]
    async fn work_without_end_is_given_up_some_time_after_it_was_asked() {
        let (running, cancel) = (Running::new(Duration::from_millis(20)), Cancel::default());
        let mut work = std::pin::pin!(running.run(&cancel, std::future::pending::<()>()));
        let early = tokio::time::timeout(Duration::from_millis(100), work.as_mut());
        assert!(early.await.is_err(), "nobody asked it");
        running.cancel(CancelReason::Stopped);
        assert!(matches!(work.await, Err(Broken::Endless)));
        assert!(running.is_idle());
    }
}
