//! Ends what processes that were killed left lent, once something is lent here: then the store is there and lets us in.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::task::JoinHandle;

use crate::Resolver;

/// The one sweep of a resolver.
#[derive(Default)]
pub(crate) struct Sweep(Mutex<State>);

#[derive(Default)]
enum State {
    #[default]
    Waiting,
    Begun(JoinHandle<()>),
    Over,
}

impl Sweep {
    /// Begins it beside whatever is done, if it hasn't begun.
    pub(crate) fn begin(&self, resolver: &Resolver) {
        let mut state = self.lock();
        if matches!(*state, State::Waiting) {
            let resolver = resolver.clone();
            *state = State::Begun(tokio::spawn(async move { sweep(&resolver).await }));
        }
    }

    /// Waits until what was begun is done, which is bounded.
    pub(crate) async fn end(&self) {
        let state = std::mem::replace(&mut *self.lock(), State::Over);
        if let State::Begun(task) = state {
            // A panic is told where it happens.
            let _ = task.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn sweep(resolver: &Resolver) {
    let left = resolver.pages().map(crate::Pages::left).unwrap_or_default();
    for file in left {
        let failed = resolver.revoke_left(&file.records()).await;
        for left in &failed {
            tracing::warn!(
                backend = %left.record.backend,
                "a lease that a killed process left couldn't be ended: {}",
                left.fault
            );
        }
        let failed: Vec<_> = failed.iter().map(|left| &left.record).collect();
        file.keep(&failed);
    }
}
