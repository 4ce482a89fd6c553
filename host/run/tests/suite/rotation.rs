//! Credentials that are lent for a while: a run goes on with new ones at its next safe point, leaves none behind, and
//! nothing ever belongs to a user that is about to be dropped.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::support::lending::{Lender, OWNER};
use crate::support::{Stage, backfill, migration, plugin_step};
use serde_json::json;
use whimbrel_core::statement::Dialect;
use whimbrel_core::value::Value;
use whimbrel_postgres_server::PostgresServer;
use whimbrel_run::RunError;
use whimbrel_signal::Signal;

const ROWS: &str = "CREATE TABLE many (id integer PRIMARY KEY, touched integer NOT NULL DEFAULT 0); \
    INSERT INTO many (id) SELECT generate_series(1, 2000)";

/// A table, and a step that changes 100 rows every so many milliseconds.
async fn stage(pause: u64) -> Stage {
    let mut stage = Stage::new(Dialect::Postgres);
    let mut filling = migration("2", &[]);
    filling.steps.push(plugin_step(json!({
        "table": "many", "key": "id", "set": "touched = touched + 1", "batchSize": 100,
        "pause": format!("{pause}ms"),
    })));
    stage.migrations = vec![migration("1", &[ROWS]), filling];
    stage.plugin = Some(backfill().await);
    stage
}

async fn every_row_once(stage: &Stage) {
    let once = "SELECT count(*) FROM many WHERE touched = 1";
    assert_eq!(stage.count(once).await, 2000);
}

/// As a secrets engine does it: ends the sessions in a database, takes the users away.
fn drop_lent_users(database: &str) {
    PostgresServer::shared().psql(
        "postgres",
        &format!(
            "DO $$ DECLARE who text; BEGIN FOR who IN SELECT rolname FROM pg_roles WHERE rolname LIKE 'lent\\_{}\\_%' \
             AND EXISTS (SELECT 1 FROM pg_stat_activity WHERE usename = rolname AND datname = '{database}') LOOP \
             PERFORM pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = who; \
             EXECUTE format('DROP ROLE %I', who); END LOOP; END $$",
            std::process::id()
        ),
    );
}

