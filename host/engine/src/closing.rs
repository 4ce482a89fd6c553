//! What has to be given back before whoever used it ends: leases and logins.

use std::sync::{Arc, Mutex, PoisonError};

use whimbrel_secrets::Resolver;

/// The resolvers that were used. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Closing(Arc<Mutex<Vec<Resolver>>>);

impl Closing {
    /// Remembers one.
    pub fn add(&self, resolver: &Resolver) {
        self.lock().push(resolver.clone());
    }

    /// Ends every lease and every login, within a bounded time. What couldn't be ended ends by itself; it is told.
    pub async fn close(&self) {
        let resolvers = std::mem::take(&mut *self.lock());
        for resolver in resolvers {
            for left in resolver.close().await {
                tracing::warn!(
                    backend = %left.record.backend,
                    "a lease couldn't be ended, and holds until its time is over: {}",
                    left.fault
                );
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Resolver>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
