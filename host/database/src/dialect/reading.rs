//! What may stand where only a query may: a check, a metric, the rows of `forEach`, an estimate.
//!
//! By keywords, so that what isn't known to read is refused. What a function does can't be told from the text: such a
//! query also runs so that it can't write ([`crate::session::read`]).

use whimbrel_core::statement::{Dialect, Statement};

use super::pieces::{begins, pieces};
use super::refusal::Refusal;
use super::token::{Kind, Token};
use super::{SqlError, split};
use crate::{postgres, sqlite};

const READ_HINT: &str =
    "write one SELECT; what changes data belongs in a step, where it is fenced and recorded";

/// The one query of a text, which reads and does no more, as far as its text tells.
///
/// # Errors
/// As [`split`], and where it is no query, or several.
pub fn split_query(dialect: Dialect, text: &str) -> Result<Statement, SqlError> {
    let mut statements = split(dialect, text)?;
    match (statements.pop(), statements.len()) {
        (Some(statement), 0) => {
            require_read(dialect, &statement.text)?;
            Ok(statement)
        }
        (last, before) => {
            let found = before + usize::from(last.is_some());
            let message = format!("expected one query, found {found}");
            Err(SqlError::at(text, 0, message, Some(READ_HINT)))
        }
    }
}

/// Refuses a statement that isn't known to read and do no more.
///
/// # Errors
/// The statement writes, locks, sets something, or isn't known.
pub fn require_read(dialect: Dialect, statement: &str) -> Result<(), SqlError> {
    let Ok(pieces) = pieces(dialect, statement) else {
        return Ok(()); // whoever split it has said so
    };
    let refusal = pieces.iter().find_map(|piece| match dialect {
        Dialect::Postgres => postgres::refuse_write(&piece.tokens),
        Dialect::Sqlite => sqlite::refuse_write(&piece.tokens),
    });
    match refusal {
        Some(Refusal {
            offset,
            message,
            hint,
        }) => Err(SqlError::at(statement, offset, message, hint)),
        None => Ok(()),
    }
}

/// Says that something else than a read was found.
pub(crate) fn no_read(token: &Token<'_>, found: &str) -> Refusal {
    Refusal::new(
        token,
        format!("expected a query that only reads, found {found}"),
        READ_HINT,
    )
}

/// The same of a whole statement, by its first word.
pub(crate) fn no_read_by_word(tokens: &[Token<'_>]) -> Option<Refusal> {
    let first = tokens.first()?;
    let word: String = first.text.chars().take(32).collect();
    Some(no_read(first, &word.to_uppercase()))
}

/// Refuses rows that are written anywhere in a statement: in a common table expression, or after them.
pub(crate) fn of_written_rows(tokens: &[Token<'_>]) -> Option<Refusal> {
    (0..tokens.len()).find_map(|index| {
        let rest = tokens.get(index..)?;
        let token = rest.first()?;
        let into = rest.get(1).is_some_and(|next| next.is("into"));
        let found = if into
            && ["insert", "replace", "merge"]
                .iter()
                .any(|word| token.is(word))
        {
            true
        } else if begins(rest, &["insert", "or"]) || begins(rest, &["delete", "from"]) {
            is_statement_start(tokens, index)
        } else {
            token.is("update") && is_statement_start(tokens, index) && sets(rest)
        };
        found.then(|| no_read(token, &token.text.to_uppercase()))
    })
}

/// Columns may be called as these words are, so that it counts where one stands: first, in parentheses, or after common
/// table expressions with what may follow the last of them (`… SEARCH … SET name`, `… CYCLE … USING name`).
fn is_statement_start(tokens: &[Token<'_>], index: usize) -> bool {
    let back = |steps: usize| index.checked_sub(steps).and_then(|at| tokens.get(at));
    match back(1) {
        None => true,
        Some(before) if before.is_mark('(') || before.is_mark(')') => true,
        Some(before) if matches!(before.kind, Kind::Word | Kind::QuotedName) => {
            back(2).is_some_and(|word| word.is("set") || word.is("using"))
        }
        Some(_) => false,
    }
}

/// Whether an `UPDATE` goes on to a `SET` before its parenthesis ends.
fn sets(tokens: &[Token<'_>]) -> bool {
    let mut depth = 0_u32;
    for token in tokens {
        if token.is_mark('(') {
            depth += 1;
        } else if token.is_mark(')') {
            let Some(less) = depth.checked_sub(1) else {
                return false;
            };
            depth = less;
        } else if depth == 0 && token.is("set") {
            return true;
        }
    }
    false
}

/// Refuses a call of one of these functions. A trailing `*` stands for any end of the name.
pub(crate) fn of_functions(
    dialect: Dialect,
    tokens: &[Token<'_>],
    names: &[&str],
) -> Option<Refusal> {
    tokens.windows(2).find_map(|window| {
        let [token, next] = window else { return None };
        let name = token.name(dialect).filter(|_| next.is_mark('('))?;
        let name = name.to_ascii_lowercase();
        let is_one = names.iter().any(|known| match known.strip_suffix('*') {
            Some(start) => name.starts_with(start),
            None => name == *known,
        });
        is_one.then(|| no_read(token, &format!("{name}(…), which acts")))
    })
}
