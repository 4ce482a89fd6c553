//! Names as types, checked once at the edge.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A name broke the rules that hold for all names.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum NameError {
    /// Nothing was given.
    #[error("a name can't be empty")]
    Empty,
    /// Longer than [`MAXIMUM_LENGTH`].
    #[error("a name has at most {MAXIMUM_LENGTH} characters, this one has {0}")]
    TooLong(usize),
    /// A character that no name may hold.
    #[error(
        "a name may hold letters, digits, `-`, `_` and `.`, and starts with a letter or a digit; `{0}` is none of them"
    )]
    Character(char),
}

/// The most characters a name may have.
pub const MAXIMUM_LENGTH: usize = 128;

fn check(text: &str) -> Result<(), NameError> {
    let mut characters = text.chars();
    match characters.next() {
        None => return Err(NameError::Empty),
        Some(first) if !first.is_ascii_alphanumeric() => return Err(NameError::Character(first)),
        Some(_) => {}
    }
    if let Some(other) =
        characters.find(|c| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')))
    {
        return Err(NameError::Character(other));
    }
    if text.len() > MAXIMUM_LENGTH {
        return Err(NameError::TooLong(text.len()));
    }
    Ok(())
}

macro_rules! name {
    ($(#[$documentation:meta])* $type:ident) => {
        $(#[$documentation])*
        #[derive(Clone, PartialEq, Eq, Hash)]
        pub struct $type(Arc<str>);

        impl $type {
            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $type {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                check(text)?;
                Ok(Self(text.into()))
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, formatter)
            }
        }

        impl Ord for $type {
            fn cmp(&self, other: &Self) -> Ordering {
                natural(&self.0, &other.0)
            }
        }

        impl PartialOrd for $type {
            fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
                Some(self.cmp(other))
            }
        }

        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

name! {
    /// The name of a migration. Ordered naturally: runs of digits compare as numbers, so `9-x` comes before `10-y`.
    MigrationName
}
name! {
    /// The name of an environment.
    EnvironmentName
}
name! {
    /// The name of a logical database of an environment.
    DatabaseName
}
name! {
    /// The name of a plugin, as `uses:` says it.
    PluginName
}
name! {
    /// The name of a project.
    ProjectName
}
name! {
    /// The name of a source that is followed.
    SourceName
}

/// One database to migrate: a logical database, and with `forEach` which of its many.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TargetName {
    /// The logical database.
    pub database: DatabaseName,
    /// The value of the first `forEach` column; none for a database that is just itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
}

impl TargetName {
    /// A database that is just itself.
    #[must_use]
    pub const fn single(database: DatabaseName) -> Self {
        Self {
            database,
            instance: None,
        }
    }
}

impl fmt::Display for TargetName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.instance {
            None => write!(formatter, "{}", self.database),
            Some(instance) => write!(formatter, "{}[{instance}]", self.database),
        }
    }
}

/// Compares with runs of digits taken as numbers; ties are broken by the bytes, so that the order is total.
fn natural(left: &str, right: &str) -> Ordering {
    let (mut a, mut b) = (left.as_bytes(), right.as_bytes());
    loop {
        match (a.first(), b.first()) {
            (None, None) => return left.cmp(right),
            (None, Some(_)) => return Ordering::Less,
            (Some(_), None) => return Ordering::Greater,
            (Some(x), Some(y)) if x.is_ascii_digit() && y.is_ascii_digit() => {
                let (number_a, rest_a) = digits(a);
                let (number_b, rest_b) = digits(b);
                let order = number_a
                    .len()
                    .cmp(&number_b.len())
                    .then_with(|| number_a.cmp(number_b));
                if order != Ordering::Equal {
                    return order;
                }
                (a, b) = (rest_a, rest_b);
            }
            (Some(x), Some(y)) => {
                if x != y {
                    return x.cmp(y);
                }
                (a, b) = (
                    a.get(1..).unwrap_or_default(),
                    b.get(1..).unwrap_or_default(),
                );
            }
        }
    }
}

/// The leading run of digits without its zeros, and what comes after it.
fn digits(bytes: &[u8]) -> (&[u8], &[u8]) {
    let end = bytes
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    let (run, rest) = bytes.split_at(end);
    let zeros = run.iter().take_while(|byte| **byte == b'0').count();
    (run.get(zeros..).unwrap_or_default(), rest)
}

#[cfg(test)]
mod tests {
    use super::{MigrationName, NameError};

    fn name(text: &str) -> MigrationName {
        text.parse().unwrap()
    }

    #[test]
    fn orders_numbers_as_numbers() {
        let mut names: Vec<_> = ["10-b", "9-a", "0010-a", "1.10", "1.9", "2"]
            .map(name)
            .into();
        names.sort();
        let sorted: Vec<_> = names.iter().map(MigrationName::as_str).collect();
        assert_eq!(sorted, ["1.9", "1.10", "2", "9-a", "0010-a", "10-b"]);
    }

    #[test]
    fn equal_numbers_still_have_one_order() {
        assert!(name("01") < name("1") && name("1") > name("01"));
    }

    #[test]
    fn refuses_what_is_no_name() {
        assert_eq!("".parse::<MigrationName>(), Err(NameError::Empty));
        assert_eq!(
            "a/b".parse::<MigrationName>(),
            Err(NameError::Character('/'))
        );
        assert_eq!(
            "-a".parse::<MigrationName>(),
            Err(NameError::Character('-'))
        );
        assert_eq!(
            "a".repeat(129).parse::<MigrationName>(),
            Err(NameError::TooLong(129))
        );
    }
}
