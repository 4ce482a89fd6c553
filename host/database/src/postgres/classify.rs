//! How a statement for PostgreSQL can be run exactly once.

use whimbrel_core::statement::{Dialect, Probe, Statement, StatementClass};

use super::tree;
use crate::dialect::cursor::Cursor;
use crate::dialect::pieces::Piece;
use crate::dialect::token::{Kind, Token};

/// A statement with all that the parser can tell of it.
pub(crate) fn classify(piece: &Piece<'_>, line: u32) -> Statement {
    let known = tree::examine(piece);
    Statement {
        text: piece.text.to_owned(),
        line,
        class: class(&piece.tokens),
        destructive: known.destructive,
        locks: known.locks,
    }
}

/// By keywords, so that a statement that the parser doesn't know yet is still run the right way.
pub(crate) fn class(tokens: &[Token<'_>]) -> StatementClass {
    let mut cursor = Cursor::new(Dialect::Postgres, tokens);
    let has = |word: &str| tokens.iter().any(|token| token.is(word));
    let unknown = || StatementClass::NonTransactional(Probe::None);
    if cursor.take(&["create"]) {
        return create(cursor, tokens);
    }
    if cursor.take(&["drop"]) {
        return drop(cursor, tokens);
    }
    if cursor.take(&["alter", "type"]) {
        return alter_type(cursor);
    }
    if cursor.take(&["alter", "table"]) && has("detach") && has("concurrently") {
        return unknown();
    }
    if cursor.take(&["alter", "database"]) && has("tablespace") && has("set") {
        return unknown();
    }
    if cursor.take(&["alter", "subscription"]) && (has("refresh") || has("publication")) {
        return unknown();
    }
    if cursor.take(&["alter", "system"]) || cursor.take(&["vacuum"]) {
        return StatementClass::Repeatable;
    }
    if cursor.take(&["reindex"]) {
        return reindex(cursor, tokens);
    }
    if cursor.take(&["cluster"]) {
        let _ = cursor.take(&["verbose"]) || parenthesised(&mut cursor);
        if cursor.rest().is_empty() {
            return StatementClass::Repeatable;
        }
    }
    StatementClass::Transactional
}

fn create(mut cursor: Cursor<'_, '_>, tokens: &[Token<'_>]) -> StatementClass {
    if cursor.take(&["database"]) || cursor.take(&["tablespace"]) {
        return StatementClass::NonTransactional(Probe::None);
    }
    if cursor.take(&["subscription"]) {
        let inert = tokens.windows(3).any(|window| {
            matches!(window, [name, equals, value]
                if (name.is("create_slot") || name.is("connect")) && equals.is_mark('=') && value.is("false"))
        });
        return if inert {
            StatementClass::Transactional
        } else {
            StatementClass::NonTransactional(Probe::None)
        };
    }
    let _ = cursor.take(&["unique"]);
    if !cursor.take(&["index", "concurrently"]) {
        return StatementClass::Transactional;
    }
    StatementClass::NonTransactional(index_probe(cursor).unwrap_or(Probe::None))
}

fn index_probe(mut cursor: Cursor<'_, '_>) -> Option<Probe> {
    cursor.take(&["if", "not", "exists"]);
    let index = cursor.name()?.name;
    if !cursor.take(&["on"]) {
        return None;
    }
    cursor.take(&["only"]);
    let table = cursor.name()?;
    Some(Probe::CreateIndex {
        schema: table.schema,
        table: table.name,
        index,
    })
}

fn drop(mut cursor: Cursor<'_, '_>, tokens: &[Token<'_>]) -> StatementClass {
    if cursor.take(&["database"]) || cursor.take(&["tablespace"]) || cursor.take(&["subscription"])
    {
        return StatementClass::NonTransactional(Probe::None);
    }
    if !cursor.take(&["index", "concurrently"]) {
        return StatementClass::Transactional;
    }
    cursor.take(&["if", "exists"]);
    let several = tokens.iter().any(|token| token.is_mark(','));
    let probe = match cursor.name() {
        Some(index) if !several => Probe::DropIndex {
            schema: index.schema,
            index: index.name,
        },
        _ => Probe::None,
    };
    StatementClass::NonTransactional(probe)
}

/// `ALTER TYPE … ADD VALUE` may stand in a transaction, but the value can't be used before its COMMIT.
fn alter_type(mut cursor: Cursor<'_, '_>) -> StatementClass {
    let Some(name) = cursor.name() else {
        return StatementClass::Transactional;
    };
    if !cursor.take(&["add", "value"]) {
        return StatementClass::Transactional;
    }
    cursor.take(&["if", "not", "exists"]);
    let label = cursor
        .rest()
        .first()
        .filter(|token| token.kind == Kind::Text);
    let plain = label.and_then(|token| token.text.strip_prefix('\'')?.strip_suffix('\''));
    StatementClass::NonTransactional(match plain {
        Some(label) => Probe::AddEnumValue {
            schema: name.schema,
            r#type: name.name,
            label: label.replace("''", "'"),
        },
        None => Probe::None,
    })
}

fn reindex(mut cursor: Cursor<'_, '_>, tokens: &[Token<'_>]) -> StatementClass {
    parenthesised(&mut cursor);
    let whole = ["schema", "database", "system"]
        .iter()
        .any(|kind| cursor.sees(kind));
    if whole || tokens.iter().any(|token| token.is("concurrently")) {
        StatementClass::Repeatable
    } else {
        StatementClass::Transactional
    }
}

/// Goes past `( … )`.
fn parenthesised(cursor: &mut Cursor<'_, '_>) -> bool {
    if !cursor.take_mark('(') {
        return false;
    }
    while !cursor.rest().is_empty() && !cursor.take_mark(')') {
        cursor.skip();
    }
    true
}
