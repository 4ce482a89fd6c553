//! A session of PostgreSQL: settings, errors, flights.

use std::path::Path;
use std::time::Duration;

use whimbrel_core::statement::Dialect::Postgres;
use whimbrel_core::value::Value;
use whimbrel_database::session::{begin, commit, restore, rollback, timeouts};
use whimbrel_database::{Endpoint, SessionSettings, connect};
use whimbrel_postgres_server::PostgresServer;

use super::{Target, take, texts, value};

#[tokio::test]
async fn a_transaction_is_one_round_trip() {
    let target = Target::postgres("flights");
    let mut session = target.session().await;
    let before = session.round_trips();
    texts(
        session.as_mut(),
        &[
            "BEGIN",
            "CREATE TABLE t (a int)",
            "INSERT INTO t VALUES (1)",
            "COMMIT",
        ],
    )
    .await
    .unwrap();
    assert_eq!(session.round_trips() - before, 1);
    texts(session.as_mut(), &["SELECT 1", "SELECT 2"])
        .await
        .unwrap();
    assert_eq!(session.round_trips() - before, 3);
}

/// Whimbrel's own statements are parsed once, and a definition that takes them away costs an attempt at most.
#[tokio::test]
async fn what_recurs_is_prepared_and_may_be_taken_away() {
    let target = Target::postgres("prepared");
    let mut session = target.session().await;
    let fence = take(session.as_mut(), "me").await;
    let kept = "SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%assert_fence%'";
    let work = |sql: &str| {
        let sql = whimbrel_database::Command::text(sql);
        [
            begin(Postgres),
            fence.glance(),
            sql,
            fence.assert(),
            commit(Postgres),
        ]
    };
    for expected in [0, 2, 2] {
        session.run(&work("SELECT 1")).await.unwrap();
        assert_eq!(
            value(session.as_mut(), kept).await,
            Value::Integer(expected)
        );
    }
    session.run(&work("DEALLOCATE ALL")).await.unwrap();
    assert_eq!(value(session.as_mut(), kept).await, Value::Integer(0));
    session.run(&work("SELECT 1")).await.unwrap();
    session.run(&work("SELECT 1")).await.unwrap();
    assert_eq!(value(session.as_mut(), kept).await, Value::Integer(2));
    let unseen = "DO $$ BEGIN EXECUTE reverse('LLA ETACOLLAED'); END $$";
    let failed = session.run(&work(unseen)).await.unwrap_err();
    assert!(
        failed.error.is_retryable() && failed.index == 3,
        "{failed:?}"
    );
    session
        .run(&[whimbrel_database::session::rollback(Postgres)])
        .await
        .unwrap();
    session.run(&work(unseen)).await.unwrap();
}

#[tokio::test]
async fn nothing_runs_after_an_error() {
    let target = Target::postgres("errors");
    let mut session = target.session().await;
    let failed = texts(
        session.as_mut(),
        &[
            "CREATE TABLE t (a int)",
            "SELECT nothing",
            "INSERT INTO t VALUES (1)",
        ],
    )
    .await;
    let failed = failed.unwrap_err();
    assert_eq!(
        (
            failed.index,
            failed.error.code.as_str(),
            failed.error.position
        ),
        (1, "42703", Some(8))
    );
    assert_eq!(
        value(session.as_mut(), "SELECT count(*) FROM t").await,
        Value::Integer(0)
    );
    let failed = texts(
        session.as_mut(),
        &[
            "BEGIN",
            "INSERT INTO t VALUES (1)",
            "SELECT 1/0",
            "COMMIT",
            "DROP TABLE t",
        ],
    )
    .await;
    assert_eq!(failed.unwrap_err().index, 2);
    assert!(!session.in_transaction());
    assert_eq!(
        value(session.as_mut(), "SELECT count(*) FROM t").await,
        Value::Integer(0)
    );
}

