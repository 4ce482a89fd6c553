//! SHA-256 digests as a type, so that no other string is taken for one.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256};

/// A SHA-256 digest. Displayed as `sha256:<64 hex digits>`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of some bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// The 64 lower-case hexadecimal digits without the algorithm's name.
    #[must_use]
    pub fn hex(&self) -> String {
        hex::encode(self.0)
    }

    /// The first twelve hexadecimal digits: enough for a person to recognise it.
    #[must_use]
    pub fn short(&self) -> String {
        self.hex().chars().take(12).collect()
    }
}

/// The text was not `sha256:` and 64 hexadecimal digits.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("expected `sha256:` followed by 64 hexadecimal digits")]
pub struct DigestError;

impl FromStr for Digest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        let hexadecimal = text.strip_prefix("sha256:").unwrap_or(text);
        let mut bytes = [0; 32];
        hex::decode_to_slice(hexadecimal, &mut bytes).map_err(|_| DigestError)?;
        Ok(Self(bytes))
    }
}

/// What a person names a plan by: its digest, or at least the first twelve digits of it, with or without `sha256:`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DigestPrefix(String);

/// The text names no plan.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "expected a plan's digest, or at least {LEAST_DIGITS} digits of it, as `whimbrel plan` shows it on its last line"
)]
pub struct DigestPrefixError;

/// Fewer could be another plan's.
const LEAST_DIGITS: usize = 12;

/// How many a whole one has.
const DIGITS: usize = 64;

impl DigestPrefix {
    /// As it was named.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it names this one.
    #[must_use]
    pub fn names(&self, digest: &Digest) -> bool {
        digest
            .hex()
            .starts_with(&digits(&self.0).to_ascii_lowercase())
    }
}

impl FromStr for DigestPrefix {
    type Err = DigestPrefixError;

    fn from_str(text: &str) -> Result<Self, DigestPrefixError> {
        let digits = digits(text);
        let hexadecimal = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        if hexadecimal && (LEAST_DIGITS..=DIGITS).contains(&digits.len()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(DigestPrefixError)
        }
    }
}

fn digits(text: &str) -> &str {
    text.strip_prefix("sha256:").unwrap_or(text)
}

impl fmt::Display for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "sha256:{}", self.hex())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{self}")
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::{Digest, DigestPrefix};

    #[test]
    fn reads_what_it_prints() {
        let digest = Digest::of(b"whimbrel");
        assert_eq!(digest.to_string().parse(), Ok(digest));
        assert_eq!(digest.hex().parse(), Ok(digest));
        assert_eq!(digest.short().len(), 12);
    }

    #[test]
    fn refuses_anything_else() {
        assert!("sha256:12".parse::<Digest>().is_err());
        assert!("md5:00".parse::<Digest>().is_err());
    }

    #[test]
    fn twelve_digits_name_it() {
        let digest = Digest::of(b"whimbrel");
        let named = |text: &str| {
            text.parse::<DigestPrefix>()
                .map(|prefix| prefix.names(&digest))
        };
        let whole = digest.to_string();
        for text in [
            &whole,
            &digest.hex(),
            &digest.short(),
            &digest.short().to_uppercase(),
        ] {
            assert_eq!(named(text), Ok(true), "{text}");
        }
        assert_eq!(named("000000000000"), Ok(false));
        for text in [
            "",
            "sha256:",
            "nonsense",
            "sha256:12",
            "whatever it is",
            &format!("{whole}0"),
        ] {
            assert!(named(text).is_err(), "{text}");
        }
    }
}
