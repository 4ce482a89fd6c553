//! What can be done for an environment whose plan was just made: the same for everyone who keeps one.

use whimbrel_core::gate::Refusal;

use crate::error::EngineError;
use crate::prepared::Prepared;

/// How an environment stands before anything is done.
#[derive(Debug)]
pub enum Stand {
    /// Nothing is missing.
    Current,
    /// Nothing is missing where it could be read.
    Unread {
        /// Why the first of the other targets couldn't be read.
        error: String,
        /// What to do about it.
        hint: Option<String>,
    },
    /// Something is missing, and may be done.
    Pending,
    /// Something is missing, and gates say no.
    Waiting(Vec<Refusal>),
    /// The plan can't be run at all.
    Blocked(EngineError),
}

impl Prepared {
    /// How the environment stands.
    #[must_use]
    pub fn stand(&self) -> Stand {
        if let Some(blocked) = EngineError::blocked(self.plan()) {
            return Stand::Blocked(blocked);
        }
        if !self.plan().is_empty() {
            let refusals = self.refusals();
            return if refusals.is_empty() {
                Stand::Pending
            } else {
                Stand::Waiting(refusals)
            };
        }
        match self.survey.failures.values().next() {
            None => Stand::Current,
            Some(error) => Stand::Unread {
                error: error.to_string(),
                hint: error.hint(),
            },
        }
    }
}
