//! Deeds on a history that run no migration.

use std::sync::Arc;

use crate::support::{Stage, migration, name, target};
use jiff::{SignedDuration, Timestamp};
use whimbrel_core::approval::Approval;
use whimbrel_core::history::{EventKind, Owner};
use whimbrel_core::statement::Dialect;
use whimbrel_database::history::read_events;
use whimbrel_database::{LockError, SessionSettings, connect, lock};
use whimbrel_run::RunError;
use whimbrel_run::administration::{Accepted, accept, adopt, approve, baseline, unlock};

const BOTH: [Dialect; 2] = [Dialect::Sqlite, Dialect::Postgres];

fn stage(dialect: Dialect) -> Stage {
    let mut stage = Stage::new(dialect);
    stage.migrations = vec![
        migration("1", &["CREATE TABLE one (id text)"]),
        migration("2", &["CREATE TABLE two (id text)"]),
    ];
    stage
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_is_an_event_that_covers_the_plan_and_the_rest_of_it() {
    for dialect in BOTH {
        let mut stage = stage(dialect);
        let plan = stage.plan().await;
        let expires = Timestamp::now() + SignedDuration::from_hours(1);
        let approved = approve(&stage.access(), &plan, "ann", expires)
            .await
            .unwrap();
        assert_eq!(approved, [target("main")]);
        let history = stage.history().await;
        let approval = Approval::from_event(&history.approvals[0]).unwrap();
        assert_eq!(
            (approval.plan, approval.approver.as_str()),
            (plan.digest(), "ann")
        );
        assert!(approval.covers(plan.digest(), &plan.targets[0], Timestamp::now()));
        assert!(!approval.covers(plan.digest(), &plan.targets[0], expires));

        let second = stage.migrations.pop().unwrap();
        stage.succeed().await;
        stage.migrations.push(second);
        let rest = stage.plan().await;
        assert_ne!(rest.digest(), plan.digest());
        assert!(
            approval.covers(rest.digest(), &rest.targets[0], Timestamp::now()),
            "what is left of it"
        );
        stage.migrations.push(migration("3", &["SELECT 1"]));
        let more = stage.plan().await;
        assert!(
            !approval.covers(more.digest(), &more.targets[0], Timestamp::now()),
            "more than that"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_baseline_records_without_running() {
    for dialect in BOTH {
        let stage = stage(dialect);
        let all = stage.desired(&"main".parse().unwrap());
        let names = baseline(&stage.access(), &target("main"), &all[..1])
            .await
            .unwrap();
        assert_eq!(names, [name("1")]);
        assert_eq!(stage.states().await, [("1".into(), "baselined")]);
        assert!(
            baseline(&stage.access(), &target("main"), &all[..1])
                .await
                .unwrap()
                .is_empty()
        );
        stage.succeed().await;
        assert_eq!(
            stage.states().await,
            [("1".into(), "baselined"), ("2".into(), "applied")]
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edited_definition_is_accepted_with_a_reason() {
    for dialect in BOTH {
        let mut stage = stage(dialect);
        stage.succeed().await;
        stage.migrations[0] = migration("1", &["CREATE TABLE one (id text) -- edited"]);
        assert!(matches!(stage.fail().await, RunError::Blocked(_)));
        let item = stage.desired(&"main".parse().unwrap()).remove(0);
        let accepted = accept(&stage.access(), &target("main"), &item, "a comment")
            .await
            .unwrap();
        assert!(matches!(accepted, Accepted::Definition { .. }));
        assert_eq!(
            accept(&stage.access(), &target("main"), &item, "again")
                .await
                .unwrap(),
            Accepted::Nothing
        );
        assert!(stage.run().await.targets.is_empty());
        let events = read_events(stage.session().await.as_mut(), 1)
            .await
            .unwrap();
        assert_eq!(
            (events[0].kind, events[0].details["reason"].as_str()),
            (EventKind::Accepted, Some("a comment"))
        );
        let mut unknown = item;
        Arc::make_mut(&mut unknown.migration).name = name("9");
        assert!(
            accept(&stage.access(), &target("main"), &unknown, "no")
                .await
                .is_err()
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_migration_that_was_finished_by_hand_is_accepted() {
    for dialect in BOTH {
        let mut stage = stage(dialect);
        stage.migrations = vec![migration("1", &["INSERT INTO nowhere VALUES (1)"])];
        stage.fail().await;
        let item = stage.desired(&"main".parse().unwrap()).remove(0);
        let accepted = accept(&stage.access(), &target("main"), &item, "done by hand")
            .await
            .unwrap();
        assert_eq!(accepted, Accepted::Finished);
        assert_eq!(stage.states().await, [("1".into(), "applied")]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_of_somebody_else_is_refused_until_it_is_adopted() {
    for dialect in BOTH {
        let mut stage = stage(dialect);
        stage.succeed().await;
        let before = stage.owner.clone();
        stage.owner = Owner {
            project: "other".parse().unwrap(),
            ..before.clone()
        };
        stage.migrations.push(migration("3", &["SELECT 1"]));
        assert!(matches!(stage.fail().await, RunError::Blocked(_)));
        let all = stage.desired(&"main".parse().unwrap());
        assert!(
            baseline(&stage.access(), &target("main"), &all)
                .await
                .is_err()
        );
        assert_eq!(
            adopt(&stage.access(), &target("main"), "moved")
                .await
                .unwrap(),
            Some(before)
        );
        stage.succeed().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_is_cleared_only_when_its_holder_is_dead() {
    for dialect in BOTH {
        let mut stage = stage(dialect);
        stage.succeed().await;
        let mut holding = connect(stage.endpoint(), &SessionSettings::default())
            .await
            .unwrap();
        let holder = lock::Holder {
            run: uuid::Uuid::now_v7(),
            description: "somebody".to_owned(),
        };
        let settings = lock::LockSettings::default();
        lock::take(holding.as_mut(), &holder, &settings, |_| {})
            .await
            .unwrap();
        let error = unlock(&stage.access(), &target("main")).await.unwrap_err();
        assert!(
            matches!(&error, RunError::Lock(LockError::Held { holder, .. }) if holder.contains("somebody")),
            "{error:?}"
        );
        stage.policy.lock_wait = whimbrel_core::duration::Duration::from_millis(300);
        stage.migrations.push(migration("3", &["SELECT 1"]));
        let error = stage.fail().await;
        assert!(
            matches!(error, RunError::Lock(LockError::Held { .. })),
            "{error:?}"
        );
        drop(holding);
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        let previous = unlock(&stage.access(), &target("main")).await.unwrap();
        assert!(previous.is_some_and(|previous| previous.contains("somebody")));
        stage.succeed().await;
    }
}
