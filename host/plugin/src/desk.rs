//! Where a guest hands in its statements: they run apart from it, so that dropping the guest drops no operation.
//!
//! A statement that answers at once runs in place. One that doesn't is moved to a task of its own, and the guest only
//! awaits the answer. Whoever closes the desk gets certainty that the database is quiet.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::task::Poll;

use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::sync::Mutex;
use whimbrel_core::statement::Dialect;

use crate::database::{SqlError, StepDatabase};

/// The host's own code panicked while it served a guest.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("the host panicked while it served the guest: {0}")]
pub struct HostPanic(pub String);

type Shared = Arc<Mutex<Option<Box<dyn StepDatabase>>>>;

/// One statement for the database.
pub type Operation<T> =
    Box<dyn for<'a> FnOnce(&'a mut dyn StepDatabase) -> BoxFuture<'a, Result<T, SqlError>> + Send>;

/// The database of a call, shared between the guest's store and whoever waits for the end.
#[derive(Clone)]
pub struct Desk {
    shared: Shared,
    dialect: Dialect,
    interrupter: Arc<Option<Box<dyn Fn() + Send + Sync>>>,
}

impl Desk {
    /// A desk before this database.
    pub fn new(database: Box<dyn StepDatabase>) -> Self {
        Self {
            dialect: database.dialect(),
            interrupter: Arc::new(database.interrupter()),
            shared: Arc::new(Mutex::new(Some(database))),
        }
    }

    /// The database's dialect.
    pub const fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// Looks at the database. The guest isn't in a statement while it asks, so nobody else holds it.
    pub fn look<T>(&self, look: impl FnOnce(&dyn StepDatabase) -> T) -> Option<T> {
        let held = self.shared.try_lock().ok()?;
        held.as_deref().map(look)
    }

    /// Runs a statement to its end, whatever becomes of the caller.
    pub async fn run<T: Send + 'static>(
        &self,
        operation: Operation<T>,
    ) -> Result<Result<T, SqlError>, HostPanic> {
        let shared = Arc::clone(&self.shared);
        let whole = async move {
            let mut held = shared.lock().await;
            match held.as_mut() {
                Some(database) => operation(database.as_mut()).await,
                None => Err(SqlError::Stop("the call is over".to_owned())),
            }
        };
        let mut guarded = Box::pin(AssertUnwindSafe(whole).catch_unwind());
        if let Poll::Ready(answer) = futures::poll!(&mut guarded) {
            return answer.map_err(|payload| HostPanic(panic_text(&*payload)));
        }
        match tokio::spawn(guarded).await {
            Ok(answer) => answer.map_err(|payload| HostPanic(panic_text(&*payload))),
            Err(error) => Err(HostPanic(error.to_string())),
        }
    }

    /// Waits until no statement runs, takes back what wasn't committed if the call failed, and gives the database up.
    pub async fn close(&self, failed: bool) {
        if failed
            && self.shared.try_lock().is_err()
            && let Some(interrupt) = self.interrupter.as_ref()
        {
            interrupt();
        }
        let taken = self.shared.lock().await.take();
        let Some(mut database) = taken else { return };
        if failed
            && database.in_transaction()
            && let Err(error) = database.rollback().await
        {
            // The run finds out by itself: its own next statement meets the same trouble.
            tracing::warn!(%error, "could not roll back after a failed call of a plugin");
        }
    }
}

/// What a panic said.
pub fn panic_text(payload: &(dyn std::any::Any + Send)) -> String {
    payload
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without a message".to_owned())
}
