//! Checksums of definitions. `w1` is frozen: a later algorithm gets a new name and never changes old rows.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value as Json;

use crate::digest::Digest;

/// A checksum with the name of its algorithm, displayed as `w1:<64 hex digits>`. Copies share its text: plans and histories
/// of many databases have the same ones.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Checksum(Arc<str>);

/// The text was not `ALGORITHM:HEX`.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("expected a checksum such as `w1:` followed by hexadecimal digits")]
pub struct ChecksumError;

impl Checksum {
    /// `w1`: SHA-256 over the canonical JSON of a definition with its placeholders and the text of its files.
    #[must_use]
    pub fn w1(definition: &Json) -> Self {
        let hexadecimal = Digest::of(crate::canonical::text(definition).as_bytes()).hex();
        Self(format!("w1:{hexadecimal}").into())
    }

    /// The name of the algorithm.
    #[must_use]
    pub fn algorithm(&self) -> &str {
        self.parts().0
    }

    /// Algorithm and the first twelve digits: enough for a person to recognise it.
    #[must_use]
    pub fn short(&self) -> String {
        let (algorithm, hexadecimal) = self.parts();
        let first: String = hexadecimal.chars().take(12).collect();
        format!("{algorithm}:{first}")
    }

    fn parts(&self) -> (&str, &str) {
        self.0.split_once(':').unwrap_or((&self.0, ""))
    }
}

impl FromStr for Checksum {
    type Err = ChecksumError;

    fn from_str(text: &str) -> Result<Self, ChecksumError> {
        let (algorithm, hexadecimal) = text.split_once(':').ok_or(ChecksumError)?;
        let hex =
            !hexadecimal.is_empty() && hexadecimal.bytes().all(|byte| byte.is_ascii_hexdigit());
        if algorithm.is_empty() || !hex {
            return Err(ChecksumError);
        }
        Ok(Self(text.into()))
    }
}

impl fmt::Display for Checksum {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Debug for Checksum {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{self}")
    }
}

impl Serialize for Checksum {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Checksum {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}
