//! Small parts of SQL that differ by dialect.

use whimbrel_core::statement::Dialect;
use whimbrel_core::value::Value;

use crate::session::{Command, NOT_ONE_ROW};

/// The name of one of Whimbrel's tables.
pub(crate) fn table(dialect: Dialect, name: &str) -> String {
    match dialect {
        Dialect::Postgres => format!("whimbrel.{name}"),
        Dialect::Sqlite => format!("whimbrel_{name}"),
    }
}

/// Now, by the target's clock.
pub(crate) const fn now(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Postgres => "clock_timestamp()",
        Dialect::Sqlite => "strftime('%Y-%m-%dT%H:%M:%fZ', 'now')",
    }
}

/// A change that must hit exactly one row: raised in SQL where commands are pipelined, so that no COMMIT passes it.
pub(crate) fn exactly_one(
    dialect: Dialect,
    change: &str,
    what: &str,
    mut parameters: Vec<Value>,
) -> Command {
    match dialect {
        Dialect::Postgres => {
            parameters.push(Value::Text(what.to_owned()));
            let sql = format!(
                "WITH changed AS ({change} RETURNING 1) \
                 SELECT whimbrel.assert_one((SELECT count(*) FROM changed), ${})",
                parameters.len()
            );
            Command::with(sql, parameters)
        }
        Dialect::Sqlite => Command::with(change, parameters).guarded(
            NOT_ONE_ROW,
            format!("{what}: exactly one row had to change, and none did"),
        ),
    }
}

pub(crate) fn text(value: &impl ToString) -> Value {
    Value::Text(value.to_string())
}

pub(crate) fn optional(value: Option<&impl ToString>) -> Value {
    value.map_or(Value::Null, text)
}

/// JSON as text, which both dialects keep as it is written.
pub(crate) fn json(value: &impl serde::Serialize) -> Value {
    Value::Text(serde_json::to_string(value).unwrap_or_else(|_| "null".to_owned()))
}

pub(crate) fn optional_bytes(value: Option<&[u8]>) -> Value {
    value.map_or(Value::Null, |bytes| Value::Bytes(bytes.to_vec()))
}

pub(crate) fn optional_integer(value: Option<i64>) -> Value {
    value.map_or(Value::Null, Value::Integer)
}

/// `$1, $2, …, $count`, the first being `from`.
pub(crate) fn places(from: usize, count: usize) -> String {
    let places: Vec<String> = (from..from + count)
        .map(|number| format!("${number}"))
        .collect();
    places.join(", ")
}
