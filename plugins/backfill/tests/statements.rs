//! The statements that `backfill` sends, natively over the SDK's mock host. What they do is tested on real databases.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use backfill::{Backfill, Config};
use whimbrel_sdk::database::{Error, Refusal};
use whimbrel_sdk::mock::{Host, Script};
use whimbrel_sdk::prelude::*;
use whimbrel_sdk::serde_json;

fn config(pause: &str) -> Config {
    serde_json::from_value(json!({
        "table": "shop.orders", "set": "total = 1", "where": "total IS NULL", "batchSize": 2, "pause": pause,
    }))
    .unwrap()
}

fn row(values: Vec<Value>) -> RowSet {
    RowSet {
        columns: values.iter().map(|_| String::new()).collect(),
        rows: vec![values],
    }
}

fn batch(last: i64, rows: i64) -> RowSet {
    row(vec![last.into(), rows.into(), rows.into()])
}

#[test]
fn on_postgres_a_batch_is_one_statement() {
    let script = Script::new()
        .answer(row(vec![3.into(), 7.into(), 0.into()]))
        .answer(batch(8, 2))
        .answer(batch(9, 1));
    let (outcome, host) = Host::new(script).run(|| Backfill::apply(&config("50ms")));
    let outcome = outcome.unwrap();
    assert_eq!(
        (outcome.rows, outcome.summary.as_str()),
        (3, "3 rows of shop.orders")
    );
    let statements = host.statements();
    assert_eq!(statements.len(), 3, "a survey and two batches");
    assert!(statements[0].contains("FROM \"shop\".\"orders\" WHERE (total IS NULL\n)"));
    assert!(statements[1].contains("UPDATE \"shop\".\"orders\" SET total = 1\n"));
    assert!(!statements[1].contains("$1") && statements[2].contains("\"id\" > $1"));
    let progress: Vec<(u64, Option<u64>)> = host
        .commits()
        .iter()
        .map(|commit| (commit.rows_done, commit.rows_total))
        .collect();
    assert_eq!(progress, [(2, Some(3)), (3, Some(3))]);
    assert_eq!(
        host.paused().as_millis(),
        50,
        "between batches, not after the last"
    );
}

#[test]
fn on_sqlite_it_is_two() {
    let script = Script::new()
        .on("sqlite")
        .answer(row(vec![1.into(), 7.into(), 0.into()]))
        .answer(row(vec![7.into(), 1.into()]))
        .answer(row(vec![]));
    let (outcome, host) = Host::new(script).run(|| Backfill::apply(&config("0")));
    assert_eq!(outcome.unwrap().rows, 1);
    let statements = host.statements();
    assert!(statements[1].starts_with("SELECT max(last)"));
    assert!(statements[2].starts_with("UPDATE") && statements[2].contains("\"id\" <= $1"));
}

#[test]
fn it_stops_between_batches_and_goes_on_from_its_checkpoint() {
    let script = Script::new()
        .answer(row(vec![4.into(), 1.into(), 0.into()]))
        .answer(batch(2, 2));
    let (stopped, host) = Host::new(script)
        .stopping_after(1)
        .run(|| Backfill::apply(&config("0")));
    assert_eq!(stopped.unwrap_err().class, FaultClass::Cancelled);
    let checkpoint = host.checkpoint().unwrap().to_vec();

    let script = Script::new().answer(batch(4, 2)).answer(row(vec![]));
    let (outcome, host) = Host::new(script)
        .with_checkpoint(checkpoint)
        .run(|| Backfill::apply(&config("0")));
    assert_eq!(outcome.unwrap().rows, 4);
    assert!(
        host.statements()[0].contains("\"id\" > $1"),
        "no survey again"
    );
}

#[test]
fn a_deadlock_is_worth_another_try() {
    let refusal = Refusal {
        code: "40P01".to_owned(),
        message: "deadlock detected".to_owned(),
        detail: None,
    };
    let script = Script::new().fail(Error::Database(refusal));
    let (outcome, _) = Host::new(script).run(|| Backfill::apply(&config("0")));
    assert_eq!(outcome.unwrap_err().retry, Retry::Backoff);
}

#[test]
fn a_checkpoint_of_another_make_is_refused() {
    let host = Host::new(Script::new()).with_checkpoint(b"?".to_vec());
    let (outcome, _) = host.run(|| Backfill::apply(&config("0")));
    assert_eq!(outcome.unwrap_err().code, "backfill.unreadable");
}

#[test]
fn a_dialect_that_it_does_not_know_is_refused() {
    let fault = Backfill::plan(&config("0"), &Dialect::from("mysql")).unwrap_err();
    assert_eq!(fault.code, "backfill.dialect");
}
