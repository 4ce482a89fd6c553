//! What a query for PostgreSQL may not do where it is to read.

use whimbrel_core::statement::Dialect;

use crate::dialect::pieces::begins;
use crate::dialect::reading::{no_read, no_read_by_word, of_functions, of_written_rows};
use crate::dialect::refusal::Refusal;
use crate::dialect::token::Token;

const READS: [&str; 5] = ["select", "with", "values", "table", "show"];

/// What EXPLAIN may be asked of when it doesn't run it.
const EXPLAINED: [&str; 8] = [
    "select", "with", "values", "table", "insert", "update", "delete", "merge",
];

/// What neither a read-only transaction nor its rollback keeps from acting, and what would loosen the former.
const ACTING: [&str; 13] = [
    "set_config",
    "nextval",
    "setval",
    "pg_advisory_*",
    "pg_try_advisory_*",
    "pg_terminate_backend",
    "pg_cancel_backend",
    "pg_reload_conf",
    "pg_switch_wal",
    "pg_logical_emit_message",
    "lo_import",
    "lo_export",
    "dblink_exec",
];

/// Why this statement may not stand where only a query may.
pub(crate) fn refuse_write(tokens: &[Token<'_>]) -> Option<Refusal> {
    let explained = begins(tokens, &["explain"]).then(|| explained(tokens));
    let (tokens, runs) = explained.unwrap_or((tokens, true));
    let words: &[&str] = if runs { &READS } else { &EXPLAINED };
    if !begins_with_one(tokens, words) {
        return no_read_by_word(tokens);
    }
    let acting = of_functions(Dialect::Postgres, tokens, &ACTING);
    if !runs {
        return acting;
    }
    of_written_rows(tokens)
        .or_else(|| into(tokens))
        .or_else(|| row_lock(tokens))
        .or(acting)
}

/// Past the parentheses that may stand around a query.
fn begins_with_one(tokens: &[Token<'_>], words: &[&str]) -> bool {
    let first = tokens.iter().find(|token| !token.is_mark('('));
    first.is_some_and(|first| words.iter().any(|word| first.is(word)))
}

/// What is explained, and whether it runs for that.
fn explained<'a, 't>(tokens: &'t [Token<'a>]) -> (&'t [Token<'a>], bool) {
    let mut rest = tokens.get(1..).unwrap_or_default();
    let analyzes = |token: &Token<'_>| token.is("analyze") || token.is("analyse");
    let has_options =
        rest.first().is_some_and(|token| token.is_mark('(')) && !begins_with_one(rest, &READS);
    if has_options {
        let end = rest.iter().position(|token| token.is_mark(')'));
        let (options, after) = rest.split_at(end.map_or(rest.len(), |end| end + 1));
        return (after, options.iter().any(analyzes));
    }
    let mut runs = false;
    while let Some(token) = rest.first()
        && (analyzes(token) || token.is("verbose"))
    {
        runs |= analyzes(token);
        rest = rest.get(1..).unwrap_or_default();
    }
    (rest, runs)
}

/// `SELECT … INTO name` makes a table. The word is reserved: only after a dot or AS is it a name.
fn into(tokens: &[Token<'_>]) -> Option<Refusal> {
    let index = (1..tokens.len()).find(|index| {
        let before = tokens.get(index - 1);
        let is_name = before.is_some_and(|token| token.is_mark('.') || token.is("as"));
        !is_name && tokens.get(*index).is_some_and(|token| token.is("into"))
    })?;
    Some(no_read(tokens.get(index)?, "SELECT … INTO"))
}

/// A row lock is written into the row, makes others wait, and is refused by a transaction that only reads.
fn row_lock(tokens: &[Token<'_>]) -> Option<Refusal> {
    const LOCKS: [&[&str]; 4] = [
        &["for", "update"],
        &["for", "no", "key", "update"],
        &["for", "share"],
        &["for", "key", "share"],
    ];
    (0..tokens.len()).find_map(|index| {
        let rest = tokens.get(index..)?;
        let lock = LOCKS.iter().find(|lock| begins(rest, lock))?;
        let words = lock.join(" ").to_uppercase();
        Some(no_read(rest.first()?, &format!("SELECT … {words}")))
    })
}