/// [ran] A COMMIT may answer ROLLBACK without an error.
#[tokio::test]
async fn a_commit_that_rolled_back_is_an_error() {
    let target = Target::postgres("rolled_back");
    let mut session = target.session().await;
    texts(session.as_mut(), &["CREATE TABLE t (a int)"])
        .await
        .unwrap();
    texts(
        session.as_mut(),
        &["BEGIN", "INSERT INTO t VALUES (1)", "SELECT 1/0"],
    )
    .await
    .unwrap_err();
    assert!(session.in_transaction());
    let failed = session.run(&[commit(Postgres)]).await.unwrap_err();
    assert_eq!(failed.error.code, "WB003");
    assert!(!session.in_transaction());
    let failed = session.run(&[commit(Postgres)]).await.unwrap_err();
    assert_eq!(
        failed.error.code, "WB003",
        "a COMMIT without a transaction commits nothing either"
    );
    assert_eq!(
        value(session.as_mut(), "SELECT count(*) FROM t").await,
        Value::Integer(0)
    );
}

#[tokio::test]
async fn a_savepoint_revives_a_transaction() {
    let target = Target::postgres("savepoints");
    let mut session = target.session().await;
    texts(
        session.as_mut(),
        &[
            "CREATE TABLE t (a int)",
            "BEGIN",
            "SAVEPOINT s",
            "INSERT INTO t VALUES (1)",
        ],
    )
    .await
    .unwrap();
    texts(session.as_mut(), &["SELECT 1/0"]).await.unwrap_err();
    texts(
        session.as_mut(),
        &["ROLLBACK TO s", "INSERT INTO t VALUES (2)", "COMMIT"],
    )
    .await
    .unwrap();
    assert_eq!(
        value(session.as_mut(), "SELECT a FROM t").await,
        Value::Integer(2)
    );
}

/// An error that only COMMIT finds ends the transaction.
#[tokio::test]
async fn a_deferred_constraint_fails_the_commit() {
    let target = Target::postgres("deferred");
    let mut session = target.session().await;
    texts(
        session.as_mut(),
        &["CREATE TABLE t (a int UNIQUE DEFERRABLE INITIALLY DEFERRED)"],
    )
    .await
    .unwrap();
    let failed = texts(
        session.as_mut(),
        &["BEGIN", "INSERT INTO t VALUES (1), (1)", "COMMIT"],
    )
    .await
    .unwrap_err();
    assert_eq!(
        (
            failed.index,
            failed.error.is_unique_violation(),
            session.in_transaction()
        ),
        (2, true, false)
    );
    session.run(&[rollback(Postgres)]).await.unwrap();
}

/// [ran] READ COMMITTED is set by Whimbrel, whatever the server's default is; and what a definition sets is undone.
#[tokio::test]
async fn settings_are_the_sessions_own() {
    let target = Target::postgres("settings");
    let name = target.endpoint.database();
    let server = PostgresServer::shared();
    server.psql(
        &name,
        &format!("ALTER DATABASE {name} SET default_transaction_isolation = 'repeatable read'"),
    );
    server.psql(
        &name,
        &format!("ALTER DATABASE {name} SET synchronous_commit = off"),
    );
    server.psql(&name, &format!("CREATE ROLE \"the owner {name}\""));
    let role = format!("the owner {name}");
    let endpoint = target.endpoint.clone().with_role(&role);
    let settings = SessionSettings {
        statement_timeout: Some(Duration::from_secs(9)),
        ..SessionSettings::default()
    };
    let mut session = connect(&endpoint, &settings).await.unwrap();
    let show = |what: &str| format!("SELECT current_setting('{what}')");
    let expected = [
        ("transaction_isolation", "read committed"),
        ("synchronous_commit", "on"),
        ("application_name", "whimbrel"),
        ("statement_timeout", "9s"),
        ("lock_timeout", "5s"),
        ("idle_in_transaction_session_timeout", "1min"),
        ("client_connection_check_interval", "2s"),
        ("role", &role),
    ];
    for (setting, value_of) in expected {
        assert_eq!(
            value(session.as_mut(), &show(setting)).await,
            Value::Text(value_of.to_owned()),
            "{setting}"
        );
    }
    texts(
        session.as_mut(),
        &[
            "SET ROLE NONE",
            "SET synchronous_commit = off",
            "SET statement_timeout = 1",
        ],
    )
    .await
    .unwrap();
    texts(session.as_mut(), &["SET search_path = nowhere"])
        .await
        .unwrap();
    session.run(&[restore(Postgres).unwrap()]).await.unwrap();
    for (setting, value_of) in expected {
        assert_eq!(
            value(session.as_mut(), &show(setting)).await,
            Value::Text(value_of.to_owned()),
            "{setting}"
        );
    }
    assert!(
        session
            .backend()
            .await
            .unwrap()
            .is_some_and(|backend| backend.pid > 0)
    );
    session
        .run(&[
            begin(Postgres),
            timeouts(Postgres, Some(Duration::from_millis(7)), None),
        ])
        .await
        .unwrap();
    assert_eq!(
        value(session.as_mut(), &show("lock_timeout")).await,
        Value::Text("7ms".to_owned())
    );
    assert_eq!(
        value(session.as_mut(), &show("statement_timeout")).await,
        Value::Text("0".to_owned())
    );
    session.run(&[rollback(Postgres)]).await.unwrap();
    assert_eq!(
        value(session.as_mut(), &show("lock_timeout")).await,
        Value::Text("5s".to_owned())
    );
}

