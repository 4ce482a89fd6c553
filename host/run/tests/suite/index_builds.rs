//! An index that is built concurrently waits for snapshots of others, which may take long: the build is not given up, and one
//! whose client died is not left to go on alone.

use std::sync::{Arc, Mutex};

use crate::support::{Stage, migration};
use whimbrel_core::statement::Dialect;
use whimbrel_database::{Command, Session};
use whimbrel_signal::Signal;

const VALID: &str = "SELECT count(*) FROM pg_index JOIN pg_class ON oid = indexrelid WHERE relname = 'seen_id' AND indisvalid";
const INVALID: &str = "SELECT count(*) FROM pg_index JOIN pg_class ON oid = indexrelid WHERE relname = 'seen_id' AND NOT indisvalid";
const BUILDING: &str = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state = 'active' AND query LIKE 'CREATE INDEX CONC%'";

/// A stage with an index to be built, and a session whose snapshot holds the build up.
async fn held_up() -> (Stage, Box<dyn Session>) {
    let mut stage = Stage::new(Dialect::Postgres);
    stage.migrations = vec![migration("1", &["CREATE TABLE seen (id integer)"])];
    stage.succeed().await;
    stage.migrations.push(migration(
        "2",
        &["CREATE INDEX CONCURRENTLY seen_id ON seen (id)"],
    ));
    let mut idle = stage.session().await;
    let snapshot = [
        "BEGIN ISOLATION LEVEL REPEATABLE READ",
        "SELECT count(*) FROM seen",
    ];
    idle.run(&snapshot.map(Command::text)).await.unwrap();
    (stage, idle)
}

/// Waits until the build has been waiting for the snapshot for so long, or its run has ended.
async fn is_held_up_for(stage: &Stage, milliseconds: u32, is_over: impl Fn() -> bool) {
    let since = format!(
        "{BUILDING} AND wait_event = 'virtualxid' AND query_start < clock_timestamp() - interval '{milliseconds} ms'"
    );
    stage.shows(&since, is_over).await;
}

/// [ran] With a `lock_timeout`, an idle snapshot leaves an invalid index.
#[tokio::test(flavor = "multi_thread")]
async fn a_concurrent_build_waits_for_longer_than_a_lock_may_be_waited_for() {
    let (mut stage, mut idle) = held_up().await;
    stage.policy.lock_timeout = whimbrel_core::duration::Duration::from_millis(50);
    let running = {
        let stage = stage.clone();
        tokio::spawn(async move { stage.run().await })
    };
    is_held_up_for(&stage, 700, || running.is_finished()).await;
    idle.run(&[Command::text("COMMIT")]).await.unwrap();
    let report = running.await.unwrap();
    assert!(report.is_success(), "{report:?}");
    assert_eq!(stage.count(VALID).await, 1);
    let heard = stage.ear.heard.lock().unwrap();
    let retried = |signal: &Signal| matches!(signal, Signal::Retrying { .. });
    assert!(!heard.iter().any(retried), "{heard:?}");
}

/// [ran] After kill -9 of a client, its server process may finish an index by itself. Whoever gets the lock knows that it doesn't,
/// because the same session held both.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_gets_the_lock_knows_that_an_orphan_builds_no_index_any_more() {
    let (mut stage, idle) = held_up().await;
    // Everything of the first run dies at once with its runtime, as with a process.
    let process = tokio::runtime::Runtime::new().unwrap();
    let orphan = {
        let mut stage = stage.clone();
        stage.ear = crate::support::Ear::default();
        process.spawn(async move { stage.run().await })
    };
    is_held_up_for(&stage, 0, || orphan.is_finished()).await;
    process.shutdown_background();

    let seen = Arc::new(Mutex::new(None));
    let (tell, look) = (Arc::clone(&seen), stage.clone());
    let idle = Mutex::new(Some(idle));
    let runtime = tokio::runtime::Handle::current();
    stage.on_signal(move |signal| {
        if !matches!(signal, Signal::LockTaken { .. }) {
            return;
        }
        let Some(mut idle) = idle.lock().unwrap().take() else {
            return;
        };
        tokio::task::block_in_place(|| {
            runtime.block_on(async {
                let found = (look.count(BUILDING).await, look.count(INVALID).await);
                *tell.lock().unwrap() = Some(found);
                // Only now could the orphan have come to an end by itself.
                idle.run(&[Command::text("COMMIT")]).await.unwrap();
            });
        });
    });
    stage.succeed().await;
    assert_eq!(*seen.lock().unwrap(), Some((0, 1)), "builds, and invalid");
    assert_eq!(
        (stage.count(VALID).await, stage.count(INVALID).await),
        (1, 0)
    );
    assert_eq!(stage.states().await[1..], [("2".into(), "applied")]);
}
