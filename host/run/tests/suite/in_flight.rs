//! A COMMIT that is on its way when the connection is lost, as it was seen when the engine was designed: it may have been
//! carried out, or be carried out later, and whatever it carries must be there once.

use crate::support::wire::{Fault, Wire};
use crate::support::{Stage, migration, name, plugin_step, target};
use serde_json::json;
use whimbrel_core::definition::Migration;
use whimbrel_core::history::Direction;
use whimbrel_core::plan::Goal;
use whimbrel_core::statement::Dialect;
use whimbrel_postgres_server::PostgresServer;
use whimbrel_run::RunReport;
use whimbrel_signal::Signal;

/// What is committed, each with what the session says, and says nowhere else, before the COMMIT that is in flight.
fn kinds() -> [(&'static str, Migration); 4] {
    let mut filling = migration("2", &[]);
    let with = json!({"table": "many", "key": "id", "set": "times = times + 1", "batchSize": 100});
    filling.steps.push(plugin_step(with));
    [
        // A whole migration with its record.
        (
            "VALUES (700)",
            migration("2", &["INSERT INTO seen VALUES (700)"]),
        ),
        // The first part of one, with the journal.
        (
            "VALUES (700)",
            migration("2", &["INSERT INTO seen VALUES (700)", "VACUUM seen"]),
        ),
        // The record of a statement that ran outside of transactions.
        (
            "ON seen (id)\0",
            migration(
                "2",
                &[
                    "CREATE INDEX CONCURRENTLY seen_id ON seen (id)",
                    "INSERT INTO seen VALUES (700)",
                ],
            ),
        ),
        // A batch with its checkpoint.
        ("SET times = times + 1", filling),
    ]
}

/// A stage with a table and a fault on the wire to it: as a test sees it, and as the run does.
async fn stage(text: &str, fault: Fault, second: &Migration) -> (Stage, Stage, Wire) {
    let mut direct = Stage::new(Dialect::Postgres);
    direct.plugin = Some(crate::support::backfill().await);
    direct.migrations = vec![migration(
        "1",
        &[
            "CREATE TABLE seen (id integer); CREATE TABLE many (id integer PRIMARY KEY, times integer NOT NULL DEFAULT 0); \
         INSERT INTO many SELECT generate_series(1, 500)",
        ],
    )];
    direct.succeed().await;
    direct.migrations.push(second.clone());
    direct
        .migrations
        .push(migration("3", &["INSERT INTO seen VALUES (800)"]));
    let wire = Wire::to(PostgresServer::shared().socket_folder(), text, fault);
    let mut run = direct.clone();
    run.ear = crate::support::Ear::default();
    run.targets
        .insert(target("main"), wire.lead(direct.endpoint()));
    (direct, run, wire)
}

async fn everything_once(stage: &Stage, second: &Migration) {
    let states = stage.states().await;
    assert!(
        states.len() == 3 && states.iter().all(|(_, state)| *state == "applied"),
        "{states:?}"
    );
    let rows = |text: &str| format!("SELECT count(*) FROM seen WHERE id = {text}");
    let is_filling = second.steps.len() == 1 && second.steps[0].name.is_some();
    assert_eq!(stage.count(&rows("700")).await, i64::from(!is_filling));
    assert_eq!(stage.count(&rows("800")).await, 1);
    let times = format!(
        "SELECT count(*) FROM many WHERE times = {}",
        i64::from(is_filling)
    );
    assert_eq!(stage.count(&times).await, 500);
    assert!(stage.history().await.journal.is_empty());
}

/// Nobody who hears of the run, or reads its report, misses what was committed in silence.
fn tells_of_all(run: &Stage, report: &RunReport, direction: Direction, names: &[&str]) {
    let expected: Vec<_> = names.iter().map(|text| (name(text), direction)).collect();
    let done = report.targets.iter().flat_map(|target| &target.done);
    let told: Vec<_> = done
        .map(|done| (done.migration.clone(), done.direction))
        .collect();
    assert_eq!(told, expected);
    let heard = run.ear.heard.lock().unwrap();
    let finished = heard.iter().filter_map(|signal| match signal {
        Signal::MigrationFinished {
            migration,
            direction,
            ..
        } => Some((migration.clone(), *direction)),
        _ => None,
    });
    assert_eq!(finished.collect::<Vec<_>>(), expected);
}

/// [ran] The server has committed, and nobody heard of it.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_lost_is_looked_for_in_the_history() {
    for (text, second) in kinds() {
        let (direct, run, wire) = stage(text, Fault::AnswerLost, &second).await;
        let report = run.succeed().await;
        assert_eq!(wire.answer(), "COMMIT", "{text}");
        everything_once(&direct, &second).await;
        tells_of_all(&run, &report, Direction::Apply, &["2", "3"]);
        assert_eq!(
            direct.history().await.epoch,
            3,
            "connecting anew was a takeover"
        );
    }
}

/// Of a revert it is the event that tells: nothing else is left of it.
#[tokio::test(flavor = "multi_thread")]
async fn a_revert_whose_answer_is_lost_is_told_of() {
    let steps = ["INSERT INTO seen VALUES (700)|DELETE FROM seen WHERE id = 700"];
    let second = migration("2", &steps);
    let (mut direct, mut run, wire) = stage("id = 700", Fault::AnswerLost, &second).await;
    direct.migrations.pop();
    direct.succeed().await;
    run.migrations = direct.migrations.clone();
    run.goal = Goal::Revert(vec![name("2")]);
    let report = run.succeed().await;
    assert_eq!(wire.answer(), "COMMIT");
    assert_eq!(direct.count("SELECT count(*) FROM seen").await, 0);
    tells_of_all(&run, &report, Direction::Revert, &["2"]);
}

/// [ran] The COMMIT of a lost connection arrives while the run, connected anew, waits for the lock that the other session
/// holds: what it commits is there before the journal is read.
#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_comes_late_is_waited_for() {
    for (text, second) in kinds() {
        let (direct, mut run, wire) = stage(text, Fault::CommitLate, &second).await;
        let open = wire.opener();
        run.on_signal(move |signal| {
            if matches!(signal, Signal::LockWaiting { .. }) {
                open();
            }
        });
        run.succeed().await;
        assert_eq!(wire.answer(), "COMMIT", "{text}");
        everything_once(&direct, &second).await;
    }
}

/// [ran] The lock of a lost connection is gone while its transaction isn't, so that connecting anew is no proof: what arrives
/// after the takeover commits nothing: the fence refuses it, and only then would the record that is there by now. It is the
/// same run, so that nothing but the epoch tells the two connections apart.
#[tokio::test(flavor = "multi_thread")]
async fn what_comes_after_a_takeover_commits_nothing() {
    let second = migration("2", &["INSERT INTO seen VALUES (700); SELECT let_go()"]);
    let (direct, run, wire) = stage("SELECT let_go()", Fault::RestLate, &second).await;
    direct
        .execute("CREATE FUNCTION let_go() RETURNS void LANGUAGE sql AS 'SELECT pg_advisory_unlock_all()'")
        .await;
    run.succeed().await;
    everything_once(&direct, &second).await;
    wire.let_through();
    assert_eq!(wire.answer(), "ROLLBACK");
    assert_eq!(wire.refusal().as_deref(), Some("WB001"), "not the fence's");
    everything_once(&direct, &second).await;
}

#[cfg(feature = "crash-points")]
#[test]
fn the_suite_notices_an_epoch_that_stays() {
    crate::support::mutation::is_noticed(
        "epoch",
        "in_flight::what_comes_after_a_takeover_commits_nothing",
    );
}
