//! What a definition for PostgreSQL may not hold.

use whimbrel_core::statement::Dialect;

use crate::dialect::cursor::Cursor;
use crate::dialect::pieces::Piece;
use crate::dialect::refusal::{Refusal, TRANSACTION_HINT, of_own_tables, of_transaction_control};
use crate::dialect::token::{Kind, Token, tokens};

const TRANSACTION_CONTROL: [&[&str]; 13] = [
    &["begin"],
    &["start", "transaction"],
    &["commit"],
    &["end"],
    &["rollback"],
    &["abort"],
    &["savepoint"],
    &["release"],
    &["prepare", "transaction"],
    &["set", "transaction"],
    &["set", "local", "transaction"],
    &["set", "session", "transaction"],
    &["set", "session", "characteristics"],
];

/// Why this statement may not stand in a definition.
pub(crate) fn refuse(piece: &Piece<'_>) -> Option<Refusal> {
    of_transaction_control(piece, &TRANSACTION_CONTROL)
        .or_else(|| transaction_setting(piece))
        .or_else(|| session_state(piece))
        .or_else(|| client_side(piece))
        .or_else(|| unnamed_concurrent_index(piece))
        .or_else(|| own_tables(&piece.tokens))
}

/// `SET transaction_read_only = off` is `SET TRANSACTION READ WRITE` by another name.
fn transaction_setting(piece: &Piece<'_>) -> Option<Refusal> {
    let mut cursor = Cursor::new(Dialect::Postgres, &piece.tokens);
    if !(cursor.take(&["set"]) || cursor.take(&["reset"])) {
        return None;
    }
    let _ = cursor.take(&["session"]) || cursor.take(&["local"]);
    let setting = cursor.rest().first()?;
    let name = setting.name(Dialect::Postgres)?;
    (name.starts_with("transaction_") || name == "synchronous_commit").then(|| {
        Refusal::new(
            setting,
            format!("{name} belongs to Whimbrel's transaction"),
            TRANSACTION_HINT,
        )
    })
}

/// What would take the session's lock away under the run.
fn session_state(piece: &Piece<'_>) -> Option<Refusal> {
    const HINT: &str = "the run's own lock and settings live in this session; remove it";
    let first = piece.tokens.first()?;
    if piece.begins(&["discard", "all"]) {
        return Some(Refusal::new(
            first,
            "DISCARD ALL would release the lock of the run",
            HINT,
        ));
    }
    let unlocks = piece
        .tokens
        .iter()
        .find(|token| token.is("pg_advisory_unlock_all"))?;
    Some(Refusal::new(
        unlocks,
        "pg_advisory_unlock_all would release the lock of the run",
        HINT,
    ))
}

/// What only psql understands, or needs a client that sends data.
fn client_side(piece: &Piece<'_>) -> Option<Refusal> {
    let backslash = piece.tokens.iter().find(|token| token.is_mark('\\'));
    if let Some(token) = backslash {
        return Some(Refusal::new(
            token,
            "psql's commands (`\\…`) are no SQL",
            "write what it does as SQL",
        ));
    }
    if !piece.begins(&["copy"]) {
        return None;
    }
    let mut before: Option<&Token<'_>> = None;
    for token in &piece.tokens {
        let from = before.is_some_and(|word| word.is("from") || word.is("to"));
        if from && (token.is("stdin") || token.is("stdout")) {
            return Some(Refusal::new(
                token,
                format!(
                    "COPY … {} needs a client that moves the data",
                    token.text.to_uppercase()
                ),
                "use INSERT … VALUES, or a plugin step",
            ));
        }
        before = Some(token);
    }
    None
}

/// Without a name nobody can tell after a crash whether it was built, and IF NOT EXISTS needs one anyway.
fn unnamed_concurrent_index(piece: &Piece<'_>) -> Option<Refusal> {
    let mut cursor = Cursor::new(Dialect::Postgres, &piece.tokens);
    let create = cursor.take(&["create", "index"]) || cursor.take(&["create", "unique", "index"]);
    let token = cursor.rest().first()?;
    let unnamed = create && cursor.take(&["concurrently"]) && cursor.sees("on");
    unnamed.then(|| {
        Refusal::new(
            token,
            "an index that is created concurrently needs a name here",
            "without one, nobody can tell after a crash whether it was built; write CREATE INDEX CONCURRENTLY name ON …",
        )
    })
}

/// Also looks into the bodies of DO blocks and functions.
fn own_tables(statement: &[Token<'_>]) -> Option<Refusal> {
    of_own_tables(statement, is_own).or_else(|| {
        let bodies = statement
            .iter()
            .filter(|token| token.kind == Kind::DollarText);
        bodies.into_iter().find_map(|body| {
            let inner = body
                .text
                .trim_start_matches(|c| c != '$')
                .trim_matches(|c| c != '$');
            let tag = inner
                .find('$')
                .and_then(|start| inner.get(start + 1..)?.find('$'))
                .map(|end| end + 2)?;
            let text = inner.get(tag..inner.len().checked_sub(tag)?)?;
            let found = tokens(Dialect::Postgres, text)
                .ok()
                .and_then(|tokens| own_tables_of_body(&tokens))?;
            Some(Refusal {
                offset: body.start,
                ..found
            })
        })
    })
}

fn own_tables_of_body(tokens: &[Token<'_>]) -> Option<Refusal> {
    tokens
        .split(|token| token.is_mark(';'))
        .find_map(|statement| {
            let from = statement.iter().position(|token| {
                [
                    "insert", "update", "delete", "merge", "truncate", "alter", "drop", "lock",
                    "copy",
                ]
                .iter()
                .any(|word| token.is(word))
            })?;
            of_own_tables(statement.get(from..)?, is_own)
        })
}

/// `whimbrel.…`, the schema itself, or a search path that holds it.
fn is_own(rest: &[Token<'_>]) -> bool {
    let Some(first) = rest.first() else {
        return false;
    };
    if first.kind == Kind::Text {
        return first.text.trim_matches('\'') == "whimbrel";
    }
    first
        .name(Dialect::Postgres)
        .is_some_and(|name| name == "whimbrel")
}
