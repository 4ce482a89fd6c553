//! What PostgreSQL alone can do to a run: statements outside of transactions, lost connections, locks of others.

use std::time::Duration;

use crate::support::{Stage, migration, name};
use whimbrel_core::history::{Direction, JournalState};
use whimbrel_core::lineage::Absence;
use whimbrel_core::plan::Goal;
use whimbrel_core::statement::Dialect;
use whimbrel_database::Command;
use whimbrel_run::RunError;
use whimbrel_signal::Signal;

const VALID: &str = "SELECT count(*) FROM pg_index JOIN pg_class ON oid = indexrelid WHERE relname = 'seen_id' AND indisvalid";
const PRESENT: &str = "SELECT count(*) FROM pg_class WHERE relname = 'seen_id'";

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

fn with(steps: &[&str]) -> Stage {
    let mut stage = stage();
    stage.migrations.push(migration("2", steps));
    stage
}

/// A definition may take away what the session has prepared, seen or unseen.
#[tokio::test(flavor = "multi_thread")]
async fn definitions_may_deallocate() {
    let mut stage = stage();
    for (number, sql) in [
        (2, "INSERT INTO seen VALUES (102)|"),
        (3, "INSERT INTO seen VALUES (103)|"),
        (4, "DEALLOCATE ALL|"),
        (5, "INSERT INTO seen VALUES (105)|"),
        (6, "INSERT INTO seen VALUES (106)|"),
        (
            7,
            "DO $$ BEGIN EXECUTE reverse('LLA ETACOLLAED'); INSERT INTO seen VALUES (107); END $$|",
        ),
        (8, "INSERT INTO seen VALUES (108)|"),
    ] {
        stage
            .migrations
            .push(migration(&number.to_string(), &[sql]));
    }
    stage.succeed().await;
    assert_eq!(stage.count("SELECT count(*) FROM seen").await, 106);
    assert_eq!(stage.states().await.len(), 8);
}

