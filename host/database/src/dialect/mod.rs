//! What can be said of SQL text without a database: where statements end, how each can be run, what it destroys.
//!
//! Pure: no I/O. A statement that the parser doesn't know is kept and left to the server to judge; only what is
//! certainly wrong or forbidden is refused.

use whimbrel_core::finding::Severity;
use whimbrel_core::statement::{Dialect, Statement};

/// SQL text that can't be taken as a definition's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SqlError {
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

/// One thing that a rule found in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LintFinding {
    /// The rule's stable name.
    pub rule: String,
    /// How bad it is.
    pub severity: Severity,
    /// What was found.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
    /// Line, from 1.
    pub line: u32,
}

/// Splits a text into statements and classifies them.
///
/// # Errors
///
/// A string, comment or quoted name that never ends, or a statement that a definition may not hold: transaction control
/// (an outer `BEGIN … COMMIT` is stripped), changes to Whimbrel's own tables, an unnamed concurrent index, …
pub fn split(dialect: Dialect, text: &str) -> Result<Vec<Statement>, SqlError> {
    split_with_notices(dialect, text).map(|(statements, _)| statements)
}

/// The same as [`split`], with what a person should know, such as that an outer `BEGIN … COMMIT` was stripped.
///
/// # Errors
///
/// As [`split`].
pub fn split_with_notices(
    dialect: Dialect,
    text: &str,
) -> Result<(Vec<Statement>, Vec<String>), SqlError> {
    let _ = (dialect, text);
    Ok((Vec::new(), Vec::new()))
}

/// Quotes a name, so that it is one identifier whatever it holds.
#[must_use]
pub fn quote_identifier(_dialect: Dialect, name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Quotes a text, so that it is one literal whatever it holds.
#[must_use]
pub fn quote_literal(dialect: Dialect, text: &str) -> String {
    let quoted = text.replace('\'', "''");
    if dialect == Dialect::Postgres && text.contains('\\') {
        // Safe whatever standard_conforming_strings says.
        format!(" E'{}'", quoted.replace('\\', "\\\\"))
    } else {
        format!("'{quoted}'")
    }
}

/// What the dialect's rules have to say of a whole text.
#[must_use]
pub fn lint(dialect: Dialect, text: &str) -> Vec<LintFinding> {
    let _ = (dialect, text);
    Vec::new()
}

/// Whether a statement switches SQLite's foreign keys off: the run hoists such a leading one before BEGIN, because
/// inside a transaction it does nothing and a rebuilt table empties the tables that refer to it.
#[must_use]
pub fn is_foreign_keys_off(statement: &Statement) -> bool {
    let _ = statement;
    false
}
