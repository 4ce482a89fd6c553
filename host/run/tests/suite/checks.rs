//! Queries of checks that give no answer, which hold nothing and are named; and those of checks and metrics that write,
//! past what refuses their text: nothing of it lasts.

use crate::support::{Stage, check, migration};
use serde_json::json;
use whimbrel_core::definition::{Check, MetricQuery, Migration};
use whimbrel_core::statement::Dialect;
use whimbrel_run::RunError;
use whimbrel_signal::Signal;

/// A query, and what is said of it.
const QUERIES: [(&str, &str); 5] = [
    ("SELECT nothing FROM seen", "nothing"),
    ("SELECT 1 UNION ALL SELECT 2", "gave 2 values"),
    ("SELECT 1, 2", "gave 2 values"),
    ("SELECT 1 WHERE 1 = 2", "gave no row"),
    ("SELECT NULL", "expected 1, got NULL"),
];

/// Why the second migration ends at a check before or after it, as the run says it of that check.
async fn refused(stage: &mut Stage, mut second: Migration, before: bool, check: Check) -> String {
    let (checks, titled) = if before {
        (&mut second.checks.before, "checks before")
    } else {
        (&mut second.checks.after, "checks after")
    };
    checks.push(check);
    stage.migrations.truncate(1);
    stage.migrations.push(second);
    let failed = stage.fail().await;
    let RunError::Migration { title, error, .. } = failed else {
        panic!("{failed:?}");
    };
    assert_eq!(title, titled, "{error}");
    assert!(error.contains("`the check`"), "{error}");
    error
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_that_gives_no_answer_does_not_hold() {
    for dialect in [Dialect::Sqlite, Dialect::Postgres] {
        let mut stage = Stage::new(dialect);
        stage.migrations = vec![migration("1", &["CREATE TABLE seen (id integer)"])];
        stage.succeed().await;
        for (query, words) in QUERIES {
            for before in [true, false] {
                let second = migration("2", &["INSERT INTO seen VALUES (1)"]);
                let error = refused(&mut stage, second, before, check(query, json!(1))).await;
                assert!(error.contains(words), "{query}: {error}");
                assert_eq!(stage.count("SELECT count(*) FROM seen").await, 0);
            }
        }
    }
}

/// A stage with one row in `seen`, and what deletes it while it gives the number that the check expects: as a statement,
/// and on PostgreSQL from a function, which no text shows.
async fn deleting(dialect: Dialect) -> (Stage, Vec<&'static str>) {
    let mut stage = Stage::new(dialect);
    let table = "CREATE TABLE seen (id integer); INSERT INTO seen VALUES (1)";
    stage.migrations = vec![migration("1", &[table])];
    stage.succeed().await;
    let mut queries = vec!["DELETE FROM seen RETURNING 0"];
    if dialect == Dialect::Postgres {
        stage
            .execute(
                "CREATE FUNCTION clear() RETURNS integer LANGUAGE sql \
                 AS $$ DELETE FROM seen; SELECT set_config('transaction_read_only', 'off', true); SELECT 0 $$;
                 CREATE FUNCTION wipe() RETURNS integer LANGUAGE sql \
                 AS $$ DELETE FROM seen; SELECT 0 $$",
            )
            .await;
        queries.extend(["SELECT clear()", "SELECT wipe()"]);
    }
    (stage, queries)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_that_writes_fails_and_leaves_nothing() {
    for dialect in [Dialect::Sqlite, Dialect::Postgres] {
        let (mut stage, queries) = deleting(dialect).await;
        for query in queries {
            for before in [true, false] {
                let second = migration("2", &["CREATE TABLE second (id integer)"]);
                let error = refused(&mut stage, second, before, check(query, json!(0))).await;
                assert!(error.contains("only reads"), "{query}: {error}");
                assert_eq!(stage.count("SELECT count(*) FROM seen").await, 1, "{query}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_metric_that_writes_costs_itself() {
    for dialect in [Dialect::Sqlite, Dialect::Postgres] {
        let (mut stage, queries) = deleting(dialect).await;
        for (index, query) in queries.into_iter().enumerate() {
            let table = format!("CREATE TABLE table_{index} (id integer)");
            let mut next = migration(&format!("{}", index + 2), &[&table]);
            for (name, query) in [("writes", query), ("reads", "SELECT count(*) FROM seen")] {
                next.metrics.push(MetricQuery {
                    name: name.to_owned(),
                    query: query.to_owned(),
                    r#type: "gauge".to_owned(),
                });
            }
            stage.migrations.push(next);
            stage.succeed().await;
            assert_eq!(stage.count("SELECT count(*) FROM seen").await, 1, "{query}");
        }
        let heard = stage.ear.heard.lock().unwrap();
        let measured = heard.iter().filter_map(|signal| match signal {
            Signal::Metric { name, value, .. } => Some((name.as_str(), *value)),
            _ => None,
        });
        let measured: Vec<_> = measured.collect();
        let expected = stage.migrations.len() - 1;
        assert_eq!(measured, vec![("reads", 1.0); expected]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn checks_see_what_is_to_be_committed_and_leave_the_session_as_it_was() {
    for dialect in [Dialect::Sqlite, Dialect::Postgres] {
        let mut stage = Stage::new(dialect);
        let setting = match dialect {
            Dialect::Sqlite => "SELECT 1",
            Dialect::Postgres => {
                stage
                    .execute(
                        "CREATE FUNCTION lose() RETURNS integer LANGUAGE sql \
                         AS $$ SELECT set_config('search_path', 'nowhere', false); SELECT 1 $$",
                    )
                    .await;
                "SELECT lose()"
            }
        };
        let mut first = migration("1", &["CREATE TABLE seen (id integer)"]);
        first.checks.before.push(check(setting, json!(1)));
        first.checks.after = vec![
            check("SELECT count(*) FROM seen", json!(0)),
            check(setting, json!(1)),
            check("SELECT count(*) FROM seen", json!(0)),
        ];
        let mut second = migration("2", &["INSERT INTO seen VALUES (1)"]);
        second
            .checks
            .after
            .push(check("SELECT count(*) FROM seen", json!(1)));
        stage.migrations = vec![first, second];
        stage.succeed().await;
        assert_eq!(stage.count("SELECT count(*) FROM seen").await, 1);
    }
}
