//! Text that a scrubber has been over, told from other text by its type.

use std::fmt;
use std::ops::Deref;

use serde::Serialize;

use super::Scrubber;

/// Text without secrets. Only a scrubber makes one of what isn't known when the program is compiled, so that whoever
/// takes nothing else can't be told a secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
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
}
