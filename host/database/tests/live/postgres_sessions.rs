//! A session of PostgreSQL: types, settings, errors, flights.

use std::path::Path;
use std::time::Duration;

use whimbrel_core::statement::Dialect::Postgres;
use whimbrel_core::value::Value;
use whimbrel_database::session::{begin, commit, restore, rollback, timeouts};
use whimbrel_database::{Command, Endpoint, Session, SessionSettings, connect};
use whimbrel_postgres_server::PostgresServer;

use super::{Target, texts, value};

#[tokio::test]
async fn values_come_back_as_they_are() {
    let target = Target::postgres("types");
    let mut session = target.session().await;
    texts(
        session.as_mut(),
        &[
            "CREATE TYPE mood AS ENUM ('fine')",
            "CREATE DOMAIN age AS int",
        ],
    )
    .await
    .unwrap();
    let other = |text: &str, name: &str| Value::Other(text.to_owned(), name.to_owned());
    let time = |text: &str| Value::Time(text.to_owned());
    let decimal = |text: &str| Value::Decimal(text.to_owned());
    for (sql, expected) in [
        ("NULL::int", Value::Null),
        ("true", Value::Boolean(true)),
        ("-3::int2", Value::Integer(-3)),
        ("4", Value::Integer(4)),
        ("5::int8", Value::Integer(5)),
        ("6::oid", Value::Integer(6)),
        ("7::age", Value::Integer(7)),
        ("1.5::float4", Value::Real(1.5)),
        ("'-infinity'::float8", Value::Real(f64::NEG_INFINITY)),
        ("0::numeric", decimal("0")),
        ("-12345.6700::numeric", decimal("-12345.6700")),
        ("0.00012::numeric", decimal("0.00012")),
        ("1e20::numeric", decimal("100000000000000000000")),
        ("'NaN'::numeric", decimal("NaN")),
        ("'infinity'::numeric", decimal("Infinity")),
        ("'-infinity'::numeric", decimal("-Infinity")),
        ("'ö'::text", Value::Text("ö".to_owned())),
        ("'a'::\"char\"", Value::Text("a".to_owned())),
        ("'n'::name", Value::Text("n".to_owned())),
        ("'\\x00ff'::bytea", Value::Bytes(vec![0, 255])),
        ("'{\"a\": 1}'::json", Value::Json("{\"a\": 1}".to_owned())),
        ("'{\"a\":1}'::jsonb", Value::Json("{\"a\": 1}".to_owned())),
        ("'2026-02-28'::date", time("2026-02-28")),
        ("'infinity'::date", time("infinity")),
        ("'1999-12-31'::date", time("1999-12-31")),
        ("'12:34:56.5'::time", time("12:34:56.5")),
        ("'2026-02-28 12:00'::timestamp", time("2026-02-28T12:00:00")),
        (
            "'2026-02-28 12:00+02'::timestamptz",
            time("2026-02-28T10:00:00Z"),
        ),
        ("'-infinity'::timestamptz", time("-infinity")),
        (
            "'1 month 2 days -3.5 seconds'::interval",
            other("P1M2DT-3.500000S", "interval"),
        ),
        (
            "'00000000-0000-0000-0000-000000000001'::uuid",
            other("00000000-0000-0000-0000-000000000001", "uuid"),
        ),
        ("'fine'::mood", other("fine", "mood")),
        ("ARRAY[1, NULL, 3]", other("{1,NULL,3}", "int4[]")),
        ("ARRAY['a\"b', 'c']", other("{\"a\\\"b\",\"c\"}", "text[]")),
        ("'{}'::int[]", other("{}", "int4[]")),
    ] {
        assert_eq!(
            value(session.as_mut(), &format!("SELECT {sql}")).await,
            expected,
            "{sql}"
        );
    }
    for sql in ["SELECT '1.2.3.4'::inet", "SELECT ARRAY[[1]]"] {
        let error = session
            .run(&[Command::with(sql, vec![])])
            .await
            .unwrap_err()
            .error;
        assert!(
            error.to_string().contains("cast it to text") && !error.is_connection_lost(),
            "{error}"
        );
    }
    assert_eq!(
        value(session.as_mut(), "SELECT 1").await,
        Value::Integer(1),
        "the session goes on"
    );
}

#[tokio::test]
async fn the_server_infers_what_parameters_are() {
    let target = Target::postgres("parameters");
    let mut session = target.session().await;
    let table = "CREATE TABLE t (a int, b numeric, c bytea, d jsonb, e timestamptz, f bool, g float8, h uuid, i text[])";
    texts(session.as_mut(), &[table]).await.unwrap();
    let values = vec![
        Value::Integer(7),
        Value::Decimal("1.50".to_owned()),
        Value::Bytes(vec![1, 0, 2]),
        Value::Json("{\"a\": 1}".to_owned()),
        Value::Time("2026-01-02T03:04:05Z".to_owned()),
        Value::Boolean(false),
        Value::Real(f64::INFINITY),
        Value::Other(
            "00000000-0000-0000-0000-000000000001".to_owned(),
            "uuid".to_owned(),
        ),
        Value::Other("{\"a\"}".to_owned(), "text[]".to_owned()),
    ];
    let insert = Command::with(
        "INSERT INTO t VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        values.clone(),
    );
    let select = Command::with(
        "SELECT * FROM t WHERE a = $1",
        vec![Value::Text("7".to_owned())],
    );
    let done = session.run(&[insert, select]).await.unwrap();
    assert_eq!((done[0].rows_affected, done[1].rows_affected), (1, 1));
    assert_eq!(done[1].rows.rows[0], values);
    assert_eq!(done[1].rows.columns.concat(), "abcdefghi");
    let text = texts(
        session.as_mut(),
        &["SELECT a, NULL FROM t; UPDATE t SET a = 8"],
    )
    .await
    .unwrap();
    assert_eq!(
        (text[0].rows_affected, &text[0].rows.rows[0][0]),
        (1, &Value::Text("7".to_owned()))
    );
}

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
    assert!(session.backend().is_some_and(|backend| backend.pid > 0));
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
    let pid = two.backend().unwrap().pid;
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
