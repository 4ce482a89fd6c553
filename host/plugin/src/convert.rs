//! Between the contract's generated types and the core's.

use whimbrel_core::fault::{Fault, FaultClass, Retry};
use whimbrel_core::value::{RowSet, Value};

use crate::bindings::imports::whimbrel::observe::log as wit_log;
use crate::bindings::imports::whimbrel::sql::database as wit;
use crate::bindings::imports::whimbrel::types::types;
use crate::call::Level;
use crate::database::SqlError;

impl From<wit::Value> for Value {
    fn from(value: wit::Value) -> Self {
        match value {
            wit::Value::Null => Self::Null,
            wit::Value::Boolean(value) => Self::Boolean(value),
            wit::Value::Integer(value) => Self::Integer(value),
            wit::Value::Real(value) => Self::Real(value),
            wit::Value::Decimal(text) => Self::Decimal(text),
            wit::Value::Text(text) => Self::Text(text),
            wit::Value::Bytes(bytes) => Self::Bytes(bytes),
            wit::Value::Time(text) => Self::Time(text),
            wit::Value::Json(text) => Self::Json(text),
            wit::Value::Other((text, name)) => Self::Other(text, name),
        }
    }
}

impl From<Value> for wit::Value {
    fn from(value: Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Boolean(value) => Self::Boolean(value),
            Value::Integer(value) => Self::Integer(value),
            Value::Real(value) => Self::Real(value),
            Value::Decimal(text) => Self::Decimal(text),
            Value::Text(text) => Self::Text(text),
            Value::Bytes(bytes) => Self::Bytes(bytes),
            Value::Time(text) => Self::Time(text),
            Value::Json(text) => Self::Json(text),
            Value::Other(text, name) => Self::Other((text, name)),
        }
    }
}

/// Parameters or a row from the guest.
pub fn values(values: Vec<wit::Value>) -> Vec<Value> {
    values.into_iter().map(Value::from).collect()
}

/// Rows for the guest.
pub fn rows(set: RowSet) -> wit::RowSet {
    let row = |row: Vec<Value>| row.into_iter().map(wit::Value::from).collect();
    wit::RowSet {
        columns: set.columns,
        rows: set.rows.into_iter().map(row).collect(),
    }
}

/// About how many bytes of the guest's memory some rows take.
pub fn size(set: &RowSet) -> usize {
    let value = |value: &Value| match value {
        Value::Decimal(text) | Value::Text(text) | Value::Time(text) | Value::Json(text) => {
            text.len()
        }
        Value::Other(text, name) => text.len() + name.len(),
        Value::Bytes(bytes) => bytes.len(),
        Value::Null | Value::Boolean(_) | Value::Integer(_) | Value::Real(_) => 0,
    };
    set.rows
        .iter()
        .map(|row| 8 + row.iter().map(|cell| 24 + value(cell)).sum::<usize>())
        .sum()
}

impl From<SqlError> for wit::Error {
    fn from(error: SqlError) -> Self {
        match error {
            SqlError::Database {
                code,
                message,
                detail,
            } => Self::Database(wit::Refusal {
                code,
                message,
                detail,
            }),
            SqlError::Refused(reason) => Self::Refused(reason),
            SqlError::Stop(reason) => Self::Stop(reason),
        }
    }
}

impl From<types::Fault> for Fault {
    fn from(fault: types::Fault) -> Self {
        let class = match fault.class {
            types::FaultClass::Invalid => FaultClass::Invalid,
            types::FaultClass::Denied => FaultClass::Denied,
            types::FaultClass::NotFound => FaultClass::NotFound,
            types::FaultClass::Conflict => FaultClass::Conflict,
            types::FaultClass::Unavailable => FaultClass::Unavailable,
            types::FaultClass::Cancelled => FaultClass::Cancelled,
            types::FaultClass::Unsupported => FaultClass::Unsupported,
            types::FaultClass::Internal => FaultClass::Internal,
        };
        let retry = match fault.retry {
            types::Retry::Never => Retry::Never,
            types::Retry::Backoff => Retry::Backoff,
            types::Retry::After(milliseconds) => Retry::After(milliseconds),
        };
        Self {
            class,
            code: fault.code,
            message: fault.message,
            pointer: fault.pointer,
            hint: fault.hint,
            retry,
        }
    }
}

impl From<Fault> for types::Fault {
    fn from(fault: Fault) -> Self {
        let class = match fault.class {
            FaultClass::Invalid => types::FaultClass::Invalid,
            FaultClass::Denied => types::FaultClass::Denied,
            FaultClass::NotFound => types::FaultClass::NotFound,
            FaultClass::Conflict => types::FaultClass::Conflict,
            FaultClass::Unavailable => types::FaultClass::Unavailable,
            FaultClass::Cancelled => types::FaultClass::Cancelled,
            FaultClass::Unsupported => types::FaultClass::Unsupported,
            FaultClass::Internal => types::FaultClass::Internal,
        };
        let retry = match fault.retry {
            Retry::Never => types::Retry::Never,
            Retry::Backoff => types::Retry::Backoff,
            Retry::After(milliseconds) => types::Retry::After(milliseconds),
        };
        Self {
            class,
            code: fault.code,
            message: fault.message,
            pointer: fault.pointer,
            hint: fault.hint,
            retry,
        }
    }
}

impl From<wit_log::Level> for Level {
    fn from(level: wit_log::Level) -> Self {
        match level {
            wit_log::Level::Trace => Self::Trace,
            wit_log::Level::Debug => Self::Debug,
            wit_log::Level::Info => Self::Info,
            wit_log::Level::Warn => Self::Warn,
            wit_log::Level::Error => Self::Error,
        }
    }
}
