//! Queries of checks that give no answer: they hold nothing, and are named.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::panic,
    clippy::expect_used,
    clippy::indexing_slicing
)]

mod support;

use serde_json::json;
use support::{Stage, check, migration};
use whimbrel_core::statement::Dialect;
use whimbrel_run::RunError;

/// A query, and what is said of it.
const QUERIES: [(&str, &str); 5] = [
    ("SELECT nothing FROM seen", "nothing"),
    ("SELECT 1 UNION ALL SELECT 2", "gave 2 values"),
    ("SELECT 1, 2", "gave 2 values"),
    ("SELECT 1 WHERE 1 = 2", "gave no row"),
    ("SELECT NULL", "expected 1, got NULL"),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_check_that_gives_no_answer_does_not_hold() {
    for dialect in [Dialect::Sqlite, Dialect::Postgres] {
        let mut stage = Stage::new(dialect);
        stage.migrations = vec![migration("1", &["CREATE TABLE seen (id integer)"])];
        stage.succeed().await;
        for (query, words) in QUERIES {
            for before in [true, false] {
                let mut second = migration("2", &["INSERT INTO seen VALUES (1)"]);
                let (checks, titled) = if before {
                    (&mut second.checks.before, "checks before")
                } else {
                    (&mut second.checks.after, "checks after")
                };
                checks.push(check(query, json!(1)));
                stage.migrations.truncate(1);
                stage.migrations.push(second);
                let RunError::Migration { title, error, .. } = stage.fail().await else {
                    panic!("{query}");
                };
                assert_eq!(title, titled, "{query}: {error}");
                assert!(
                    error.contains("`the check`") && error.contains(words),
                    "{query}: {error}"
                );
                assert_eq!(stage.count("SELECT count(*) FROM seen").await, 0);
            }
        }
    }
}
