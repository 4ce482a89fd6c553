//! The instance of the next call, made while this one waits for a server: it has run nothing but its start and knows nothing,
//! and whatever a call tells it ends with that call.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::bindings::store::Store as Exports;
use crate::call::guard::{Made, START};
use crate::call::traced;
use crate::instance::Scope;
use crate::plugin::Plugin;

/// Imports of guests that may hold something of the host's from their start on, which a call couldn't take over.
const WASI: &str = "wasi:";

/// At most one instance of one store.
pub struct Ahead {
    next: Mutex<Option<(Made, Exports)>>,
    is_wanted: bool,
}

impl Ahead {
    /// None yet.
    pub fn new(plugin: &Plugin) -> Self {
        let imports = plugin.imports();
        Self {
            next: Mutex::new(None),
            is_wanted: !imports.iter().any(|import| import.starts_with(WASI)),
        }
    }

    /// The instance, for a call.
    pub fn take(&self) -> Option<(Made, Exports)> {
        self.lock().take()
    }

    /// Makes it unless it is there. Where that can't be done, the next call makes its own and tells why it can't.
    pub async fn make(&self, plugin: &Plugin) {
        if !self.is_wanted || self.lock().is_some() {
            return;
        }
        let sandbox = plugin.sandbox();
        let Some((_ticking, place)) = sandbox.ahead(plugin) else {
            return;
        };
        let scope = Scope::pure(START, traced());
        let Ok(mut store) = sandbox.store(plugin, scope, sandbox.limits().pure_timeout) else {
            return;
        };
        let Ok(pre) = plugin.store() else {
            return;
        };
        if let Ok(exports) = pre.instantiate_async(&mut store).await {
            // Two calls may make one each; one of them is enough.
            self.lock().get_or_insert((Made { store, place }, exports));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<(Made, Exports)>> {
        self.next.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
