//! The guards of exactly-once, each with an interleaving that needs it, and the proof that the suite would notice if one
//! were taken out.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::panic,
    clippy::expect_used,
    clippy::indexing_slicing
)]

mod support;

use std::process::Command as Process;
use std::time::Duration;

use serde_json::json;
use support::{Stage, migration, plugin_step};
use whimbrel_core::statement::Dialect;
use whimbrel_database::Command;
use whimbrel_run::RunError;
use whimbrel_signal::Signal;

fn stage() -> Stage {
    let mut stage = Stage::new(Dialect::Postgres);
    stage.migrations = vec![migration(
        "1",
        &[
            "CREATE TABLE seen (id integer); INSERT INTO seen SELECT generate_series(1, 100)|DROP TABLE seen",
        ],
    )];
    stage
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_lost_its_lock_does_not_commit_after_a_takeover() {
    let mut zombie = stage();
    zombie.succeed().await;
    // A definition may not let go of the lock in so many words, and a function may still do it.
    zombie
        .execute("CREATE FUNCTION let_go() RETURNS void LANGUAGE sql AS 'SELECT pg_advisory_unlock_all()'")
        .await;
    zombie.execute("CREATE TABLE gate ()").await;
    zombie.policy.lock_timeout = whimbrel_core::duration::Duration::from_secs(60);
    let mut next = zombie.clone();
    next.ear = support::Ear::default();
    zombie.migrations.push(migration(
        "2",
        &["INSERT INTO seen VALUES (300); SELECT let_go(); SELECT count(*) FROM gate"],
    ));
    next.migrations
        .push(migration("3", &["INSERT INTO seen VALUES (301)"]));
    let mut keeper = zombie.session().await;
    keeper
        .run(&[Command::text("BEGIN"), Command::text("LOCK TABLE gate")])
        .await
        .unwrap();
    let running = {
        let zombie = zombie.clone();
        tokio::spawn(async move { zombie.run().await })
    };
    let waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()";
    while zombie.count(waits).await == 0 {
        assert!(!running.is_finished(), "it never came to the gate");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    next.succeed().await;
    keeper.run(&[Command::text("COMMIT")]).await.unwrap();
    let report = running.await.unwrap();
    assert!(
        matches!(report.targets[0].error, Some(RunError::Fenced)),
        "{report:?}"
    );
    assert_eq!(
        zombie
            .count("SELECT count(*) FROM seen WHERE id = 300")
            .await,
        0
    );
    assert_eq!(
        zombie
            .count("SELECT count(*) FROM seen WHERE id = 301")
            .await,
        1
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_lost_in_the_middle_is_a_takeover_and_nothing_is_done_twice() {
    let mut stage = stage();
    stage.execute("CREATE SEQUENCE killer").await;
    let kill_once = "DO $$ BEGIN IF nextval('killer') = 1 THEN PERFORM pg_terminate_backend(pg_backend_pid()); END IF; END $$";
    stage.migrations.push(migration(
        "2",
        &["INSERT INTO seen VALUES (500)", kill_once],
    ));
    stage
        .migrations
        .push(migration("3", &["INSERT INTO seen VALUES (501)"]));
    stage.succeed().await;
    assert_eq!(
        stage
            .count("SELECT count(*) FROM seen WHERE id >= 500")
            .await,
        2
    );
    assert_eq!(
        stage.history().await.epoch,
        2,
        "one takeover more than runs"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_done_is_not_done_again() {
    let mut stage = stage();
    let done = ["INSERT INTO seen VALUES (400)", "VACUUM seen"];
    stage.migrations.push(migration(
        "2",
        &[done[0], done[1], "INSERT INTO nowhere VALUES (1)"],
    ));
    stage.fail().await;
    stage.migrations[1] = migration("2", &[done[0], done[1], "INSERT INTO seen VALUES (401)"]);
    stage.succeed().await;
    assert_eq!(
        stage
            .count("SELECT count(*) FROM seen WHERE id = 400")
            .await,
        1
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_committed_only_after_the_one_before_it() {
    let mut stage = stage();
    stage.execute("CREATE TABLE many (id integer PRIMARY KEY, done boolean); INSERT INTO many SELECT generate_series(1, 1000)").await;
    let with = json!({"table": "many", "key": "id", "set": "done = true", "batchSize": 100});
    let mut filling = migration("2", &[]);
    filling.steps.push(plugin_step(with));
    stage.migrations.push(filling);
    stage.plugin = Some(support::backfill().await);
    let tamper = stage.clone();
    let runtime = tokio::runtime::Handle::current();
    stage.on_signal(move |signal| {
        if matches!(signal, Signal::StepProgress { progress, .. } if progress.done == 300) {
            let tamper = tamper.clone();
            // Somebody else has committed batches in the meantime.
            tokio::task::block_in_place(|| {
                runtime.block_on(tamper.execute("UPDATE whimbrel.journal SET batch = batch + 5"));
            });
        }
    });
    let report = stage.run().await;
    assert!(
        matches!(report.targets[0].error, Some(RunError::Fenced)),
        "{report:?}"
    );
    assert_eq!(
        stage.count("SELECT count(*) FROM many WHERE done").await,
        300
    );
}

/// Without a guard, the test that needs it fails; with all of them it passes. Runs this very program again.
#[cfg(feature = "crash-points")]
#[test]
fn the_suite_notices_a_guard_that_is_taken_out() {
    let itself = std::env::current_exe().unwrap();
    for (guard, test) in [
        (
            "fence",
            "a_run_that_lost_its_lock_does_not_commit_after_a_takeover",
        ),
        ("journal", "what_is_done_is_not_done_again"),
        (
            "compare-and-set",
            "a_batch_is_committed_only_after_the_one_before_it",
        ),
        (
            "epoch",
            "a_connection_lost_in_the_middle_is_a_takeover_and_nothing_is_done_twice",
        ),
    ] {
        let passes = |sabotage: Option<&str>| {
            let mut process = Process::new(&itself);
            process
                .args(["--exact", test])
                .env_remove("WHIMBREL_SABOTAGE");
            if let Some(guard) = sabotage {
                process.env("WHIMBREL_SABOTAGE", guard);
            }
            process.output().unwrap().status.success()
        };
        assert!(passes(None), "{test} should pass with every guard in place");
        assert!(
            !passes(Some(guard)),
            "{test} should fail without the guard `{guard}`"
        );
    }
}
