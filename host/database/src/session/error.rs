//! What a database says when it refuses, with its own code kept.

use std::fmt;

/// What happened, as far as a caller acts on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The database answered with an error.
    Database,
    /// The connection is gone, or could not be made: nobody knows what the server did last.
    Connection,
    /// Something on this side: a value that can't be read, a session that was misused.
    Client,
}

/// An error of a database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatabaseError {
    /// What happened.
    pub kind: ErrorKind,
    /// SQLSTATE on PostgreSQL, the extended result code's name on SQLite, `WB…` for Whimbrel's own; may be empty.
    pub code: String,
    /// The message.
    pub message: String,
    /// More of it.
    pub detail: Option<String>,
    /// What the database advises.
    pub hint: Option<String>,
    /// Where in the statement, in characters from 1.
    pub position: Option<u32>,
}

/// Another run took over: the fence found a different epoch or run.
pub(crate) const FENCED: &str = "WB001";
/// A row that had to change exactly once didn't.
pub(crate) const NOT_ONE_ROW: &str = "WB002";
/// A COMMIT that the server answered with ROLLBACK.
pub(crate) const NOT_COMMITTED: &str = "WB003";
/// A statement that this session had prepared is gone.
pub(crate) const FORGOTTEN: &str = "WB004";

impl DatabaseError {
    /// An error with a code of Whimbrel's own.
    #[must_use]
    pub fn new(kind: ErrorKind, code: &str, message: impl Into<String>) -> Self {
        Self {
            kind,
            code: code.to_owned(),
            message: message.into(),
            detail: None,
            hint: None,
            position: None,
        }
    }

    /// The same error with a hint.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Whether the connection is gone, so that the outcome of the last command is unknown.
    #[must_use]
    pub fn is_connection_lost(&self) -> bool {
        self.kind == ErrorKind::Connection
            || matches!(
                self.code.as_str(),
                "57P01" | "57P02" | "57P03" | "57P05" | "25P03" | "25P04"
            )
            || self.code.starts_with("08")
    }

    /// Whether the same may succeed when it is tried again: lock timeout, deadlock, serialization failure, busy, or a
    /// definition took away what its session had prepared.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(self.code.as_str(), "40001" | "40P01" | "55P03" | FORGOTTEN)
            || self.code.starts_with("SQLITE_BUSY")
            || self.code.starts_with("SQLITE_LOCKED")
    }

    /// Whether the server refused the credentials.
    #[must_use]
    pub fn is_authentication(&self) -> bool {
        matches!(self.code.as_str(), "28000" | "28P01")
    }

    /// Whether a statement took longer than it may, or was cancelled.
    #[must_use]
    pub fn is_statement_timeout(&self) -> bool {
        matches!(self.code.as_str(), "57014" | "SQLITE_INTERRUPT")
    }

    /// Whether another run took over.
    #[must_use]
    pub fn is_fenced(&self) -> bool {
        self.code == FENCED
    }

    /// Whether a row that had to change exactly once didn't: the compare-and-set found another batch.
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        self.code == NOT_ONE_ROW
    }

    /// Whether a privilege is missing.
    #[must_use]
    pub fn is_permission(&self) -> bool {
        matches!(
            self.code.as_str(),
            "42501" | "SQLITE_READONLY" | "SQLITE_PERM" | "SQLITE_AUTH"
        )
    }

    /// Whether PostgreSQL finds no such table or schema: it may also have been dropped a moment ago.
    pub(crate) fn is_table_missing(&self) -> bool {
        matches!(self.code.as_str(), "42P01" | "3F000")
    }

    /// Whether something that must be unique is there already.
    #[must_use]
    pub fn is_unique_violation(&self) -> bool {
        matches!(
            self.code.as_str(),
            "23505" | "SQLITE_CONSTRAINT_UNIQUE" | "SQLITE_CONSTRAINT_PRIMARYKEY"
        )
    }
}

impl fmt::Display for DatabaseError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)?;
        if !self.code.is_empty() {
            write!(formatter, " ({})", self.code)?;
        }
        if let Some(detail) = &self.detail {
            write!(formatter, ": {detail}")?;
        }
        Ok(())
    }
}

impl std::error::Error for DatabaseError {}

/// Which of several commands failed, and how.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{error}")]
pub struct CommandError {
    /// The command, from 0.
    pub index: usize,
    /// How it failed.
    #[source]
    pub error: DatabaseError,
}

impl From<CommandError> for DatabaseError {
    fn from(error: CommandError) -> Self {
        error.error
    }
}
