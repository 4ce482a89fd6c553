//! Values that travel between a database, the engine and plugins.

use serde::{Deserialize, Serialize};

/// One value of a row or one parameter of a statement. The same cases as `whimbrel:sql/database.value`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Value {
    /// SQL NULL.
    Null,
    /// A boolean; SQLite has none and gives integers.
    Boolean(bool),
    /// A signed 64-bit integer.
    Integer(i64),
    /// A double.
    Real(f64),
    /// Base-10 text, so that no digit is lost.
    Decimal(String),
    /// Text.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
    /// RFC 3339 for instants; ISO 8601 for dates and times alone.
    Time(String),
    /// JSON text.
    Json(String),
    /// Anything else, as text, with its type's name.
    Other(String, String),
}

impl Value {
    /// The value as a person would read it; NULL as `NULL`, bytes as `\x` and hexadecimal digits.
    #[must_use]
    pub fn display(&self) -> String {
        match self {
            Self::Null => "NULL".to_owned(),
            Self::Boolean(value) => value.to_string(),
            Self::Integer(value) => value.to_string(),
            Self::Real(value) => value.to_string(),
            Self::Bytes(value) => format!("\\x{}", hex::encode(value)),
            Self::Decimal(text)
            | Self::Text(text)
            | Self::Time(text)
            | Self::Json(text)
            | Self::Other(text, _) => text.clone(),
        }
    }
}

/// The rows that a query gave.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RowSet {
    /// Names of the columns.
    pub columns: Vec<String>,
    /// Rows, each with one value per column.
    pub rows: Vec<Vec<Value>>,
}

impl RowSet {
    /// The first value of the first row.
    #[must_use]
    pub fn single(&self) -> Option<&Value> {
        self.rows.first().and_then(|row| row.first())
    }
}
