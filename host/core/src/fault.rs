//! The one error that crosses the plugin boundary.

use serde::{Deserialize, Serialize};

/// What the host does about a fault. Closed, as in `whimbrel:types`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultClass {
    /// The request or its configuration is wrong.
    Invalid,
    /// Not granted or not permitted.
    Denied,
    /// What was asked for isn't there.
    NotFound,
    /// Something else changed it at the same time.
    Conflict,
    /// It may work later.
    Unavailable,
    /// The call was asked to stop.
    Cancelled,
    /// This can't be done here.
    Unsupported,
    /// A bug of the plugin or of the host.
    Internal,
}

/// Advice on calling again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Retry {
    /// Calling again can't help until a person changes something.
    Never,
    /// The host chooses the delay.
    Backoff,
    /// Not before so many milliseconds.
    After(u64),
}

/// What a plugin, or the host on behalf of one, answers when it could not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message} ({code})")]
pub struct Fault {
    /// What the host acts on.
    pub class: FaultClass,
    /// Open, stable and documented, such as `backfill.no-key`.
    pub code: String,
    /// What went wrong, for a person.
    pub message: String,
    /// Where in the configuration, as a JSON pointer.
    pub pointer: Option<String>,
    /// One sentence: what the operator can do next.
    pub hint: Option<String>,
    /// Advice on calling again.
    pub retry: Retry,
}

impl Fault {
    /// A fault that calling again won't cure.
    #[must_use]
    pub fn new(class: FaultClass, code: &str, message: impl Into<String>) -> Self {
        Self {
            class,
            code: code.to_owned(),
            message: message.into(),
            pointer: None,
            hint: None,
            retry: Retry::Never,
        }
    }

    /// The same fault with a hint.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}