#[tokio::test]
async fn a_read_only_session_writes_nothing() {
    let target = Target::postgres("read_only");
    let mut session = connect(&target.endpoint, &SessionSettings::default().read_only())
        .await
        .unwrap();
    let failed = texts(session.as_mut(), &["CREATE TABLE t (a int)"])
        .await
        .unwrap_err();
    assert_eq!(failed.error.code, "25006");
}

#[tokio::test]
async fn errors_say_what_a_caller_can_do() {
    let target = Target::postgres("kinds");
    let (mut one, mut two) = (target.session().await, target.session().await);
    texts(one.as_mut(), &["CREATE TABLE t (a int)", "BEGIN", "LOCK t"])
        .await
        .unwrap();
    let failed = texts(two.as_mut(), &["SET lock_timeout = 20", "SELECT * FROM t"])
        .await
        .unwrap_err();
    assert!(failed.error.is_retryable() && !failed.error.is_statement_timeout());
    let failed = texts(
        two.as_mut(),
        &["SET statement_timeout = 20", "SELECT pg_sleep(9)"],
    )
    .await
    .unwrap_err();
    assert!(failed.error.is_statement_timeout() && !failed.error.is_retryable());
    let pid = two.backend().await.unwrap().unwrap().pid;
    texts(
        one.as_mut(),
        &[&format!("SELECT pg_terminate_backend({pid})")],
    )
    .await
    .unwrap();
    let failed = texts(two.as_mut(), &["SELECT 1"]).await.unwrap_err();
    assert!(failed.error.is_connection_lost(), "{failed:?}");
    assert!(two.is_closed());
    let nobody = Endpoint::parse(
        &PostgresServer::shared().url_as("postgres", "nobody_at_all"),
        Path::new("/"),
    )
    .unwrap();
    let error = connect(&nobody, &SessionSettings::default())
        .await
        .err()
        .unwrap();
    assert!(
        error.is_authentication() && !error.is_connection_lost(),
        "{error:?}"
    );
    let nowhere = Endpoint::parse(
        "postgres:///x?host=/nowhere&user=x&sslmode=verify-full",
        Path::new("/"),
    )
    .unwrap();
    let error = connect(&nowhere, &SessionSettings::default())
        .await
        .err()
        .unwrap();
    assert!(error.is_connection_lost(), "{error:?}");
}

#[tokio::test]
async fn a_running_statement_can_be_cancelled() {
    let target = Target::postgres("cancel");
    let mut session = target.session().await;
    let canceller = session.canceller().unwrap();
    let sleeping =
        tokio::spawn(async move { texts(session.as_mut(), &["SELECT pg_sleep(60)"]).await });
    tokio::time::sleep(Duration::from_millis(200)).await;
    canceller.cancel().await.unwrap();
    assert!(
        sleeping
            .await
            .unwrap()
            .unwrap_err()
            .error
            .is_statement_timeout()
    );
}

#[tokio::test]
async fn notices_are_kept() {
    let target = Target::postgres("notices");
    let mut session = target.session().await;
    texts(
        session.as_mut(),
        &["DO $$ BEGIN RAISE NOTICE 'hello'; END $$"],
    )
    .await
    .unwrap();
    assert_eq!(session.take_notices(), ["NOTICE: hello"]);
    assert!(session.take_notices().is_empty());
}
