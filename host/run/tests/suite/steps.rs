//! Plugin steps in a run: batches with checkpoints, interrupted and resumed, taken back, and refused.

use crate::support::{Stage, backfill, migration, name, plugin_step};
use serde_json::{Value as Json, json};
use whimbrel_core::history::{Direction, JournalState};
use whimbrel_core::plan::Goal;
use whimbrel_core::statement::Dialect;
use whimbrel_run::RunError;
use whimbrel_signal::Signal;

const BOTH: [Dialect; 2] = [Dialect::Sqlite, Dialect::Postgres];

const ROWS: &str = "CREATE TABLE many (id integer PRIMARY KEY, twice integer, touched integer NOT NULL DEFAULT 0); \
    WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000) INSERT INTO many (id) SELECT i FROM n";

fn with() -> Json {
    json!({
        "table": "many", "key": "id", "set": "twice = id * 2, touched = touched + 1", "batchSize": 100,
        "revert": "twice = NULL, touched = touched + 1",
    })
}

async fn stage(dialect: Dialect, with: Json) -> Stage {
    let mut stage = Stage::new(dialect);
    let mut filling = migration("2", &[]);
    filling.steps.push(plugin_step(with));
    stage.migrations = vec![migration("1", &[ROWS]), filling];
    stage.plugin = Some(backfill().await);
    stage
}

#[tokio::test(flavor = "multi_thread")]
async fn every_row_is_done_once_with_progress() {
    for dialect in BOTH {
        let stage = stage(dialect, with()).await;
        let report = stage.succeed().await;
        assert_eq!(report.targets[0].done[1].rows, 2000);
        assert_eq!(
            stage
                .count("SELECT count(*) FROM many WHERE twice = id * 2 AND touched = 1")
                .await,
            2000
        );
        assert_eq!(stage.history().await.record(&name("2")).unwrap().rows, 2000);
        let heard = stage.ear.heard.lock().unwrap();
        let progress: Vec<_> = heard
            .iter()
            .filter_map(|signal| match signal {
                Signal::StepProgress { progress, .. } => Some(progress.done),
                _ => None,
            })
            .collect();
        assert!(progress.len() >= 20 && progress.is_sorted(), "{progress:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_step_goes_on_from_its_checkpoint() {
    for dialect in BOTH {
        let mut stage = stage(dialect, with()).await;
        let stop = stage.stop.clone();
        stage.on_signal(move |signal| {
            if matches!(signal, Signal::StepProgress { progress, .. } if progress.done == 500) {
                stop.request();
            }
        });
        assert!(matches!(stage.fail().await, RunError::Interrupted { .. }));
        let history = stage.history().await;
        let entry = history
            .journal_of(&name("2"), Direction::Apply)
            .next()
            .unwrap();
        assert_eq!(
            (entry.state, entry.batch, entry.rows_done),
            (JournalState::Intent, 5, 500)
        );
        assert_eq!(stage.states().await[1], ("2".into(), "applying"));

        let mut again = stage.clone();
        again.stop = whimbrel_run::Stop::default();
        again.ear = crate::support::Ear::default();
        again.succeed().await;
        assert_eq!(
            again
                .count("SELECT count(*) FROM many WHERE twice = id * 2 AND touched = 1")
                .await,
            2000
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_is_taken_back_in_batches_and_an_unfinished_one_as_far_as_it_came() {
    for dialect in BOTH {
        let mut stage = stage(dialect, with()).await;
        stage.succeed().await;
        stage.goal = Goal::Revert(vec![name("2")]);
        stage.succeed().await;
        assert_eq!(
            stage
                .count("SELECT count(*) FROM many WHERE twice IS NULL AND touched = 2")
                .await,
            2000
        );
        assert_eq!(stage.states().await.len(), 1);

        stage.goal = Goal::Apply;
        let stop = stage.stop.clone();
        stage.on_signal(move |signal| {
            if matches!(signal, Signal::StepProgress { progress, .. } if progress.done == 500) {
                stop.request();
            }
        });
        stage.fail().await;
        let mut back = stage.clone();
        back.stop = whimbrel_run::Stop::default();
        back.ear = crate::support::Ear::default();
        back.goal = Goal::Revert(vec![name("2")]);
        back.succeed().await;
        assert_eq!(
            back.count("SELECT count(*) FROM many WHERE twice IS NULL")
                .await,
            2000
        );
        assert_eq!(back.states().await.len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_of_the_step_is_its_migrations_failure() {
    for dialect in BOTH {
        let mut wrong = with();
        wrong["set"] = json!("nothing = 1");
        let stage = stage(dialect, wrong).await;
        let error = stage.fail().await;
        let RunError::Migration { title, error, .. } = &error else {
            panic!("{error:?}")
        };
        assert_eq!(title, "backfill");
        assert!(error.contains("nothing"), "{error}");
        assert_eq!(stage.states().await[1], ("2".into(), "failed"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_cannot_end_the_transaction_or_touch_the_history() {
    for dialect in BOTH {
        for set in ["twice = 1; COMMIT", "twice = 1; DROP TABLE many"] {
            let mut wrong = with();
            wrong["set"] = json!(set);
            let stage = stage(dialect, wrong).await;
            assert!(
                matches!(stage.fail().await, RunError::Migration { .. }),
                "{set}"
            );
            assert_eq!(
                stage
                    .count("SELECT count(*) FROM many WHERE touched > 0")
                    .await,
                0
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_among_others_is_journalled_with_what_its_revert_needs() {
    for dialect in BOTH {
        let mut stage = stage(dialect, with()).await;
        let more = migration(
            "x",
            &["CREATE TABLE after_it (id text)|DROP TABLE after_it"],
        );
        stage.migrations[1].steps.extend(more.steps);
        stage.succeed().await;
        stage.goal = Goal::Revert(vec![name("2")]);
        stage.succeed().await;
        assert_eq!(
            stage
                .count("SELECT count(*) FROM many WHERE twice IS NULL AND touched = 2")
                .await,
            2000
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_that_takes_too_long_is_ended_together_with_its_statement() {
    let nap = json!({"table": "many", "key": "id", "set": "twice = (SELECT 2 FROM pg_sleep(60))"});
    let mut stage = stage(Dialect::Postgres, nap).await;
    stage.migrations[1].steps[0].timeout =
        Some(whimbrel_core::duration::Duration::from_millis(1500));
    let begun = std::time::Instant::now();
    let error = stage.fail().await;
    assert!(matches!(error, RunError::Migration { .. }), "{error:?}");
    assert!(
        begun.elapsed() < std::time::Duration::from_secs(30),
        "the statement was cancelled"
    );
    assert_eq!(
        stage
            .count("SELECT count(*) FROM many WHERE twice IS NOT NULL")
            .await,
        0
    );
}
