//! What a run does with migrations that go well, that fail, and that are taken back, on both databases.
//!
//! tidy: long because every protocol is tried on both databases with the same few migrations

use crate::support::{Stage, check, migration, name, target};
use serde_json::json;
use whimbrel_core::gate::{Gate, Refusal};
use whimbrel_core::history::{Direction, EventKind};
use whimbrel_core::lineage::Absence;
use whimbrel_core::plan::Goal;
use whimbrel_core::statement::Dialect;
use whimbrel_database::history::read_events;
use whimbrel_run::RunError;
use whimbrel_signal::Signal;

const BOTH: [Dialect; 2] = [Dialect::Sqlite, Dialect::Postgres];

#[tokio::test(flavor = "multi_thread")]
async fn migrations_are_applied_once_in_order_and_recorded() {
    for dialect in BOTH {
        let mut stage = Stage::new(dialect);
        stage.migrations = vec![
            migration("1", &["CREATE TABLE seen (id text)"]),
            migration(
                "2",
                &["INSERT INTO seen VALUES ('2a'); INSERT INTO seen VALUES ('2b')"],
            ),
        ];
        let report = stage.succeed().await;
        assert_eq!(report.targets[0].done.len(), 2);
        assert_eq!(stage.count("SELECT count(*) FROM seen").await, 2);
        assert_eq!(
            stage.states().await,
            [("1".into(), "applied"), ("2".into(), "applied")]
        );
        let history = stage.history().await;
        assert!(history.journal.is_empty());
        assert_eq!(history.owner, Some(stage.owner.clone()));
        assert_eq!(
            history.records[1].definition,
            stage.migrations[1].canonical().unwrap()
        );
        assert!(history.records[1].duration_milliseconds.is_some());
        assert!(
            stage.run().await.targets.is_empty(),
            "nothing is left to do"
        );
        let events = read_events(stage.session().await.as_mut(), 10)
            .await
            .unwrap();
        assert_eq!(events.len(), 2);
        assert!(
            events
                .iter()
                .all(|event| event.kind == EventKind::Applied && event.plan.is_some())
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_migration_leaves_nothing_and_the_rest_waits_until_it_is_mended() {
    for dialect in BOTH {
        let mut stage = Stage::new(dialect);
        stage.migrations = vec![
            migration(
                "1",
                &[
                    "CREATE TABLE seen (id text)",
                    "INSERT INTO nowhere VALUES (1)",
                ],
            ),
            migration("2", &["CREATE TABLE later (id text)"]),
        ];
        let error = stage.fail().await;
        let RunError::Migration {
            migration: failed,
            title,
            error,
            ..
        } = &error
        else {
            panic!("{error:?}")
        };
        assert_eq!((failed, title.as_str()), (&name("1"), "step 2, line 1"));
        assert!(error.contains("nowhere"), "{error}");
        assert_eq!(stage.states().await, [("1".into(), "failed")]);
        assert!(
            stage.history().await.records[0]
                .error
                .as_ref()
                .unwrap()
                .contains("nowhere")
        );

        stage.migrations[0] = migration(
            "1",
            &["CREATE TABLE seen (id text)", "INSERT INTO seen VALUES (1)"],
        );
        stage.succeed().await;
        assert_eq!(
            stage.states().await,
            [("1".into(), "applied"), ("2".into(), "applied")]
        );
        assert_eq!(stage.count("SELECT count(*) FROM seen").await, 1);
        let record = &stage.history().await.records[0];
        assert_eq!(record.checksum, stage.migrations[0].checksum().unwrap());
        assert_eq!(record.error, None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_git_removed_is_reverted_from_the_stored_definition() {
    for dialect in BOTH {
        let mut stage = Stage::new(dialect);
        stage.migrations = vec![
            migration("1", &["CREATE TABLE one (id text)|DROP TABLE one"]),
            migration(
                "2",
                &[
                    "CREATE TABLE two (id text)|DROP TABLE two",
                    "CREATE TABLE three (id text)|DROP TABLE three",
                ],
            ),
        ];
        stage.succeed().await;
        stage.migrations.pop();
        assert!(
            matches!(stage.fail().await, RunError::Blocked(_)),
            "absence alone reverts nothing"
        );
        stage
            .absences
            .insert(name("2"), Absence::Removed { by: None });
        let report = stage.succeed().await;
        assert_eq!(report.targets[0].done[0].direction, Direction::Revert);
        assert_eq!(stage.states().await, [("1".into(), "applied")]);
        let tables = match dialect {
            Dialect::Sqlite => "SELECT count(*) FROM sqlite_master WHERE name IN ('two', 'three')",
            Dialect::Postgres => "SELECT count(*) FROM pg_class WHERE relname IN ('two', 'three')",
        };
        assert_eq!(stage.count(tables).await, 0);
        let events = read_events(stage.session().await.as_mut(), 1)
            .await
            .unwrap();
        assert_eq!(events[0].kind, EventKind::Reverted);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn checks_hold_before_and_after_or_nothing_happens() {
    for dialect in BOTH {
        let mut stage = Stage::new(dialect);
        let mut first = migration(
            "1",
            &[
                "CREATE TABLE seen (id integer)",
                "INSERT INTO seen VALUES (1)",
            ],
        );
        first
            .checks
            .after
            .push(check("SELECT count(*) FROM seen", json!(1)));
        let mut second = migration("2", &["INSERT INTO seen VALUES (2)"]);
        second
            .checks
            .after
            .push(check("SELECT count(*) FROM seen", json!(5)));
        stage.migrations = vec![first, second];
        let error = stage.fail().await.to_string();
        assert!(
            error.contains("checks after") && error.contains("expected 5, got 2"),
            "{error}"
        );
        assert_eq!(
            stage.count("SELECT count(*) FROM seen").await,
            1,
            "rolled back"
        );

        let mut third = migration("2", &["INSERT INTO seen VALUES (3)"]);
        third
            .checks
            .before
            .push(check("SELECT count(*) FROM seen WHERE id = 9", json!(1)));
        stage.migrations[1] = third;
        stage.goal = Goal::Revert(vec![name("2")]);
        stage.succeed().await;
        assert_eq!(
            stage.states().await.len(),
            1,
            "a failed migration that did nothing is taken back by forgetting it"
        );
        stage.goal = Goal::Apply;
        let error = stage.fail().await.to_string();
        assert!(error.contains("checks before"), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn databases_fail_each_for_itself_and_dependencies_wait_across_them() {
    for dialect in BOTH {
        let mut stage = Stage::with_databases(dialect, &["main", "other", "third"]);
        stage.policy.concurrency = std::num::NonZeroU32::MIN;
        let mut first = migration("1", &["CREATE TABLE seen (id text)"]);
        first.depends_on = vec![name("2")];
        let mut second = migration("2", &["CREATE TABLE seen (id text)"]);
        second.database = "other".parse().unwrap();
        let mut broken = migration("3", &["SELECT nothing FROM nowhere"]);
        broken.database = "third".parse().unwrap();
        let mut lost = migration("4", &["SELECT 1"]);
        lost.depends_on = vec![name("3")];
        stage.migrations = vec![first, second, broken, lost];
        let report = stage.run().await;
        let of = |text: &str| {
            report
                .targets
                .iter()
                .find(|report| report.target == target(text))
                .unwrap()
        };
        assert_eq!(of("main").done.len(), 1);
        assert!(
            matches!(&of("main").error, Some(RunError::Dependency { needed, .. }) if *needed == name("3"))
        );
        assert!(of("other").error.is_none());
        assert!(matches!(
            of("third").error,
            Some(RunError::Migration { .. })
        ));
        assert!(!report.is_success());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_to_end_is_heard_between_migrations() {
    for dialect in BOTH {
        let mut stage = Stage::new(dialect);
        stage.migrations = vec![
            migration("1", &["CREATE TABLE one (id text)"]),
            migration("2", &["CREATE TABLE two (id text)"]),
        ];
        let stop = stage.stop.clone();
        stage.on_signal(move |signal| {
            if matches!(signal, Signal::MigrationFinished { .. }) {
                stop.request();
            }
        });
        assert!(matches!(stage.fail().await, RunError::Interrupted { .. }));
        assert_eq!(stage.states().await, [("1".into(), "applied")]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_named_plan_is_run() {
    for dialect in BOTH {
        let mut stage = Stage::new(dialect);
        stage.migrations = vec![migration("1", &["CREATE TABLE one (id text)"])];
        stage.exact = true;
        let request = stage.request().await;
        let other = {
            let mut other = stage.clone();
            other.exact = false;
            other
        };
        other.succeed().await;
        let mut request = request;
        let mut changed = stage.clone();
        changed
            .migrations
            .push(migration("2", &["CREATE TABLE two (id text)"]));
        request.planner = std::sync::Arc::new(changed);
        let report = whimbrel_run::run(request).await;
        assert!(
            matches!(report.targets[0].error, Some(RunError::PlanChanged { .. })),
            "{report:?}"
        );
        assert_eq!(stage.states().await.len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_that_changed_before_the_lock_passes_the_gates_again() {
    let mut stage = Stage::new(Dialect::Sqlite);
    stage.migrations = vec![migration("1", &["CREATE TABLE one (id text)"])];
    stage.refusals = vec![Refusal {
        gate: Gate::Window,
        message: "closed".into(),
        hint: "wait".into(),
    }];
    stage.overridden = vec![(Gate::Lint, "known".into())];
    let mut request = stage.request().await;
    let mut changed = stage.clone();
    changed
        .migrations
        .push(migration("2", &["CREATE TABLE two (id text)"]));
    request.planner = std::sync::Arc::new(changed);
    let report = whimbrel_run::run(request).await;
    let error = report.targets[0].error.as_ref().unwrap();
    assert!(matches!(error, RunError::Refused(_)), "{error:?}");
    assert_eq!(error.hint().as_deref(), Some("wait"));
    stage.succeed().await;
    let events = read_events(stage.session().await.as_mut(), 10)
        .await
        .unwrap();
    assert!(
        events
            .iter()
            .any(|event| event.kind == EventKind::Overridden && event.details["reason"] == "known")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn two_runs_at_once_do_everything_once() {
    for dialect in BOTH {
        let mut stage = Stage::new(dialect);
        stage.migrations = vec![migration("1", &["CREATE TABLE seen (id text)"])];
        stage.migrations.extend((2..12).map(|n| {
            migration(
                &n.to_string(),
                &[&format!("INSERT INTO seen VALUES ('{n}')")],
            )
        }));
        let (one, two) = (stage.request().await, stage.request().await);
        let (one, two) = tokio::join!(whimbrel_run::run(one), whimbrel_run::run(two));
        assert!(one.is_success() && two.is_success(), "{one:?} {two:?}");
        let done = one.targets[0].done.len() + two.targets[0].done.len();
        assert_eq!(done, 11, "each was done by one of them");
        assert_eq!(stage.count("SELECT count(*) FROM seen").await, 10);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rename_changes_the_name_only() {
    for dialect in BOTH {
        let mut stage = Stage::new(dialect);
        stage.migrations = vec![migration("1-old", &["CREATE TABLE seen (id text)"])];
        stage.succeed().await;
        stage.migrations = vec![migration("1-new", &["CREATE TABLE seen (id text)"])];
        stage
            .absences
            .insert(name("1-old"), Absence::Removed { by: None });
        stage.succeed().await;
        assert_eq!(stage.states().await, [("1-new".into(), "applied")]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_tables_are_rebuilt_with_their_children_kept() {
    let mut stage = Stage::new(Dialect::Sqlite);
    stage.migrations = vec![
        migration(
            "1",
            &[
                "CREATE TABLE parent (id integer PRIMARY KEY); CREATE TABLE child (parent integer REFERENCES parent ON DELETE CASCADE)",
                "INSERT INTO parent VALUES (1); INSERT INTO child VALUES (1)",
            ],
        ),
        migration(
            "2",
            &[
                "PRAGMA foreign_keys=OFF; CREATE TABLE fresh (id integer PRIMARY KEY, extra text); INSERT INTO fresh (id) SELECT id FROM parent; DROP TABLE parent; ALTER TABLE fresh RENAME TO parent",
            ],
        ),
    ];
    stage.succeed().await;
    assert_eq!(
        stage.count("SELECT count(*) FROM child").await,
        1,
        "the cascade did not empty the children"
    );

    stage.migrations.push(migration(
        "3",
        &["PRAGMA foreign_keys=OFF; DELETE FROM parent"],
    ));
    let error = stage.fail().await.to_string();
    assert!(error.contains("foreign key"), "{error}");
    assert_eq!(stage.count("SELECT count(*) FROM parent").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_of_one_migration_do_not_reach_the_next() {
    let mut stage = Stage::new(Dialect::Postgres);
    stage.migrations = vec![
        migration(
            "1",
            &[
                "CREATE SCHEMA aside; SET search_path = aside; SELECT set_config('lock_timeout', '1ms', false)",
            ],
        ),
        migration("2", &["CREATE TABLE plain (id text)"]),
    ];
    stage.succeed().await;
    assert_eq!(
        stage
            .count(
                "SELECT count(*) FROM pg_tables WHERE schemaname = 'public' AND tablename = 'plain'"
            )
            .await,
        1
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn how_long_a_migration_took_is_recorded() {
    for dialect in BOTH {
        let mut stage = Stage::new(dialect);
        let slow = "CREATE TABLE many AS WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300000) SELECT i FROM n";
        stage.migrations = vec![migration("1", &[slow])];
        stage.succeed().await;
        let took = stage.history().await.records[0].duration_milliseconds;
        assert!(took.is_some_and(|took| took > 0), "{dialect}: {took:?}");
    }
}
