//! Values of rows and parameters.

use std::fmt;

pub use crate::bindings::whimbrel::sql::database::{RowSet, Value};

impl Value {
    /// The integer, also of a boolean or of text that is one.
    #[must_use]
    pub fn as_integer(&self) -> Option<i64> {
        match self {
            Self::Integer(value) => Some(*value),
            Self::Boolean(value) => Some(i64::from(*value)),
            Self::Decimal(text) | Self::Text(text) => text.parse().ok(),
            _ => None,
        }
    }

    /// The text of whatever crosses as text.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Decimal(text)
            | Self::Text(text)
            | Self::Time(text)
            | Self::Json(text)
            | Self::Other((text, _)) => Some(text),
            _ => None,
        }
    }

    /// Whether it is NULL.
    #[must_use]
    pub const fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }
}

impl fmt::Display for Value {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => formatter.write_str("NULL"),
            Self::Boolean(value) => write!(formatter, "{value}"),
            Self::Integer(value) => write!(formatter, "{value}"),
            Self::Real(value) => write!(formatter, "{value}"),
            Self::Bytes(bytes) => write!(formatter, "{} bytes", bytes.len()),
            Self::Decimal(text)
            | Self::Text(text)
            | Self::Time(text)
            | Self::Json(text)
            | Self::Other((text, _)) => formatter.write_str(text),
        }
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Integer(value)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Boolean(value)
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Self::Real(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}

impl From<Vec<u8>> for Value {
    fn from(value: Vec<u8>) -> Self {
        Self::Bytes(value)
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl RowSet {
    /// The first value of the first row.
    #[must_use]
    pub fn single(&self) -> Option<&Value> {
        self.rows.first()?.first()
    }
}

#[cfg(test)]
mod tests {
    use super::{RowSet, Value};

    #[test]
    fn converts_what_rust_has() {
        assert_eq!(Value::from(7), Value::Integer(7));
        assert_eq!(Value::from(Some("x")), Value::Text("x".to_owned()));
        assert_eq!(Value::from(None::<bool>), Value::Null);
        assert_eq!(Value::from(1.5).to_string(), "1.5");
        assert_eq!(Value::from(vec![1, 2]).to_string(), "2 bytes");
        assert_eq!(Value::from(true).as_integer(), Some(1));
        assert_eq!(Value::from("12").as_integer(), Some(12));
        assert_eq!(
            Value::Other(("a".into(), "uuid".into())).as_text(),
            Some("a")
        );
        assert!(Value::Null.is_null() && Value::Null.as_integer().is_none());
        assert_eq!(Value::Null.to_string(), "NULL");
    }

    #[test]
    fn finds_the_single_value() {
        let set = RowSet {
            columns: vec!["n".into()],
            rows: vec![vec![Value::from(3)]],
        };
        assert_eq!(set.single(), Some(&Value::Integer(3)));
    }
}
