//! What PostgreSQL refuses for now and not for good is tried again, and not for ever.

use std::time::Duration;

use crate::support::{Stage, migration};
use whimbrel_core::duration::Duration as Policy;
use whimbrel_core::statement::Dialect;
use whimbrel_database::Command;
use whimbrel_run::RunError;
use whimbrel_signal::Signal;

/// A stage with two tables and a sequence, from which the first try of a statement takes 1.
async fn stage() -> Stage {
    let mut stage = Stage::new(Dialect::Postgres);
    stage.settings.retry_delay = Duration::from_millis(10);
    stage.migrations = vec![migration(
        "1",
        &["CREATE TABLE seen (id integer); CREATE TABLE gate (); CREATE SEQUENCE once"],
    )];
    stage.succeed().await;
    stage
}

/// Why it was tried again, each time.
fn retries(stage: &Stage) -> Vec<String> {
    let heard = stage.ear.heard.lock().unwrap();
    let reasons = heard.iter().filter_map(|signal| match signal {
        Signal::Retrying { reason, .. } => Some(reason.clone()),
        _ => None,
    });
    reasons.collect()
}

/// The row that each migration here writes is there once.
async fn is_done_once(stage: &Stage) {
    assert_eq!(stage.count("SELECT count(*) FROM seen").await, 1);
    let states = stage.states().await;
    assert_eq!(states[1..], [("2".into(), "applied")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_serialization_failure_is_tried_again_and_leaves_its_effect_once() {
    let mut stage = stage().await;
    stage.migrations.push(migration(
        "2",
        &[
            "INSERT INTO seen VALUES (1)",
            "DO $$ BEGIN IF nextval('once') = 1 THEN RAISE 'not now' USING ERRCODE = '40001'; END IF; END $$",
        ],
    ));
    stage.succeed().await;
    let reasons = retries(&stage);
    assert!(
        matches!(reasons.as_slice(), [reason] if reason.contains("40001")),
        "{reasons:?}"
    );
    is_done_once(&stage).await;
}

/// Two sessions want what the other one has, and the run is the one that the server sends away.
#[tokio::test(flavor = "multi_thread")]
async fn a_deadlock_is_tried_again_and_leaves_its_effect_once() {
    let mut stage = stage().await;
    let waited_for =
        "EXISTS (SELECT FROM pg_locks WHERE relation = 'seen'::regclass AND NOT granted)";
    stage.migrations.push(migration(
        "2",
        &[
            "INSERT INTO seen VALUES (1)",
            &format!(
                "DO $$ BEGIN IF nextval('once') = 1 THEN WHILE NOT {waited_for} LOOP PERFORM pg_sleep(0.01); END LOOP; \
                 END IF; END $$"
            ),
            "LOCK TABLE gate",
        ],
    ));
    // Who looks first for a deadlock is the one that gives way.
    let mut other = stage.session().await;
    let lock = ["SET deadlock_timeout = '1min'", "BEGIN", "LOCK TABLE gate"];
    other.run(&lock.map(Command::text)).await.unwrap();
    let soon = format!(
        "ALTER DATABASE {} SET deadlock_timeout = '20ms'",
        stage.endpoint().database()
    );
    stage.execute(&soon).await;
    let running = {
        let stage = stage.clone();
        tokio::spawn(async move { stage.run().await })
    };
    let written = "SELECT count(*) FROM pg_locks WHERE relation = 'seen'::regclass AND granted AND mode = 'RowExclusiveLock'";
    stage.shows(written, || running.is_finished()).await;
    let both = ["LOCK TABLE seen", "COMMIT"];
    other.run(&both.map(Command::text)).await.unwrap();
    let report = running.await.unwrap();
    assert!(report.is_success(), "{report:?}");
    let reasons = retries(&stage);
    assert!(
        matches!(reasons.as_slice(), [reason] if reason.contains("40P01")),
        "{reasons:?}"
    );
    is_done_once(&stage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_that_is_never_given_back_ends_the_run_after_its_retries() {
    let mut stage = stage().await;
    stage.settings.retries = 2;
    stage.policy.lock_timeout = Policy::from_millis(30);
    stage
        .migrations
        .push(migration("2", &["ALTER TABLE seen ADD COLUMN late text"]));
    let mut other = stage.session().await;
    let lock = ["BEGIN", "LOCK TABLE seen IN SHARE MODE"];
    other.run(&lock.map(Command::text)).await.unwrap();
    let error = stage.fail().await;
    let RunError::Migration { error, title, .. } = &error else {
        panic!("{error:?}")
    };
    assert!(
        error.contains("lock timeout (55P03)") && title.contains("line 1"),
        "{title}: {error}"
    );
    assert_eq!(retries(&stage).len(), 2);
    assert_eq!(stage.states().await[1..], [("2".into(), "failed")]);
    other.run(&[Command::text("COMMIT")]).await.unwrap();
    stage.succeed().await;
}
