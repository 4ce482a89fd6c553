//! Text that a scrubber has been over, told from other text by its type.

use std::fmt;
use std::ops::Deref;

use serde::Serialize;
use whimbrel_core::fault::Fault;

use super::Scrubber;

/// Text without secrets. Only a scrubber makes one of what isn't known when the program is compiled, so that whoever
/// takes nothing else can't be told a secret.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct Scrubbed(String);

impl Deref for Scrubbed {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl From<&'static str> for Scrubbed {
    fn from(text: &'static str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Display for Scrubbed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl Scrubber {
    /// What is to be said, with every known value replaced.
    #[must_use]
    pub fn clean(&self, said: impl fmt::Display) -> Scrubbed {
        Scrubbed(self.scrub(&said.to_string()))
    }

    /// A fault as it is told, with every known value replaced in each of its texts: whoever made it may have put one anywhere.
    #[must_use]
    pub fn clean_fault(&self, fault: Fault) -> Fault {
        let Fault {
            class,
            code,
            message,
            pointer,
            hint,
            retry,
        } = fault;
        Fault {
            class,
            code: self.scrub(&code),
            message: self.scrub(&message),
            pointer: pointer.map(|pointer| self.scrub(&pointer)),
            hint: hint.map(|hint| self.scrub(&hint)),
            retry,
        }
    }
}

#[cfg(test)]
mod tests {
    use whimbrel_core::fault::{Fault, FaultClass};

    use super::Scrubber;

    #[test]
    fn every_text_of_a_fault_is_without_secrets() {
        let fault = |word: &str| Fault {
            pointer: Some(format!("/{word}")),
            ..Fault::new(
                FaultClass::Denied,
                &format!("{word}.no"),
                format!("{word} is wrong"),
            )
            .with_hint(format!("ask for {word}"))
        };
        let scrubber = Scrubber::default();
        scrubber.register("hunter22");
        let clean = scrubber.clean_fault(fault("hunter22"));
        assert_eq!(clean, fault("[redacted]"));
    }
}
