//! What can be said of SQL without a database.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that can't go on has failed, in its helpers as well"
)]

mod destructive;
mod lint;
mod locks;
mod reading;
mod refusals;
mod splitting;

use whimbrel_core::statement::{Dialect, Statement};

/// Splits, or fails the test.
fn split(dialect: Dialect, text: &str) -> Vec<Statement> {
    whimbrel_database::split(dialect, text).unwrap()
}

/// The only statement of a text.
fn single(dialect: Dialect, text: &str) -> Statement {
    let mut statements = split(dialect, text);
    assert_eq!(statements.len(), 1, "{text}");
    statements.remove(0)
}
