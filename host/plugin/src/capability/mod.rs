//! What a guest can import: one file per imported package. Each answers for the current call, or says why not.

mod ambient;
mod call;
mod http;
mod log;
mod metrics;
mod resources;
mod secrets;
mod sources;
mod sql;
pub mod wasi;

pub use log::cut_line;

use crate::bindings::imports::whimbrel::types::types;
use crate::grants::Need;
use crate::instance::State;

impl types::Host for State {}

/// A guest asked for what it can't have. Where the import can answer with an error, this is its text; where it can't,
/// the guest traps with it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// The operator doesn't grant it, or the manifest doesn't need it.
    #[error(
        "denied: {plugin} has no grant `{need}` (its manifest must say that it needs it, and whimbrel.yaml must grant it)"
    )]
    Ungranted {
        /// The plugin.
        plugin: String,
        /// The grant.
        need: Need,
    },
    /// It isn't part of this call.
    #[error("denied: {import} is no part of {function} of {plugin}{why}", why = why(.function))]
    NotHere {
        /// The plugin.
        plugin: String,
        /// The function that was called.
        function: &'static str,
        /// What was asked for.
        import: &'static str,
    },
    /// It would change a database, in a call that only looks.
    #[error(
        "denied: {function} of {plugin} only looks, and the engine's `{question}` changes databases"
    )]
    Changes {
        /// The plugin.
        plugin: String,
        /// The function that was called.
        function: &'static str,
        /// What the engine was asked.
        question: &'static str,
    },
    /// It would be more than a call may have.
    #[error("denied: {0}")]
    TooMuch(
        /// What.
        String,
    ),
    /// It would hold an open transaction up.
    #[error(
        "denied: {import} while a transaction is open would hold the database up: commit or roll back first"
    )]
    InTransaction {
        /// What was asked for.
        import: &'static str,
    },
}

fn why(function: &str) -> &'static str {
    match function {
        "plan" | "describe" => ", which is pure: a function of its arguments that can only log",
        _ => "",
    }
}

impl Denied {
    /// The same as a trap.
    pub fn trap(self) -> wasmtime::Error {
        wasmtime::Error::new(self)
    }

    /// The same as a fault.
    pub fn fault(&self, code: &str) -> types::Fault {
        let hint = match self {
            Self::Ungranted { need, .. } => Some(format!(
                "grant `{need}` to the plugin under `grants:` in whimbrel.yaml"
            )),
            _ => None,
        };
        types::Fault {
            class: types::FaultClass::Denied,
            code: code.to_owned(),
            message: self.to_string(),
            pointer: None,
            hint,
            retry: types::Retry::Never,
        }
    }
}
