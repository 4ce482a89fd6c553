//! What a query for SQLite may not do where it is to read.

use whimbrel_core::statement::Dialect;

use crate::dialect::cursor::Cursor;
use crate::dialect::pieces::begins;
use crate::dialect::reading::{no_read, no_read_by_word, of_functions, of_written_rows};
use crate::dialect::refusal::Refusal;
use crate::dialect::token::Token;

const READS: [&str; 3] = ["select", "with", "values"];

/// EXPLAIN runs nothing, but a pragma may act while it is prepared.
const EXPLAINED: [&str; 7] = [
    "select", "with", "values", "insert", "update", "delete", "replace",
];

/// Pragmas that only tell, whatever they are given.
const TELLING: [&str; 15] = [
    "collation_list",
    "compile_options",
    "database_list",
    "foreign_key_check",
    "foreign_key_list",
    "function_list",
    "index_info",
    "index_list",
    "index_xinfo",
    "integrity_check",
    "module_list",
    "quick_check",
    "table_info",
    "table_list",
    "table_xinfo",
];

/// Pragmas that tell as long as they are given nothing.
const ASKED: [&str; 14] = [
    "application_id",
    "auto_vacuum",
    "busy_timeout",
    "data_version",
    "encoding",
    "foreign_keys",
    "freelist_count",
    "journal_mode",
    "page_count",
    "page_size",
    "query_only",
    "schema_version",
    "synchronous",
    "user_version",
];

/// Why this statement may not stand where only a query may.
pub(crate) fn refuse_write(tokens: &[Token<'_>]) -> Option<Refusal> {
    if begins(tokens, &["pragma"]) {
        return pragma(tokens);
    }
    if begins(tokens, &["explain"]) {
        let plan = begins(tokens, &["explain", "query", "plan"]);
        let explained = tokens.get(if plan { 3 } else { 1 }..).unwrap_or_default();
        if !begins_with_one(explained, &EXPLAINED) {
            return no_read_by_word(explained);
        }
    } else if !begins_with_one(tokens, &READS) {
        return no_read_by_word(tokens);
    } else if let Some(refusal) = of_written_rows(tokens) {
        return Some(refusal);
    }
    of_functions(Dialect::Sqlite, tokens, &["load_extension"]).or_else(|| pragma_table(tokens))
}

fn begins_with_one(tokens: &[Token<'_>], words: &[&str]) -> bool {
    words.iter().any(|word| begins(tokens, &[word]))
}

fn pragma(tokens: &[Token<'_>]) -> Option<Refusal> {
    let mut cursor = Cursor::new(Dialect::Sqlite, tokens);
    cursor.skip();
    let first = cursor.rest().first().or(tokens.first())?;
    let name = cursor.name().map(|name| name.name.to_ascii_lowercase());
    let name = name.unwrap_or_default();
    let given = !cursor.rest().is_empty();
    if TELLING.contains(&name.as_str()) || (!given && ASKED.contains(&name.as_str())) {
        return None;
    }
    let value = if given { " with a value" } else { "" };
    Some(no_read(first, &format!("PRAGMA {name}{value}")))
}

/// `SELECT … FROM pragma_optimize` runs the pragma.
fn pragma_table(tokens: &[Token<'_>]) -> Option<Refusal> {
    tokens.iter().find_map(|token| {
        let name = token.name(Dialect::Sqlite)?.to_ascii_lowercase();
        let pragma = name.strip_prefix("pragma_")?;
        let tells = TELLING.contains(&pragma) || ASKED.contains(&pragma);
        (!tells).then(|| no_read(token, &name))
    })
}
