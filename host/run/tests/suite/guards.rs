//! The guards of exactly-once, each with an interleaving that needs it, and the proof that the suite would notice if one
//! were taken out.

use crate::support::{Stage, migration, plugin_step};
use serde_json::json;
use whimbrel_core::statement::Dialect;
use whimbrel_database::Command;
use whimbrel_run::{RunError, Stop};
use whimbrel_signal::Signal;

fn stage(dialect: Dialect) -> Stage {
    let mut stage = Stage::new(dialect);
    stage.migrations = vec![migration(
        "1",
        &["CREATE TABLE seen (id integer); \
         INSERT INTO seen WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100) SELECT i FROM n\
         |DROP TABLE seen"],
    )];
    stage
}

/// A stage with a thousand rows, and a migration that touches each once, a hundred at a time.
async fn filling(dialect: Dialect) -> Stage {
    let mut stage = stage(dialect);
    stage
        .execute(
            "CREATE TABLE many (id integer PRIMARY KEY, touched integer NOT NULL DEFAULT 0); \
             INSERT INTO many (id) \
             WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000) SELECT i FROM n",
        )
        .await;
    let with =
        json!({"table": "many", "key": "id", "set": "touched = touched + 1", "batchSize": 100});
    let mut filling = migration("2", &[]);
    filling.steps.push(plugin_step(with));
    stage.migrations.push(filling);
    stage.plugin = Some(crate::support::backfill().await);
    stage
}

/// Calls a function between the third batch and the fourth, and waits for what it gives.
fn between_batches<F>(stage: &mut Stage, meanwhile: impl Fn() -> F + Send + Sync + 'static)
where
    F: Future<Output = ()>,
{
    let runtime = tokio::runtime::Handle::current();
    stage.on_signal(move |signal| {
        if matches!(signal, Signal::StepProgress { progress, .. } if progress.done == 300) {
            tokio::task::block_in_place(|| runtime.block_on(meanwhile()));
        }
    });
}

const TOUCHED_ONCE: &str = "SELECT count(*) FROM many WHERE touched = 1";

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_lost_its_lock_does_not_commit_after_a_takeover() {
    let mut zombie = stage(Dialect::Postgres);
    zombie.succeed().await;
    // A definition may not let go of the lock in so many words, and a function may still do it.
    zombie
        .execute("CREATE FUNCTION let_go() RETURNS void LANGUAGE sql AS 'SELECT pg_advisory_unlock_all()'")
        .await;
    zombie.execute("CREATE TABLE gate ()").await;
    zombie.policy.lock_timeout = whimbrel_core::duration::Duration::from_secs(60);
    let mut next = zombie.clone();
    next.ear = crate::support::Ear::default();
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
    zombie.shows(waits, || running.is_finished()).await;
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

/// Of SQLite the lock is one on a file beside the database. Who removes that file lets another run lock one of the same name.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_whose_lock_file_was_removed_does_not_commit_after_a_takeover() {
    let mut zombie = filling(Dialect::Sqlite).await;
    let mut next = zombie.clone();
    next.stop = Stop::default();
    next.ear = crate::support::Ear::default();
    // The other run takes over and is told to end before it has begun anything: nothing but the fence tells of it.
    let stop = next.stop.clone();
    next.on_signal(move |signal| {
        if matches!(signal, Signal::LockTaken { .. }) {
            stop.request();
        }
    });
    let database = zombie.endpoint().sqlite_path().unwrap().to_owned();
    between_batches(&mut zombie, move || {
        let (next, database) = (next.clone(), database.clone());
        async move {
            std::fs::remove_file(format!("{}-whimbrel-lock", database.display())).unwrap();
            let error = next.fail().await;
            assert!(matches!(error, RunError::Interrupted { .. }), "{error:?}");
        }
    });
    let report = zombie.run().await;
    assert!(
        matches!(report.targets[0].error, Some(RunError::Fenced)),
        "{report:?}"
    );
    assert_eq!(zombie.history().await.epoch, 2);
    assert_eq!(zombie.count(TOUCHED_ONCE).await, 300);

    zombie.ear = crate::support::Ear::default();
    zombie.succeed().await;
    assert_eq!(zombie.count(TOUCHED_ONCE).await, 1000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_lost_in_the_middle_is_a_takeover_and_nothing_is_done_twice() {
    let mut stage = stage(Dialect::Postgres);
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
    is_not_done_again(Dialect::Postgres).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_done_is_not_done_again_on_sqlite() {
    is_not_done_again(Dialect::Sqlite).await;
}

async fn is_not_done_again(dialect: Dialect) {
    let mut stage = stage(dialect);
    let done = ["INSERT INTO seen VALUES (400)", "VACUUM seen"];
    let done = match dialect {
        Dialect::Postgres => done,
        Dialect::Sqlite => [done[0], "VACUUM"],
    };
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
    batches_follow_each_other(Dialect::Postgres, "whimbrel.journal").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_committed_only_after_the_one_before_it_on_sqlite() {
    batches_follow_each_other(Dialect::Sqlite, "whimbrel_journal").await;
}

async fn batches_follow_each_other(dialect: Dialect, journal: &'static str) {
    let mut stage = filling(dialect).await;
    let tamper = stage.clone();
    between_batches(&mut stage, move || {
        let tamper = tamper.clone();
        // Somebody else has committed batches in the meantime.
        async move {
            let sql = format!("UPDATE {journal} SET batch = batch + 5");
            tamper.execute(&sql).await;
        }
    });
    let report = stage.run().await;
    assert!(
        matches!(report.targets[0].error, Some(RunError::Fenced)),
        "{report:?}"
    );
    assert_eq!(stage.count(TOUCHED_ONCE).await, 300);
}

/// Without a guard, the test that needs it fails; with all of them it passes. Runs this very program again.
///
/// The epoch has no test on SQLite, where it means nothing: runs differ by their UUID, and a run whose session is gone has no
/// COMMIT on its way, as nobody but its own process carries that out.
#[cfg(feature = "crash-points")]
#[test]
fn the_suite_notices_a_guard_that_is_taken_out() {
    for (guard, test) in [
        (
            "fence",
            "a_run_that_lost_its_lock_does_not_commit_after_a_takeover",
        ),
        (
            "fence",
            "a_run_whose_lock_file_was_removed_does_not_commit_after_a_takeover",
        ),
        ("journal", "what_is_done_is_not_done_again"),
        ("journal", "what_is_done_is_not_done_again_on_sqlite"),
        (
            "compare-and-set",
            "a_batch_is_committed_only_after_the_one_before_it",
        ),
        (
            "compare-and-set",
            "a_batch_is_committed_only_after_the_one_before_it_on_sqlite",
        ),
        (
            "epoch",
            "a_connection_lost_in_the_middle_is_a_takeover_and_nothing_is_done_twice",
        ),
    ] {
        crate::support::mutation::is_noticed(guard, &format!("guards::{test}"));
    }
}
