//! What is sent, and what came back.

use std::time::Duration;

use whimbrel_core::statement::Dialect;
use whimbrel_core::value::{RowSet, Value};

/// One thing to send.
#[derive(Clone, Debug, PartialEq)]
pub struct Command {
    sql: String,
    parameters: Vec<Value>,
    protocol: Protocol,
    guard: Option<Guard>,
    is_recurring: bool,
    is_read: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// Text as it is: may hold anything, rows come back as text.
    Text,
    /// One statement with parameters: rows come back typed.
    Typed,
}

/// A command that must touch a row, or else is an error with this code. Where commands are pipelined the SQL itself has
/// to raise it; a guard serves the dialects that can't.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Guard {
    pub(crate) code: &'static str,
    pub(crate) message: String,
}

impl Command {
    /// SQL as it stands; it may hold anything that one message can carry. Rows come back as text.
    #[must_use]
    pub fn text(sql: impl Into<String>) -> Self {
        Self {
            sql: sql.into(),
            parameters: Vec::new(),
            protocol: Protocol::Text,
            guard: None,
            is_recurring: false,
            is_read: false,
        }
    }

    /// One statement with parameters `$1`, `$2` … in every dialect. Rows come back typed.
    #[must_use]
    pub fn with(sql: impl Into<String>, parameters: Vec<Value>) -> Self {
        Self {
            sql: sql.into(),
            parameters,
            protocol: Protocol::Typed,
            guard: None,
            is_recurring: false,
            is_read: false,
        }
    }

    pub(crate) fn guarded(mut self, code: &'static str, message: impl Into<String>) -> Self {
        self.guard = Some(Guard {
            code,
            message: message.into(),
        });
        self
    }

    /// The same, of which many will follow with other parameters: worth preparing once for all.
    pub(crate) const fn recurring(mut self) -> Self {
        self.is_recurring = true;
        self
    }

    /// The same as a read: a session that can keeps it from writing by itself, as that of SQLite does; of others it begins what is
    /// undone after its only query.
    pub(crate) const fn reading(mut self) -> Self {
        self.is_read = true;
        self
    }

    /// The SQL.
    #[must_use]
    pub fn sql(&self) -> &str {
        &self.sql
    }

    /// The parameters.
    #[must_use]
    pub fn parameters(&self) -> &[Value] {
        &self.parameters
    }

    pub(crate) const fn protocol(&self) -> Protocol {
        self.protocol
    }

    pub(crate) const fn is_recurring(&self) -> bool {
        self.is_recurring
    }

    pub(crate) const fn is_read(&self) -> bool {
        self.is_read
    }

    pub(crate) const fn guard(&self) -> Option<&Guard> {
        self.guard.as_ref()
    }
}

/// What a command did.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Done {
    /// Rows that it changed, or gave.
    pub rows_affected: u64,
    /// Rows that it gave.
    pub rows: RowSet,
}

/// Opens a transaction that writes: READ COMMITTED on PostgreSQL whatever the server's default, IMMEDIATE on SQLite.
#[must_use]
pub fn begin(dialect: Dialect) -> Command {
    Command::text(match dialect {
        Dialect::Postgres => "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE",
        Dialect::Sqlite => "BEGIN IMMEDIATE",
    })
}

/// Commits.
#[must_use]
pub fn commit(_dialect: Dialect) -> Command {
    Command::text("COMMIT")
}

/// Rolls back. Harmless when no transaction is open.
#[must_use]
pub fn rollback(_dialect: Dialect) -> Command {
    Command::text("ROLLBACK")
}

/// Brings role and settings back to what the session was opened with: to be sent after a definition's statements and
/// before Whimbrel's own. None where the dialect has nothing to bring back.
#[must_use]
pub fn restore(dialect: Dialect) -> Option<Command> {
    match dialect {
        Dialect::Postgres => Some(Command::text(
            "RESET SESSION AUTHORIZATION; RESET ROLE; RESET ALL",
        )),
        Dialect::Sqlite => None,
    }
}

/// Sets how long the following statements may wait for locks and may take; zero means for ever (SQLite: lock 0 means
/// not at all). On PostgreSQL inside a transaction they end with it.
#[must_use]
pub fn timeouts(dialect: Dialect, lock: Option<Duration>, statement: Option<Duration>) -> Command {
    let milliseconds = |duration: Option<Duration>| duration.map_or(0, |value| value.as_millis());
    let (lock, statement) = (milliseconds(lock), milliseconds(statement));
    Command::text(match dialect {
        Dialect::Postgres => {
            format!("SET lock_timeout = {lock}; SET statement_timeout = {statement}")
        }
        Dialect::Sqlite => {
            format!("PRAGMA busy_timeout = {lock}; PRAGMA whimbrel_statement_timeout = {statement}")
        }
    })
}

/// SQLite's check of all foreign keys: gives one row per violation, so a caller must see that there is none.
#[must_use]
pub fn foreign_key_check() -> Command {
    Command::with("PRAGMA foreign_key_check", Vec::new())
}
