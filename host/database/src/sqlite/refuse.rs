//! What a definition for SQLite may not hold.

use whimbrel_core::statement::Dialect;

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

/// Why this statement may not stand in a definition.
pub(crate) fn refuse(piece: &Piece<'_>) -> Option<Refusal> {
    of_transaction_control(piece, &TRANSACTION_CONTROL)
        .or_else(|| other_files(piece))
        .or_else(|| shell_command(piece))
        .or_else(|| of_own_tables(&piece.tokens, is_own))
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
