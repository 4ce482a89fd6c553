//! What a definition for SQLite may not hold.

use whimbrel_core::statement::Dialect;

use crate::dialect::cursor::Cursor;
use crate::dialect::pieces::Piece;
use crate::dialect::refusal::{Refusal, of_own_tables, of_transaction_control};
use crate::dialect::token::Token;

const TRANSACTION_CONTROL: [&[&str]; 6] = [
    &["begin"],
    &["commit"],
    &["end"],
    &["rollback"],
    &["savepoint"],
    &["release"],
];

/// What a commit and its rollback hang on, with the values that keep them whole whatever dies.
const SAFE: [(&str, &[&str]); 3] = [
    ("journal_mode", &["delete", "truncate", "persist", "wal"]),
    ("synchronous", &["full", "extra", "2", "3"]),
    ("query_only", &["off", "no", "false", "0"]),
];

/// Why this statement may not stand in a definition.
pub(crate) fn refuse(piece: &Piece<'_>) -> Option<Refusal> {
    of_transaction_control(piece, &TRANSACTION_CONTROL)
        .or_else(|| unsafe_setting(piece))
        .or_else(|| other_files(piece))
        .or_else(|| shell_command(piece))
        .or_else(|| of_own_tables(&piece.tokens, is_own))
}

/// A setting of the connection with which a crash would leave halves, or which the run's own records need otherwise.
fn unsafe_setting(piece: &Piece<'_>) -> Option<Refusal> {
    let mut cursor = Cursor::new(Dialect::Sqlite, &piece.tokens);
    if !cursor.take(&["pragma"]) {
        return None;
    }
    let first = cursor.rest().first()?;
    let name = cursor.name()?.name.to_ascii_lowercase();
    let (_, safe) = SAFE.iter().find(|(setting, _)| *setting == name)?;
    if !(cursor.take_mark('=') || cursor.take_mark('(')) {
        return None;
    }
    let value = cursor.rest().first()?.text;
    let value = value.trim_matches(['\'', '"', '`', '[', ']']);
    if safe.iter().any(|word| value.eq_ignore_ascii_case(word)) {
        return None;
    }
    Some(Refusal::new(
        first,
        format!(
            "{name} may not be {value}: effect and record would no longer be committed together, or not for good"
        ),
        "remove it: the run keeps what it commits, whatever dies",
    ))
}

fn other_files(piece: &Piece<'_>) -> Option<Refusal> {
    let word = ["attach", "detach"]
        .into_iter()
        .find(|word| piece.begins(&[word]))?;
    Some(Refusal::new(
        piece.tokens.first()?,
        format!(
            "{} reaches another file, and no transaction holds both together",
            word.to_uppercase()
        ),
        "give the other file a database of its own in the environment",
    ))
}

/// `.mode` and its like.
fn shell_command(piece: &Piece<'_>) -> Option<Refusal> {
    let first = piece.tokens.first().filter(|token| token.is_mark('.'))?;
    Some(Refusal::new(
        first,
        "commands of the sqlite3 shell (`.…`) are no SQL",
        "write what it does as SQL",
    ))
}

fn is_own(rest: &[Token<'_>]) -> bool {
    let name = rest.first().and_then(|token| token.name(Dialect::Sqlite));
    name.is_some_and(|name| name.to_ascii_lowercase().starts_with("whimbrel_"))
}
