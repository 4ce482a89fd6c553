//! Why a statement may not stand in a definition, the same way for every dialect.

use super::pieces::Piece;
use super::token::Token;

/// A reason, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) offset: usize,
    pub(crate) message: String,
    pub(crate) hint: Option<&'static str>,
}

impl Refusal {
    pub(crate) fn new(token: &Token<'_>, message: impl Into<String>, hint: &'static str) -> Self {
        Self {
            offset: token.start,
            message: message.into(),
            hint: Some(hint),
        }
    }
}

pub(crate) const TRANSACTION_HINT: &str = "Whimbrel opens and commits the transaction, so that the effect and its record commit together; remove it";

/// Refuses a statement that begins with one of these runs of keywords.
pub(crate) fn of_transaction_control(piece: &Piece<'_>, runs: &[&[&str]]) -> Option<Refusal> {
    let run = runs.iter().find(|run| piece.begins(run))?;
    let words = run.join(" ").to_uppercase();
    Some(Refusal::new(
        piece.tokens.first()?,
        format!("{words} is transaction control, which a definition may not hold"),
        TRANSACTION_HINT,
    ))
}

/// Refuses a statement that writes to Whimbrel's own tables. `owned` finds the next mention of one at the start of some
/// tokens.
pub(crate) fn of_own_tables(
    tokens: &[Token<'_>],
    owned: impl Fn(&[Token<'_>]) -> bool,
) -> Option<Refusal> {
    const SCHEMA_WORK: [&str; 16] = [
        "alter", "drop", "create", "truncate", "comment", "grant", "revoke", "lock", "copy",
        "cluster", "reindex", "security", "set", "do", "vacuum", "replace",
    ];
    let anywhere = tokens
        .first()
        .is_some_and(|first| SCHEMA_WORK.iter().any(|word| first.is(word)));
    let mention = (0..tokens.len()).find(|index| {
        (anywhere || is_write(tokens, *index)) && owned(tokens.get(*index..).unwrap_or_default())
    })?;
    Some(Refusal::new(
        tokens.get(mention)?,
        "this writes to Whimbrel's own tables",
        "their content belongs to Whimbrel; `whimbrel baseline`, `verify --accept`, `unlock` and `adopt` change it",
    ))
}

/// Whether the name at `index` is the target of a write: `INSERT INTO n`, `UPDATE [ONLY] n`, `DELETE FROM [ONLY] n`.
fn is_write(tokens: &[Token<'_>], index: usize) -> bool {
    let back = |steps: usize| index.checked_sub(steps).and_then(|at| tokens.get(at));
    let is = |steps: usize, word: &str| back(steps).is_some_and(|token| token.is(word));
    let only = usize::from(is(1, "only"));
    is(1 + only, "into")
        || is(1 + only, "update")
        || (is(1 + only, "from") && is(2 + only, "delete"))
}
