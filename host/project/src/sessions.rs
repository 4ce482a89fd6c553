//! Connections that read a history and go on to write: a server spends more on a new one than on a small migration.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use whimbrel_core::name::TargetName;

use crate::{Connected, Targets};

/// Connections that are kept between reading and writing. Together with those that are in use they are never more than
/// the policy allows: whoever connects anew ends one of these first.
pub struct Sessions {
    /// How many may be kept in all.
    limit: usize,
    kept: Mutex<BTreeMap<TargetName, Connected>>,
}

impl Sessions {
    /// Keeps as many as the environment's policy lets be worked on at once; for targets of one server no more than it
    /// allows there.
    #[must_use]
    pub fn new(targets: &Targets) -> Self {
        let policy = &targets.environment().policy;
        let limit = policy.per_server.unwrap_or(policy.concurrency);
        Self {
            limit: limit.min(policy.concurrency).get() as usize,
            kept: Mutex::default(),
        }
    }

    /// Keeps a connection, if there is room.
    pub(crate) fn keep(&self, target: &TargetName, connected: Connected) {
        let mut kept = self.kept();
        if kept.len() < self.limit {
            kept.insert(target.clone(), connected);
        }
    }

    /// Ends all but those of these targets: the others have nothing to do.
    pub fn retain(&self, targets: &[&TargetName]) {
        self.kept().retain(|name, _| targets.contains(&name));
    }

    /// The connection of a target, if it was kept and is still there. Otherwise another one is ended in its place.
    #[must_use]
    pub fn take(&self, target: &TargetName) -> Option<Connected> {
        let mut kept = self.kept();
        if let Some(connected) = kept.remove(target) {
            return Some(connected).filter(|kept| !kept.session.is_closed());
        }
        kept.pop_last();
        None
    }

    fn kept(&self) -> MutexGuard<'_, BTreeMap<TargetName, Connected>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
