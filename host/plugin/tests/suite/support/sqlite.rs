//! A real SQLite behind the step's database, with the journal's part played in memory.

use std::path::Path;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use rusqlite::Connection;
use rusqlite::types::{Value as Cell, ValueRef};
use whimbrel_core::statement::Dialect;
use whimbrel_core::value::{RowSet, Value};
use whimbrel_plugin::{SqlError, StepDatabase};

/// What outlives a call: as the history would keep it.
#[derive(Clone, Debug, Default)]
pub struct Kept {
    pub checkpoint: Option<Vec<u8>>,
    pub commits: Vec<(u64, Option<u64>)>,
}

pub struct Sqlite {
    connection: Connection,
    kept: Arc<Mutex<Kept>>,
    /// The connection is lost at this many further commits.
    pub commits_left: Option<usize>,
}

impl Sqlite {
    pub fn open(path: &Path, kept: &Arc<Mutex<Kept>>) -> Self {
        Self {
            connection: Connection::open(path).unwrap(),
            kept: Arc::clone(kept),
            commits_left: None,
        }
    }

    fn begin(&self) -> Result<(), SqlError> {
        if self.connection.is_autocommit() {
            self.connection
                .execute_batch("BEGIN IMMEDIATE")
                .map_err(refusal)?;
        }
        Ok(())
    }

    fn settle<T>(&self, answer: rusqlite::Result<T>) -> Result<T, SqlError> {
        answer.map_err(|error| {
            let _ = self.connection.execute_batch("ROLLBACK");
            refusal(error)
        })
    }
}

#[allow(clippy::needless_pass_by_value)] // as `map_err` gives it
fn refusal(error: rusqlite::Error) -> SqlError {
    SqlError::Database {
        code: error
            .sqlite_error_code()
            .map_or_else(String::new, |code| format!("{code:?}")),
        message: error.to_string(),
        detail: None,
    }
}

fn cell(value: Value) -> Cell {
    match value {
        Value::Null => Cell::Null,
        Value::Boolean(value) => Cell::Integer(i64::from(value)),
        Value::Integer(value) => Cell::Integer(value),
        Value::Real(value) => Cell::Real(value),
        Value::Bytes(bytes) => Cell::Blob(bytes),
        Value::Decimal(text)
        | Value::Text(text)
        | Value::Time(text)
        | Value::Json(text)
        | Value::Other(text, _) => Cell::Text(text),
    }
}

fn value(cell: ValueRef<'_>) -> Value {
    match cell {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(value) => Value::Integer(value),
        ValueRef::Real(value) => Value::Real(value),
        ValueRef::Text(text) => Value::Text(String::from_utf8_lossy(text).into_owned()),
        ValueRef::Blob(bytes) => Value::Bytes(bytes.to_vec()),
    }
}

fn select(
    connection: &Connection,
    statement: &str,
    parameters: Vec<Value>,
) -> rusqlite::Result<RowSet> {
    let mut prepared = connection.prepare_cached(statement)?;
    let columns: Vec<String> = prepared.column_names().map(str::to_owned).collect();
    let cells = rusqlite::params_from_iter(parameters.into_iter().map(cell));
    let rows = prepared
        .query_map(cells, |row| {
            (0..columns.len())
                .map(|index| row.get_ref(index).map(value))
                .collect()
        })?
        .collect::<rusqlite::Result<Vec<Vec<Value>>>>()?;
    Ok(RowSet { columns, rows })
}

#[async_trait]
impl StepDatabase for Sqlite {
    fn dialect(&self) -> Dialect {
        Dialect::Sqlite
    }

    fn quote(&self, name: &str) -> String {
        format!("\"{}\"", name.replace('"', "\"\""))
    }

    async fn query(&mut self, statement: &str, parameters: Vec<Value>) -> Result<RowSet, SqlError> {
        self.begin()?;
        self.settle(select(&self.connection, statement, parameters))
    }

    async fn execute(&mut self, statement: &str, parameters: Vec<Value>) -> Result<u64, SqlError> {
        self.begin()?;
        let cells = rusqlite::params_from_iter(parameters.into_iter().map(cell));
        let rows = self
            .connection
            .prepare_cached(statement)
            .and_then(|mut prepared| prepared.execute(cells));
        self.settle(rows).map(|rows| rows as u64)
    }

    async fn commit(
        &mut self,
        checkpoint: Vec<u8>,
        rows_done: u64,
        rows_total: Option<u64>,
    ) -> Result<(), SqlError> {
        if self.commits_left == Some(0) {
            let _ = self.connection.execute_batch("ROLLBACK");
            return Err(SqlError::Stop("connection lost".to_owned()));
        }
        self.commits_left = self.commits_left.map(|left| left - 1);
        self.connection.execute_batch("COMMIT").map_err(refusal)?;
        let mut kept = self.kept.lock().unwrap();
        kept.checkpoint = Some(checkpoint);
        kept.commits.push((rows_done, rows_total));
        Ok(())
    }

    async fn rollback(&mut self) -> Result<(), SqlError> {
        self.connection.execute_batch("ROLLBACK").map_err(refusal)
    }

    async fn insert(&mut self, _: &str, _: &[String], _: Vec<Vec<Value>>) -> Result<u64, SqlError> {
        Err(SqlError::Refused("not in this test".to_owned()))
    }

    fn last_checkpoint(&self) -> Option<Vec<u8>> {
        self.kept.lock().unwrap().checkpoint.clone()
    }

    fn in_transaction(&self) -> bool {
        !self.connection.is_autocommit()
    }
}
