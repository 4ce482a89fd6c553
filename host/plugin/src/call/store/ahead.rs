//! The instance of the next call, made while this one waits for a server: it knows nothing, or its configuration where that refers
//! to no secret, and whatever a call tells it ends with that call.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::bindings::store::Store as Exports;
use crate::call::LogSink;
use crate::call::config::Resolved;
use crate::call::guard::{Made, START};
use crate::instance::Scope;
use crate::plugin::Plugin;

/// Imports of guests that may hold something of the host's from their start on, which a call couldn't take over.
const WASI: &str = "wasi:";

/// At most one instance of one store.
pub struct Ahead {
    next: Mutex<Option<Waiting>>,
    is_wanted: bool,
    /// Whether `configure` is a function of its configuration alone, as far as is known.
    is_pure: AtomicBool,
}

/// An instance that waits for its call.
pub struct Waiting {
    pub made: Made,
    pub exports: Exports,
    /// Whether `configure` has taken the configuration.
    pub is_configured: bool,
}

impl Ahead {
    /// None yet.
    pub fn new(plugin: &Plugin) -> Self {
        let imports = plugin.imports();
        Self {
            next: Mutex::new(None),
            is_wanted: !imports.iter().any(|import| import.starts_with(WASI)),
            is_pure: AtomicBool::new(true),
        }
    }

    /// The instance, for a call.
    pub fn take(&self) -> Option<Waiting> {
        self.lock().take()
    }

    /// Makes it unless it is there, with a configuration that is the same for each call, if it is. Where that can't be done, the
    /// next call makes its own and tells why it can't.
    pub async fn make(&self, plugin: &Plugin, lasting: Option<&Resolved>, log: LogSink) {
        if !self.is_wanted || self.lock().is_some() {
            return;
        }
        let sandbox = plugin.sandbox();
        let Some((_ticking, place)) = sandbox.ahead(plugin) else {
            return;
        };
        let scope = Scope::pure(START, log);
        let Ok(mut store) = sandbox.store(plugin, scope, sandbox.limits().pure_timeout) else {
            return;
        };
        let Ok(pre) = plugin.store() else {
            return;
        };
        let Ok(exports) = pre.instantiate_async(&mut store).await else {
            return;
        };
        let lasting = lasting.filter(|_| self.is_pure.load(Ordering::Relaxed));
        if let Some(lasting) = lasting {
            let backend = exports.whimbrel_secrets_backend();
            let configured = backend.call_configure(&mut store, lasting.text()).await;
            if !matches!(configured, Ok(Ok(()))) || store.data().was_refused() {
                self.is_pure.store(false, Ordering::Relaxed);
                return;
            }
        }
        let waiting = Waiting {
            made: Made { store, place },
            exports,
            is_configured: lasting.is_some(),
        };
        // Two calls may make one each; one of them is enough.
        self.lock().get_or_insert(waiting);
    }

    fn lock(&self) -> MutexGuard<'_, Option<Waiting>> {
        self.next.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