#[tokio::test(flavor = "multi_thread")]
async fn statements_outside_of_transactions_are_journalled_between_the_others() {
    let stage = with(&[
        "ALTER TABLE seen ADD COLUMN more text|ALTER TABLE seen DROP COLUMN more",
        "CREATE INDEX CONCURRENTLY seen_id ON seen (id)|DROP INDEX CONCURRENTLY seen_id",
        "VACUUM seen|",
        "CREATE TYPE mood AS ENUM ('good')|DROP TYPE mood",
        "ALTER TYPE mood ADD VALUE 'bad'|",
        "INSERT INTO seen VALUES (101)|DELETE FROM seen WHERE id = 101",
    ]);
    stage.succeed().await;
    assert_eq!(stage.count(VALID).await, 1);
    assert_eq!(
        stage
            .count("SELECT count(*) FROM pg_enum WHERE enumlabel = 'bad'")
            .await,
        1
    );
    assert!(
        stage.history().await.journal.is_empty(),
        "a finished migration has no journal"
    );

    let mut stage = stage;
    stage.goal = Goal::Revert(vec![name("2")]);
    stage.succeed().await;
    assert_eq!(stage.count(PRESENT).await, 0);
    assert_eq!(
        stage
            .count("SELECT count(*) FROM pg_attribute WHERE attname = 'more'")
            .await,
        0
    );
    assert_eq!(stage.states().await, [("1".into(), "applied")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_migration_that_failed_half_way_is_taken_back_step_by_step() {
    let mut stage = with(&[
        "ALTER TABLE seen ADD COLUMN more text|ALTER TABLE seen DROP COLUMN more",
        "CREATE INDEX CONCURRENTLY seen_id ON seen (id)|DROP INDEX CONCURRENTLY seen_id",
        "INSERT INTO nowhere VALUES (1)|DELETE FROM nowhere",
    ]);
    let error = stage.fail().await;
    let RunError::Migration { committed, .. } = &error else {
        panic!("{error:?}")
    };
    assert_eq!(committed, "2 of 3 operations are committed");
    let history = stage.history().await;
    let done: Vec<_> = history
        .journal_of(&name("2"), Direction::Apply)
        .map(|entry| entry.state)
        .collect();
    assert_eq!(done, [JournalState::Done, JournalState::Done]);

    // The repository no longer has it: a clone without the file takes it back.
    stage.migrations.pop();
    stage
        .absences
        .insert(name("2"), Absence::Removed { by: None });
    stage.succeed().await;
    assert_eq!(stage.count(PRESENT).await, 0);
    assert_eq!(stage.states().await, [("1".into(), "applied")]);
    assert!(stage.history().await.journal.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mended_migration_goes_on_after_what_is_done() {
    let mut stage = with(&[
        "CREATE INDEX CONCURRENTLY seen_id ON seen (id)",
        "INSERT INTO nowhere VALUES (1)",
    ]);
    stage.fail().await;
    stage.migrations[1] = migration(
        "2",
        &[
            "CREATE INDEX CONCURRENTLY seen_id ON seen (id)",
            "INSERT INTO seen VALUES (200)",
        ],
    );
    stage.succeed().await;
    assert_eq!(
        stage
            .count("SELECT count(*) FROM seen WHERE id = 200")
            .await,
        1
    );

    let mut stage = with(&[
        "CREATE INDEX CONCURRENTLY seen_id ON seen (id)",
        "INSERT INTO nowhere VALUES (1)",
    ]);
    stage.fail().await;
    stage.migrations[1] = migration(
        "2",
        &["CREATE INDEX CONCURRENTLY other ON seen (id)", "SELECT 1"],
    );
    assert!(
        matches!(stage.fail().await, RunError::Blocked(_)),
        "what is done may not be edited"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_concurrent_index_that_fails_leaves_no_invalid_one() {
    let stage = with(&[
        "INSERT INTO seen VALUES (1)|",
        "CREATE UNIQUE INDEX CONCURRENTLY seen_id ON seen (id)",
    ]);
    let error = stage.fail().await.to_string();
    assert!(error.contains("seen_id"), "{error}");
    assert_eq!(stage.count(PRESENT).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_that_is_there_already_is_taken_for_done_when_the_statement_says_so() {
    let stage = with(&["CREATE INDEX CONCURRENTLY IF NOT EXISTS seen_id ON seen (id)"]);
    let mut first = stage.clone();
    first.migrations.pop();
    first.succeed().await;
    stage.execute("CREATE INDEX seen_id ON seen (id)").await;
    stage.succeed().await;
    assert_eq!(stage.count(VALID).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_index_build_is_probed_dropped_and_built_again() {
    let stage = with(&["CREATE INDEX CONCURRENTLY seen_id ON seen (id)"]);
    let mut first = stage.clone();
    first.migrations.pop();
    first.succeed().await;
    // An old snapshot keeps the build waiting for long enough to kill it.
    let mut idle = stage.session().await;
    idle.run(&[
        Command::text("BEGIN ISOLATION LEVEL REPEATABLE READ"),
        Command::text("SELECT count(*) FROM seen"),
    ])
    .await
    .unwrap();
    let running = {
        let stage = stage.clone();
        tokio::spawn(async move { stage.run().await })
    };
    let building = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'CREATE INDEX CONC%' AND wait_event = 'virtualxid'";
    for _ in 0..200 {
        if stage.count(building).await > 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    stage
        .query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'CREATE INDEX CONC%'")
        .await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    idle.run(&[Command::text("COMMIT")]).await.unwrap();
    let report = running.await.unwrap();
    assert!(report.is_success(), "{report:?}");
    assert_eq!(stage.count(VALID).await, 1);
    assert_eq!(stage.count(PRESENT).await, 1);
    assert!(
        stage.history().await.epoch >= 3,
        "connecting anew was a takeover"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_is_always_lost_ends_the_run() {
    let mut stage = stage();
    stage.settings.reconnects = 2;
    stage.settings.reconnect_delay = Duration::from_millis(10);
    stage.migrations.push(migration(
        "2",
        &["SELECT pg_terminate_backend(pg_backend_pid())"],
    ));
    let error = stage.fail().await;
    assert!(matches!(error, RunError::Database(_)), "{error:?}");
    assert_eq!(stage.states().await, [("1".into(), "applied")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outcome_that_nothing_tells_is_unknown_until_a_person_says() {
    let mut stage = stage();
    stage.settings.reconnect_delay = Duration::from_millis(10);
    stage
        .migrations
        .push(migration("2", &["ALTER SYSTEM SET work_mem = '5MB'"]));
    // The intent is there, and nobody knows what came after it.
    let mut before = stage.clone();
    before.migrations.pop();
    before.succeed().await;
    let request = stage.request().await;
    stage
        .execute("CREATE FUNCTION nothing() RETURNS void LANGUAGE sql AS ''")
        .await;
    let stop = stage.stop.clone();
    drop((request, stop));
    let killer = stage.clone();
    let mut stage = stage;
    let session = std::sync::Arc::new(tokio::sync::Mutex::new(Some(killer.session().await)));
    let runtime = tokio::runtime::Handle::current();
    stage.on_signal(move |signal| {
        if matches!(signal, Signal::StepStarted { title, .. } if title.contains("step 1, line 1")) {
            let session = session.clone();
            // Cuts the connection once the intent is there.
            runtime.spawn(async move {
                let Some(mut session) = session.lock().await.take() else { return };
                let cut = "SELECT pg_terminate_backend(l.pid) FROM pg_locks l, whimbrel.journal j WHERE l.locktype = 'advisory' AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())";
                for _ in 0..500 {
                    let done = session.run(&[Command::with(cut, Vec::new())]).await.unwrap();
                    if !done[0].rows.rows.is_empty() {
                        break;
                    }
                }
            });
        }
    });
    let report = stage.run().await;
    // The cut may come before the statement, after it, or after its record: never is it run twice unseen.
    match &report.targets[0].error {
        None => assert_eq!(stage.states().await.len(), 2),
        Some(RunError::Unknown { how_to_decide, .. }) => assert!(!how_to_decide.is_empty()),
        Some(other) => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_of_somebody_else_is_waited_for_within_the_budget() {
    let mut stage = stage();
    stage.succeed().await;
    stage.policy.lock_timeout = whimbrel_core::duration::Duration::from_millis(50);
    stage
        .migrations
        .push(migration("2", &["ALTER TABLE seen ADD COLUMN late text"]));
    let mut other = stage.session().await;
    other
        .run(&[
            Command::text("BEGIN"),
            Command::text("LOCK TABLE seen IN SHARE MODE"),
        ])
        .await
        .unwrap();
    let releasing = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(300)).await;
        other.run(&[Command::text("COMMIT")]).await.unwrap();
    });
    stage.succeed().await;
    releasing.await.unwrap();
    let heard = stage.ear.heard.lock().unwrap();
    assert!(
        heard
            .iter()
            .any(|signal| matches!(signal, Signal::Retrying { .. }))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_is_cancelled_when_ending_is_insisted_on() {
    let mut stage = stage();
    stage
        .migrations
        .push(migration("2", &["SELECT pg_sleep(30)"]));
    let stop = stage.stop.clone();
    let runtime = tokio::runtime::Handle::current();
    stage.on_signal(move |signal| {
        if matches!(signal, Signal::StepStarted { .. }) {
            let stop = stop.clone();
            runtime.spawn(async move {
                tokio::time::sleep(Duration::from_millis(300)).await;
                stop.request();
                stop.request();
            });
        }
    });
    let begun = std::time::Instant::now();
    stage.fail().await;
    assert!(begun.elapsed() < Duration::from_secs(20));
    assert!(!stage.states().await.contains(&("2".into(), "applied")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_has_its_own_timeout() {
    let mut stage = stage();
    let mut slow = migration("2", &["SELECT pg_sleep(30)"]);
    slow.steps[0].timeout = Some(whimbrel_core::duration::Duration::from_millis(100));
    stage.migrations.push(slow);
    let error = stage.fail().await.to_string();
    assert!(error.contains("57014"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deferred_constraint_fails_at_commit_and_undoes_the_migration() {
    let mut stage = stage();
    stage.migrations.push(migration("2", &[
        "CREATE TABLE parent (id integer PRIMARY KEY); CREATE TABLE child (parent integer REFERENCES parent DEFERRABLE INITIALLY DEFERRED)",
    ]));
    stage
        .migrations
        .push(migration("3", &["INSERT INTO child VALUES (7)"]));
    let error = stage.fail().await.to_string();
    assert!(error.contains("commit failed"), "{error}");
    assert_eq!(stage.count("SELECT count(*) FROM child").await, 0);
    assert_eq!(stage.states().await[2], ("3".into(), "failed"));
}
