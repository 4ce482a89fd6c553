//! A query that is to read, run so that it can't do more: whatever a function does that it calls, nothing of it is written.
//!
//! On PostgreSQL it stands between what makes its transaction read-only and what rolls back, which go with it in one
//! flight; in a transaction that writes, a subtransaction is the one that only reads. SQLite's connection itself refuses.
//! What ends a transaction or makes it writable again has to be refused by its text before
//! ([`crate::dialect::require_read`]).

use whimbrel_core::statement::Dialect;

use super::{Command, CommandError, DatabaseError, Done, Session, rollback};

const BEGIN: &str = "BEGIN READ ONLY";
const SAVEPOINT: &str = "SAVEPOINT whimbrel_read; SET TRANSACTION READ ONLY";
const BACK: &str = "ROLLBACK TO SAVEPOINT whimbrel_read; RELEASE SAVEPOINT whimbrel_read";

/// What is sent for one query.
#[derive(Clone, Debug)]
pub struct Reading {
    commands: Vec<Command>,
    at: usize,
}

impl Reading {
    /// Of a query to a session whose transaction is open, or that has none.
    #[must_use]
    pub fn new(dialect: Dialect, in_transaction: bool, query: Command) -> Self {
        let (first, last) = match (dialect, in_transaction) {
            (Dialect::Sqlite, _) => {
                return Self {
                    commands: vec![query.reading()],
                    at: 0,
                };
            }
            (Dialect::Postgres, true) => (SAVEPOINT, Command::text(BACK)),
            (Dialect::Postgres, false) => (BEGIN, rollback(dialect)),
        };
        Self {
            commands: vec![Command::text(first).reading(), query, last],
            at: 1,
        }
    }

    /// In this order, at once.
    #[must_use]
    pub fn commands(&self) -> &[Command] {
        &self.commands
    }

    /// The answer to the query among those to all.
    ///
    /// # Errors
    /// One of them failed; with words for what a person sees who meant it to write.
    pub fn answer(&self, result: Result<Vec<Done>, CommandError>) -> Result<Done, DatabaseError> {
        match result {
            Ok(done) => Ok(done.into_iter().nth(self.at).unwrap_or_default()),
            Err(CommandError { mut error, .. }) => {
                if matches!(error.code.as_str(), "25006" | "SQLITE_READONLY") {
                    error.message = format!("a query here only reads: {}", error.message);
                }
                Err(error)
            }
        }
    }
}

/// Asks a session one query that can't write.
///
/// # Errors
/// The database refuses the query, or it tries to write.
pub async fn read(session: &mut dyn Session, query: Command) -> Result<Done, DatabaseError> {
    let open = session.in_transaction();
    let reading = Reading::new(session.dialect(), open, query);
    let result = session.run(reading.commands()).await;
    // Rolled back already, but for a ROLLBACK that was itself cancelled.
    if !open && session.in_transaction() && !session.is_closed() {
        session.run(&[rollback(session.dialect())]).await?;
    }
    reading.answer(result)
}
