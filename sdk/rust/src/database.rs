//! The database that the current step works on.
//!
//! A transaction begins at the first statement after a commit, and nothing lasts but through [`commit`] or the step's
//! own success. After a [`Error::Database`] the host has rolled back to the last commit.

#[cfg(target_arch = "wasm32")]
use crate::bindings::whimbrel::sql::database as host;
pub use crate::bindings::whimbrel::sql::database::{Error, Refusal};
use crate::{Dialect, RowSet, Value, import};

/// The database's dialect.
#[must_use]
pub fn dialect() -> Dialect {
    Dialect::from(import!(host::dialect_of, dialect_of()).as_str())
}

/// Quotes one name. Values always travel as parameters, written `$1`, `$2` in every dialect.
#[must_use]
pub fn quote(name: &str) -> String {
    import!(host::quote, quote(name))
}

/// Runs a statement and gives its rows.
///
/// # Errors
/// As the database, or the host, refuses.
pub fn query(statement: &str, parameters: &[Value]) -> Result<RowSet, Error> {
    import!(host::query, query(statement, parameters))
}

/// Runs a statement and gives the number of rows that it affected.
///
/// # Errors
/// As the database, or the host, refuses.
pub fn execute(statement: &str, parameters: &[Value]) -> Result<u64, Error> {
    import!(host::execute, execute(statement, parameters))
}

/// Commits everything since the last commit together with this checkpoint and the progress.
///
/// # Errors
/// As the database, or the host, refuses; [`Error::Stop`] when another run took the database over.
pub fn commit(checkpoint: &[u8], rows_done: u64, rows_total: Option<u64>) -> Result<(), Error> {
    import!(host::commit, commit(checkpoint, rows_done, rows_total))
}

/// Goes back to the last commit.
///
/// # Errors
/// As the database, or the host, refuses.
pub fn rollback() -> Result<(), Error> {
    import!(host::rollback, rollback())
}

/// Inserts rows by the dialect's bulk path.
///
/// # Errors
/// As the database, or the host, refuses.
pub fn insert(table: &str, columns: &[String], rows: &[Vec<Value>]) -> Result<u64, Error> {
    import!(host::insert, insert(table, columns, rows))
}

/// The last checkpoint that was committed by this step of this migration; none on a first attempt.
#[must_use]
pub fn last_checkpoint() -> Option<Vec<u8>> {
    import!(host::last_checkpoint, last_checkpoint())
}