async fn lent_users(stage: &Stage) -> i64 {
    let pattern = format!("lent\\_{}\\_%", std::process::id());
    let mine = stage.lender.as_ref().unwrap().ended.lock().unwrap().clone();
    let names: Vec<String> = mine.iter().map(|name| format!("'{name}'")).collect();
    let list = if names.is_empty() {
        "''".to_owned()
    } else {
        names.join(", ")
    };
    stage
        .count(&format!(
            "SELECT count(*) FROM pg_roles WHERE rolname LIKE '{pattern}' AND rolname IN ({list})"
        ))
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn leases_that_end_again_and_again_cost_no_row_and_no_failure() {
    let mut stage = stage(20).await;
    stage.lender = Some(Arc::new(Lender::new(&stage, Duration::from_millis(120))));
    // More rotations than lost connections would be forgiven.
    stage.settings.reconnects = 1;
    stage.succeed().await;
    every_row_once(&stage).await;
    let lender = stage.lender.clone().unwrap();
    let lent = lender.lent.load(Ordering::Relaxed);
    assert!(lent >= 3, "{lent} users were lent");
    // Each was ended, as soon as its connection was closed; a new connection is a takeover.
    assert_eq!(lender.ended.lock().unwrap().len(), lent);
    assert_eq!(lent_users(&stage).await, 0);
    assert!(stage.history().await.epoch >= i64::try_from(lent).unwrap());
    let failures = stage
        .count("SELECT count(*) FROM whimbrel.event WHERE kind = 'failed'")
        .await;
    assert_eq!(failures, 0);
    // What was made, Whimbrel's tables too, belongs to the role that stays.
    let strangers = stage
        .count(&format!(
            "SELECT count(*) FROM pg_tables WHERE schemaname IN ('public', 'whimbrel') AND tableowner <> '{OWNER}'"
        ))
        .await;
    assert_eq!(strangers, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_that_is_dropped_in_the_middle_ends_at_a_checkpoint_and_another_goes_on() {
    let mut stage = stage(5).await;
    stage.lender = Some(Arc::new(Lender::new(&stage, Duration::from_secs(600))));
    let dropped = std::sync::atomic::AtomicBool::new(false);
    let database = stage.endpoint().database();
    stage.on_signal(move |signal| {
        if matches!(signal, Signal::StepProgress { progress, .. } if progress.done == 500)
            && !dropped.swap(true, Ordering::Relaxed)
        {
            drop_lent_users(&database);
        }
    });
    stage.succeed().await;
    every_row_once(&stage).await;
    assert!(stage.lender.as_ref().unwrap().lent.load(Ordering::Relaxed) >= 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn users_that_are_dropped_again_and_again_cost_no_failure_while_each_does_something() {
    let mut stage = stage(5).await;
    stage.lender = Some(Arc::new(Lender::new(&stage, Duration::from_secs(600))));
    stage.settings.reconnects = 1;
    let database = stage.endpoint().database();
    stage.on_signal(move |signal| {
        if matches!(signal, Signal::StepProgress { progress, .. } if progress.done % 500 == 0) {
            drop_lent_users(&database);
        }
    });
    stage.succeed().await;
    every_row_once(&stage).await;
    assert!(stage.lender.as_ref().unwrap().lent.load(Ordering::Relaxed) >= 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_crashed_run_left_is_ended_by_the_next() {
    let mut stage = stage(0).await;
    let mut forgetful = Lender::new(&stage, Duration::from_secs(600));
    forgetful.forgetful = true;
    stage.lender = Some(Arc::new(forgetful));
    stage.succeed().await;
    let recorded = stage.query("SELECT id FROM whimbrel.lease").await;
    let [Value::Text(left)] = recorded[0].as_slice() else {
        panic!("{recorded:?}");
    };
    // The next run ends it before it does anything, and records its own.
    stage.migrations.push(migration("3", &["SELECT 1"]));
    let next = Arc::new(Lender::new(&stage, Duration::from_secs(600)));
    stage.lender = Some(Arc::clone(&next));
    stage.succeed().await;
    assert_eq!(
        *next.ended_later.lock().unwrap(),
        std::slice::from_ref(left)
    );
    let recorded = stage.query("SELECT id FROM whimbrel.lease").await;
    assert_eq!(recorded.len(), 1, "{recorded:?}");
    assert_ne!(recorded[0], [Value::Text(left.clone())]);
    let there = format!("SELECT count(*) FROM pg_roles WHERE rolname = '{left}'");
    assert_eq!(stage.count(&there).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lent_user_without_a_role_is_refused_before_anything_is_made() {
    let mut stage = stage(0).await;
    let mut lender = Lender::new(&stage, Duration::from_secs(600));
    lender.with_role = false;
    stage.lender = Some(Arc::new(lender));
    let error = stage.fail().await;
    assert!(matches!(error, RunError::Connect(_)), "{error}");
    assert!(error.hint().unwrap().contains("`role:`"), "{error}");
    let schemas = "SELECT count(*) FROM pg_namespace WHERE nspname = 'whimbrel'";
    assert_eq!(stage.count(schemas).await, 0);
    assert_eq!(
        stage.lender.as_ref().unwrap().ended.lock().unwrap().len(),
        1
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_lent_user_owns_is_told_after_the_run() {
    let mut stage = stage(0).await;
    let mut forgetful = Lender::new(&stage, Duration::from_secs(600));
    forgetful.forgetful = true; // the user can't be dropped: that is the point
    stage.lender = Some(Arc::new(forgetful));
    PostgresServer::shared().psql(
        &stage.endpoint().database(),
        "GRANT CREATE ON SCHEMA public TO PUBLIC",
    );
    stage.migrations = vec![migration(
        "1",
        &[
            "DO $$ BEGIN EXECUTE 'SET LOCAL ROLE NONE'; EXECUTE 'CREATE TABLE mine (id integer)'; END $$",
        ],
    )];
    let error = stage.fail().await;
    let RunError::Owned { objects } = &error else {
        panic!("{error}");
    };
    assert!(
        objects.iter().any(|object| object == "table mine"),
        "{objects:?}"
    );
    assert!(error.hint().unwrap().contains("REASSIGN OWNED"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_first_of_several_lent_users_owns_is_told_too() {
    let mut stage = stage(20).await;
    let mut forgetful = Lender::new(&stage, Duration::from_millis(120));
    forgetful.forgetful = true;
    stage.lender = Some(Arc::new(forgetful));
    PostgresServer::shared().psql(
        &stage.endpoint().database(),
        "GRANT CREATE ON SCHEMA public TO PUBLIC",
    );
    let mine = "DO $$ BEGIN EXECUTE 'SET LOCAL ROLE NONE'; EXECUTE 'CREATE TABLE mine (id integer)'; END $$";
    stage.migrations.insert(0, migration("0", &[mine]));
    let error = stage.fail().await;
    assert!(matches!(error, RunError::Owned { .. }), "{error}");
    // It was told as soon as that user's time was over: nobody else went on.
    assert_eq!(
        stage.lender.as_ref().unwrap().lent.load(Ordering::Relaxed),
        1
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_that_end_before_anything_is_done_are_not_asked_for_for_ever() {
    let mut stage = stage(0).await;
    stage.migrations = vec![migration("1", &["SELECT 1 / 0"])];
    stage.lender = Some(Arc::new(Lender::new(&stage, Duration::ZERO)));
    // An ordinary failure stays one, even when the credentials end soon.
    assert!(matches!(stage.fail().await, RunError::Migration { .. }));
    assert_eq!(
        stage.lender.as_ref().unwrap().lent.load(Ordering::Relaxed),
        1
    );
}
