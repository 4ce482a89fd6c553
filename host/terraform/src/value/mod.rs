//! Values as Terraform has them, apart from how they are written.
//!
//! A value doesn't carry its type: the schema says it, and both codecs, msgpack and JSON, are driven by it.

mod dynamic;
mod error;
mod json;
mod kind;
mod msgpack;
mod number;
#[cfg(test)]
mod samples;
mod text;

use std::collections::BTreeMap;
use std::fmt;

pub(crate) use dynamic::{from_wire, to_wire};
pub use error::ValueError;
pub(crate) use error::{Place, Step};
pub(crate) use json::state_from_json;
pub use kind::Type;
pub use number::{Number, NumberError};

/// A sensitive value that only the host holds, by the number under which it holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token(pub(crate) u64);

impl fmt::Display for Token {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.0)
    }
}

impl std::str::FromStr for Token {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

/// One value. Its `Debug` shows what kind it is and no more, because it may be secret.
#[derive(Clone, PartialEq, Eq, Default)]
pub enum Value {
    /// Absent.
    #[default]
    Null,
    /// Not known before something was applied. What Terraform says of its range isn't kept.
    Unknown,
    /// A boolean.
    Bool(bool),
    /// A number, exact.
    Number(Number),
    /// Text.
    String(String),
    /// A list, a set or a tuple.
    List(Vec<Value>),
    /// A map, an object or a block.
    Map(BTreeMap<String, Value>),
    /// A value where the schema says `dynamic`, with the type that it turned out to have.
    Dynamic(Box<Type>, Box<Value>),
    /// A sensitive or write-only value that only the host holds.
    Sealed(Token),
}

impl Value {
    /// An object of these attributes.
    #[must_use]
    pub fn object<const N: usize>(attributes: [(&str, Self); N]) -> Self {
        let named = attributes.map(|(name, value)| (name.to_owned(), value));
        Self::Map(BTreeMap::from(named))
    }

    /// Whether it is null, seen through `dynamic`.
    #[must_use]
    pub fn is_null(&self) -> bool {
        match self {
            Self::Null => true,
            Self::Dynamic(_, value) => value.is_null(),
            _ => false,
        }
    }

    /// Whether it is unknown as a whole, seen through `dynamic`.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        match self {
            Self::Unknown => true,
            Self::Dynamic(_, value) => value.is_unknown(),
            _ => false,
        }
    }

    /// Whether nothing in it is unknown.
    #[must_use]
    pub fn is_wholly_known(&self) -> bool {
        match self {
            Self::Unknown => false,
            Self::List(elements) => elements.iter().all(Self::is_wholly_known),
            Self::Map(members) => members.values().all(Self::is_wholly_known),
            Self::Dynamic(_, value) => value.is_wholly_known(),
            _ => true,
        }
    }

    /// The attribute or element of this name; none of anything that has no names.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Map(members) => members.get(name),
            Self::Dynamic(_, value) => value.get(name),
            _ => None,
        }
    }

    /// The text, if it is a known one.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            Self::Dynamic(_, value) => value.as_str(),
            _ => None,
        }
    }

    /// The attributes or elements by name, if it has names.
    #[must_use]
    pub const fn as_map(&self) -> Option<&BTreeMap<String, Self>> {
        match self {
            Self::Map(members) => Some(members),
            _ => None,
        }
    }

    /// What kind of value it is, for messages.
    pub(crate) const fn what(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Unknown => "an unknown value",
            Self::Bool(_) => "a boolean",
            Self::Number(_) => "a number",
            Self::String(_) => "a string",
            Self::List(_) => "a list",
            Self::Map(_) => "an object",
            Self::Dynamic(..) => "a value with a type of its own",
            Self::Sealed(_) => "a sealed value",
        }
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        #[cfg(test)]
        return formatter.write_str(&self.to_json());
        #[cfg(not(test))]
        formatter.write_str(self.what())
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::String(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::String(text)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Number(Number::from(value))
    }
}
