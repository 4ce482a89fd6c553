//! Asks the SQLite that comes with Whimbrel whether a statement is one.

use rusqlite::Connection;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};

/// An empty database in memory, in which statements are prepared and never run.
pub(super) struct Grammar(Connection);

/// What SQLite says of a statement that breaks its grammar.
pub(super) struct Broken {
    pub(super) message: String,
    /// Where, in bytes from the statement's start.
    pub(super) offset: usize,
}

impl Grammar {
    /// Nothing when there is no memory for one.
    pub(super) fn open() -> Option<Self> {
        let mut connection = Connection::open_in_memory().ok()?;
        // Some pragmas act while they are prepared, on the whole process (`hard_heap_limit`).
        connection
            .authorizer(Some(|context: AuthContext<'_>| match context.action {
                AuthAction::Pragma { .. } => Authorization::Deny,
                _ => Authorization::Allow,
            }))
            .ok()?;
        Some(Self(connection))
    }

    /// Tables that aren't there, and all else that hangs on the database, is not looked at.
    pub(super) fn examine(&self, statement: &str) -> Option<Broken> {
        let (message, offset) = match self.0.prepare(statement).err()? {
            rusqlite::Error::SqlInputError { msg, offset, .. } => {
                (msg, usize::try_from(offset).unwrap_or(0))
            }
            rusqlite::Error::SqliteFailure(_, Some(message)) => (message, 0),
            _ => return None,
        };
        // Names may hold anything, so how the message begins counts as well.
        let broken = message == "incomplete input"
            || message.starts_with("unrecognized token: ")
            || message.starts_with("syntax error ")
            || (message.starts_with("near ") && message.ends_with(": syntax error"));
        broken.then_some(Broken { message, offset })
    }
}
