//! How a statement for SQLite can be run exactly once, and what it destroys.

use whimbrel_core::statement::{Dialect, Statement, StatementClass};

use crate::dialect::cursor::{Cursor, Name};
use crate::dialect::pieces::{Piece, begins};
use crate::dialect::token::{Token, tokens};

/// Pragmas that a transaction refuses or ignores; setting one again does no harm.
const OUTSIDE: [&str; 8] = [
    "journal_mode",
    "wal_checkpoint",
    "auto_vacuum",
    "incremental_vacuum",
    "page_size",
    "encoding",
    "synchronous",
    "optimize",
];

/// A statement with all that can be told of it. SQLite locks the whole file, so no locks are named.
pub(crate) fn classify(piece: &Piece<'_>, line: u32) -> Statement {
    Statement {
        text: piece.text.to_owned(),
        line,
        class: class(&piece.tokens),
        destructive: destructive(&piece.tokens),
        locks: Vec::new(),
    }
}

fn class(tokens: &[Token<'_>]) -> StatementClass {
    let mut cursor = Cursor::new(Dialect::Sqlite, tokens);
    if cursor.take(&["vacuum"]) {
        return StatementClass::Repeatable;
    }
    let pragma = cursor.take(&["pragma"]).then(|| cursor.name()).flatten();
    match pragma {
        Some(Name { name, .. })
            if OUTSIDE
                .iter()
                .any(|outside| name.eq_ignore_ascii_case(outside)) =>
        {
            StatementClass::Repeatable
        }
        _ => StatementClass::Transactional,
    }
}

/// By keywords: SQLite's grammar is small, and a statement that a parser doesn't know must not pass as harmless.
fn destructive(tokens: &[Token<'_>]) -> Vec<String> {
    let mut cursor = Cursor::new(Dialect::Sqlite, tokens);
    if cursor.take(&["drop", "table"]) {
        cursor.take(&["if", "exists"]);
        return named("drops table", cursor.name()).into_iter().collect();
    }
    if cursor.take(&["alter", "table"]) {
        let table = cursor.name();
        if cursor.take(&["drop"]) {
            cursor.take(&["column"]);
            let column = cursor.name().map(|name| name.name).unwrap_or_default();
            return named(&format!("drops column {column} of"), table)
                .into_iter()
                .collect();
        }
        return Vec::new();
    }
    if begins(tokens, &["create"]) {
        return Vec::new();
    }
    rows(tokens)
}

/// `DELETE FROM t` and `UPDATE t SET …` without a WHERE, after a WITH, too.
fn rows(tokens: &[Token<'_>]) -> Vec<String> {
    let mut depth = 0_u32;
    for (index, token) in tokens.iter().enumerate() {
        if token.is_mark('(') {
            depth += 1;
        } else if token.is_mark(')') {
            depth = depth.saturating_sub(1);
        }
        let rest = tokens.get(index..).unwrap_or_default();
        let mut cursor = Cursor::new(Dialect::Sqlite, rest);
        if depth > 0 || !(index == 0 || begins(tokens, &["with"]) || begins(tokens, &["explain"])) {
            continue;
        }
        if cursor.take(&["delete", "from"]) {
            let table = cursor.name();
            return if has_top_level(rest, "where") {
                Vec::new()
            } else {
                of("deletes all rows of", table)
            };
        }
        if cursor.take(&["update"]) {
            if cursor.take(&["or"]) {
                cursor.skip();
            }
            let table = cursor.name();
            let bounded = has_top_level(rest, "where") || has_top_level(rest, "from");
            return if bounded {
                Vec::new()
            } else {
                of("overwrites all rows of", table)
            };
        }
    }
    Vec::new()
}

fn has_top_level(tokens: &[Token<'_>], word: &str) -> bool {
    let mut depth = 0_u32;
    tokens.iter().skip(2).any(|token| {
        if token.is_mark('(') {
            depth += 1;
        } else if token.is_mark(')') {
            depth = depth.saturating_sub(1);
        }
        depth == 0 && token.is(word)
    })
}

fn of(what: &str, table: Option<Name>) -> Vec<String> {
    named(what, table).into_iter().collect()
}

fn named(what: &str, name: Option<Name>) -> Option<String> {
    name.map(|name| format!("{what} {}", name.name))
}

/// Whether a statement is `PRAGMA foreign_keys = …`, and what it sets.
pub(crate) fn foreign_keys_pragma(text: &str) -> Option<bool> {
    let tokens = tokens(Dialect::Sqlite, text).ok()?;
    let mut cursor = Cursor::new(Dialect::Sqlite, &tokens);
    if !cursor.take(&["pragma"]) || !cursor.name()?.name.eq_ignore_ascii_case("foreign_keys") {
        return None;
    }
    if !(cursor.take_mark('=') || cursor.take_mark('(')) {
        return None;
    }
    let value = cursor
        .rest()
        .first()?
        .text
        .trim_matches(['\'', '"'])
        .to_ascii_lowercase();
    Some(!matches!(value.as_str(), "off" | "no" | "false" | "0"))
}
