//! How each backend is doing, by what it last answered.

use std::sync::{Mutex, PoisonError};

use whimbrel_core::fault::{Fault, FaultClass};

/// How a backend is doing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Condition {
    /// It wasn't asked for anything yet.
    #[default]
    Unknown,
    /// It answers.
    Healthy,
    /// It answers, and refuses us.
    Refusing(Fault),
    /// It doesn't answer, or can't.
    Unavailable {
        /// What it last said, scrubbed.
        fault: Fault,
        /// How often in a row.
        failures: u32,
    },
}

/// One backend and how it is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// The name that the environment gave it.
    pub backend: String,
    /// How it is doing.
    pub condition: Condition,
}

/// Where a backend's answers are noted.
#[derive(Default)]
pub(crate) struct Pulse(Mutex<Condition>);

impl Pulse {
    pub(crate) fn condition(&self) -> Condition {
        self.lock().clone()
    }

    pub(crate) fn answered(&self) {
        *self.lock() = Condition::Healthy;
    }

    /// A secret that isn't there is an answer like any other.
    pub(crate) fn failed(&self, fault: &Fault) {
        let mut condition = self.lock();
        let before = match &*condition {
            Condition::Unavailable { failures, .. } => *failures,
            _ => 0,
        };
        *condition = match fault.class {
            FaultClass::Unavailable | FaultClass::Internal | FaultClass::Cancelled => {
                Condition::Unavailable {
                    fault: fault.clone(),
                    failures: before.saturating_add(1),
                }
            }
            FaultClass::Denied => Condition::Refusing(fault.clone()),
            _ => Condition::Healthy,
        };
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Condition> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
