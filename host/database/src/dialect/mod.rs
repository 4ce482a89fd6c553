//! What can be said of SQL text without a database: where statements end, how each can be run, what it destroys.
//!
//! Pure: no I/O. A statement that the parser doesn't know is kept and left to the server to judge; only what is
//! certainly wrong or forbidden is refused.

pub(crate) mod cursor;
pub(crate) mod pieces;
pub(crate) mod reading;
pub(crate) mod refusal;
pub(crate) mod token;

use whimbrel_core::finding::Severity;
use whimbrel_core::statement::{Dialect, Statement};

pub use self::reading::{require_read, split_query};

use self::pieces::Piece;
use self::refusal::Refusal;
use crate::{postgres, sqlite};

/// SQL text that can't be taken as a definition's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SqlError {
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
    /// The same in bytes from the beginning of the text.
    pub offset: usize,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl SqlError {
    fn at(text: &str, offset: usize, message: String, hint: Option<&str>) -> Self {
        let (line, column) = token::place(text, offset);
        Self {
            line,
            column,
            offset,
            message,
            hint: hint.map(str::to_owned),
        }
    }
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
    /// Where it begins, in bytes of the text.
    pub offset: usize,
}

/// Splits a text into statements and classifies them.
///
/// # Errors
///
/// The first of what [`split_whole`] finds.
pub fn split(dialect: Dialect, text: &str) -> Result<Vec<Statement>, SqlError> {
    split_with_notices(dialect, text).map(|(statements, _)| statements)
}

/// Splits a text into statements and classifies them, and tells everything that is wrong with it.
///
/// # Errors
///
/// A string, comment or quoted name that never ends, or statements that a definition may not hold: transaction control
/// (an outer `BEGIN … COMMIT` is stripped), changes to Whimbrel's own tables, an unnamed concurrent index, … Never empty.
pub fn split_whole(dialect: Dialect, text: &str) -> Result<Vec<Statement>, Vec<SqlError>> {
    let split = examine(dialect, text);
    if split.errors.is_empty() {
        Ok(split.statements)
    } else {
        Err(split.errors)
    }
}

/// What there is in a text.
#[derive(Default)]
struct Split {
    statements: Vec<Statement>,
    notices: Vec<SplitNotice>,
    errors: Vec<SqlError>,
}

/// What a person should know of a text that was split.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SplitNotice {
    /// What there is to know.
    pub message: String,
    /// Where it begins, in bytes of the text.
    pub offset: usize,
}

/// The same as [`split`], with what a person should know, such as that an outer `BEGIN … COMMIT` was stripped.
///
/// # Errors
///
/// As [`split`].
pub fn split_with_notices(
    dialect: Dialect,
    text: &str,
) -> Result<(Vec<Statement>, Vec<SplitNotice>), SqlError> {
    let split = examine(dialect, text);
    match split.errors.into_iter().next() {
        Some(error) => Err(error),
        None => Ok((split.statements, split.notices)),
    }
}

fn examine(dialect: Dialect, text: &str) -> Split {
    let mut split = Split::default();
    let mut pieces = match pieces::pieces(dialect, text) {
        Ok(pieces) => pieces,
        Err(open) => {
            let message = format!("this {} never ends", open.what);
            let hint = "close it: everything after it would be a part of it";
            let error = SqlError::at(text, open.start, message, Some(hint));
            split.errors.push(error);
            return split;
        }
    };
    if let Some(start) = strip_outer_transaction(dialect, &mut pieces) {
        split.notices.push(SplitNotice {
            message:
                "the outer BEGIN … COMMIT is left out: Whimbrel opens and commits the transaction"
                    .to_owned(),
            offset: start,
        });
    }
    for piece in &pieces {
        let refusal = match dialect {
            Dialect::Postgres => postgres::refuse(piece),
            Dialect::Sqlite => sqlite::refuse(piece),
        };
        if let Some(Refusal {
            offset,
            message,
            hint,
        }) = refusal
        {
            let error = SqlError::at(text, offset, message, hint);
            split.errors.push(error);
            continue;
        }
        let (line, _) = token::place(text, piece.start);
        split.statements.push(match dialect {
            Dialect::Postgres => postgres::classify(piece, line),
            Dialect::Sqlite => sqlite::classify(piece, line),
        });
    }
    split
}

/// Removes a plain `BEGIN` at the start and the `COMMIT` at the end. On SQLite pragmas may stand around them, as the
/// recipe for rebuilding a table has it. Gives the offset of the `BEGIN`, if there was one.
fn strip_outer_transaction(dialect: Dialect, pieces: &mut Vec<Piece<'_>>) -> Option<usize> {
    let around = |piece: &Piece<'_>| dialect == Dialect::Sqlite && piece.begins(&["pragma"]);
    let first = pieces.iter().position(|piece| !around(piece));
    let last = pieces.iter().rposition(|piece| !around(piece));
    let (first, last) = (first?, last?);
    let opens = pieces.get(first).is_some_and(is_plain_begin);
    let closes = pieces.get(last).is_some_and(is_plain_commit);
    if first < last && opens && closes {
        pieces.remove(last);
        return Some(pieces.remove(first).start);
    }
    None
}

fn is_plain_begin(piece: &Piece<'_>) -> bool {
    const FORMS: [&[&str]; 9] = [
        &["begin"],
        &["begin", "work"],
        &["begin", "transaction"],
        &["start", "transaction"],
        &["begin", "deferred"],
        &["begin", "immediate"],
        &["begin", "exclusive"],
        &["begin", "immediate", "transaction"],
        &["begin", "exclusive", "transaction"],
    ];
    FORMS
        .iter()
        .any(|form| piece.tokens.len() == form.len() && piece.begins(form))
}

fn is_plain_commit(piece: &Piece<'_>) -> bool {
    const FORMS: [&[&str]; 6] = [
        &["commit"],
        &["commit", "work"],
        &["commit", "transaction"],
        &["end"],
        &["end", "work"],
        &["end", "transaction"],
    ];
    FORMS
        .iter()
        .any(|form| piece.tokens.len() == form.len() && piece.begins(form))
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
        // Means the same whatever standard_conforming_strings says. The space keeps it apart from a word before it.
        format!(" E'{}'", quoted.replace('\\', "\\\\"))
    } else {
        format!("'{quoted}'")
    }
}

/// What the dialect's rules have to say of a whole text.
#[must_use]
pub fn lint(dialect: Dialect, text: &str) -> Vec<LintFinding> {
    match dialect {
        Dialect::Postgres => postgres::lint(text),
        Dialect::Sqlite => sqlite::lint(text),
    }
}

/// The names of the rules of every dialect, sorted: what [`lint`] may say besides that the grammar is broken.
#[must_use]
pub fn lint_rules() -> Vec<String> {
    let mut names = postgres::lint_rules();
    names.extend(sqlite::LINT_RULES.map(str::to_owned));
    names.sort();
    names.dedup();
    names
}

/// Whether a statement switches SQLite's foreign keys off: the run hoists such a leading one before BEGIN, because
/// inside a transaction it does nothing and a rebuilt table empties the tables that refer to it.
#[must_use]
pub fn is_foreign_keys_off(statement: &Statement) -> bool {
    sqlite::foreign_keys_pragma(&statement.text) == Some(false)
}
