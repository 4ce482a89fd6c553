//! The one error that a plugin answers with, and how errors of the host become it.

pub use crate::bindings::whimbrel::types::types::{Fault, FaultClass, Retry};
use crate::database::Error;

impl Fault {
    /// A fault that calling again won't cure. `code` is open, stable and documented, such as `backfill.no-key`.
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

    /// The configuration is wrong at this JSON pointer.
    #[must_use]
    pub fn invalid(pointer: &str, message: impl Into<String>) -> Self {
        Self {
            pointer: Some(pointer.to_owned()),
            ..Self::new(FaultClass::Invalid, "configuration", message)
        }
    }

    /// The call was asked to stop; the next one goes on from the last checkpoint.
    #[must_use]
    pub fn cancelled() -> Self {
        Self {
            retry: Retry::Backoff,
            ..Self::new(
                FaultClass::Cancelled,
                "cancelled",
                "stopped at a safe point",
            )
        }
    }

    /// An answer isn't what was asked for. Says whose it is, and nothing of what it holds.
    #[must_use]
    pub fn unreadable(code: &str, who: &str) -> Self {
        let message = format!("the answer of {who} can't be read");
        Self::new(FaultClass::Internal, code, message)
    }

    /// The same fault with one sentence on what the operator can do next; an empty one is none.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into()).filter(|hint| !hint.is_empty());
        self
    }

    /// The same fault with another advice on calling again.
    #[must_use]
    pub const fn with_retry(mut self, retry: Retry) -> Self {
        self.retry = retry;
        self
    }
}

impl Retry {
    /// What the value of a `Retry-After` advises when it is in seconds; else by the host's own steps.
    #[must_use]
    pub fn after_header(value: Option<&str>) -> Self {
        let seconds = value.and_then(|text| text.trim().parse::<u64>().ok());
        seconds.map_or(Self::Backoff, |seconds| {
            Self::After(seconds.saturating_mul(1_000))
        })
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        match error {
            Error::Database(refusal) => {
                let detail = refusal.detail.map(|detail| format!(": {detail}"));
                let message = format!("{}{}", refusal.message, detail.unwrap_or_default());
                let again = matches!(refusal.code.as_str(), "40001" | "40P01" | "55P03")
                    || refusal.code.starts_with("SQLITE_BUSY");
                if again {
                    Self::new(FaultClass::Unavailable, &refusal.code, message)
                        .with_retry(Retry::Backoff)
                } else {
                    Self::new(FaultClass::Conflict, &refusal.code, message)
                }
            }
            Error::Refused(reason) => Self::new(FaultClass::Unsupported, "refused", reason),
            Error::Stop(reason) => Self {
                message: reason,
                ..Self::cancelled()
            },
        }
    }
}

impl From<serde_json::Error> for Fault {
    fn from(error: serde_json::Error) -> Self {
        Self::new(FaultClass::Internal, "json", error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::{Fault, FaultClass, Retry};
    use crate::database::{Error, Refusal};

    fn refused(code: &str) -> Fault {
        Error::Database(Refusal {
            code: code.to_owned(),
            message: "no".to_owned(),
            detail: Some("really".to_owned()),
        })
        .into()
    }

    #[test]
    fn a_deadlock_is_worth_another_try_and_a_syntax_error_is_not() {
        assert_eq!(refused("40P01").retry, Retry::Backoff);
        assert_eq!(refused("42601").retry, Retry::Never);
        assert_eq!(refused("42601").message, "no: really");
    }

    #[test]
    fn stop_means_cancelled() {
        let fault = Fault::from(Error::Stop("lost".to_owned()));
        assert_eq!(fault.class, FaultClass::Cancelled);
        assert_eq!(fault.message, "lost");
        let fault = Fault::from(Error::Refused("a plan".to_owned())).with_hint("apply it");
        assert_eq!(fault.class, FaultClass::Unsupported);
        assert_eq!(fault.hint.as_deref(), Some("apply it"));
    }
}
