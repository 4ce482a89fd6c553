//! What a session has prepared: Whimbrel's own statements that recur with every transaction. Parsing and planning them
//! anew costs the server as much as a small migration does.

use std::collections::HashMap;

use futures::future::join_all;
use tokio_postgres::{Client, Statement};

use crate::session::{Command, DatabaseError, ErrorKind, FORGOTTEN, Protocol};

/// `invalid_sql_statement_name`.
const NO_SUCH_STATEMENT: &str = "26000";

/// Prepared statements by their SQL; those that were met only once aren't prepared yet.
#[derive(Default)]
pub(super) struct Prepared(HashMap<String, Option<Statement>>);

impl Prepared {
    /// Prepares what recurs and was met before, in one wait for all of it, which it tells. Not for inside a transaction:
    /// an error would end that. What can't be prepared is sent as it is, and its error is met there.
    pub(super) async fn ready(&mut self, client: &Client, commands: &[Command]) -> bool {
        let mut wanted = Vec::new();
        for command in commands.iter().filter(|command| command.is_recurring()) {
            match self.0.get(command.sql()) {
                None => {
                    self.0.insert(command.sql().to_owned(), None);
                }
                Some(None) => wanted.push(command.sql()),
                Some(Some(_)) => {}
            }
        }
        let prepared = join_all(wanted.iter().map(|sql| client.prepare(sql))).await;
        for (sql, statement) in wanted.iter().zip(prepared) {
            self.0.insert((*sql).to_owned(), statement.ok());
        }
        !wanted.is_empty()
    }

    /// The statement of a command.
    pub(super) fn of(&self, command: &Command) -> Option<&Statement> {
        self.0.get(command.sql())?.as_ref()
    }

    /// Forgets everything, as the server may have.
    pub(super) fn forget(&mut self) {
        self.0.clear();
    }
}

/// Whether a definition's SQL may take prepared statements away. Inside a function or a string that is run it may do so
/// unseen; then [`forgotten`] tells.
pub(super) fn may_deallocate(commands: &[Command]) -> bool {
    let contains = |text: &str, word: &str| {
        text.as_bytes()
            .windows(word.len())
            .any(|window| window.eq_ignore_ascii_case(word.as_bytes()))
    };
    commands.iter().any(|command| {
        command.protocol() == Protocol::Text
            && (contains(command.sql(), "deallocate") || contains(command.sql(), "discard"))
    })
}

/// The error of a statement that was prepared and is gone: the same will succeed as it is.
pub(super) fn forgotten(error: DatabaseError) -> DatabaseError {
    if error.code != NO_SUCH_STATEMENT {
        return error;
    }
    DatabaseError::new(
        ErrorKind::Database,
        FORGOTTEN,
        "the session's prepared statements were taken away",
    )
}

#[cfg(test)]
mod tests {
    use super::{forgotten, may_deallocate};
    use crate::session::{Command, DatabaseError, ErrorKind};

    #[test]
    fn only_sql_of_definitions_is_looked_through() {
        let text = |sql: &str| may_deallocate(&[Command::text("BEGIN"), Command::text(sql)]);
        assert!(text("DeAllocate ALL") && text("DISCARD PLANS"));
        assert!(!text("ALLOCATE"));
        assert!(!may_deallocate(&[Command::with("DEALLOCATE", Vec::new())]));
    }

    #[test]
    fn only_what_is_gone_can_be_tried_again() {
        let error = |code| DatabaseError::new(ErrorKind::Database, code, "x");
        assert!(forgotten(error("26000")).is_retryable());
        assert!(!forgotten(error("42601")).is_retryable());
        assert!(!error("26000").is_retryable());
    }
}
