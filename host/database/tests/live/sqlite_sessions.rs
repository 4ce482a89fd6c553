//! A session of SQLite: types, transactions, timeouts, files.

use std::fs;
use std::time::{Duration, Instant};

use whimbrel_core::statement::Dialect::Sqlite;
use whimbrel_core::value::Value;
use whimbrel_database::session::{begin, commit, foreign_key_check, restore, rollback, timeouts};
use whimbrel_database::{Command, Endpoint, SessionSettings, connect};

use super::{Target, texts, value};

#[tokio::test]
async fn values_and_parameters_keep_their_kind() {
    let target = Target::sqlite();
    let mut session = target.session().await;
    let values = vec![
        Value::Null,
        Value::Integer(-7),
        Value::Real(1.5),
        Value::Text("ö".to_owned()),
        Value::Bytes(vec![0, 255]),
    ];
    let echo = Command::with("SELECT $1 a, $2 b, $3 c, $4 d, $5 e, $2 f", values.clone());
    let done = session.run(&[echo]).await.unwrap().remove(0);
    assert_eq!(done.rows.columns.concat(), "abcdef");
    assert_eq!(done.rows.rows[0][..5], values);
    let texts_of = |text: &str| Value::Text(text.to_owned());
    let others = vec![
        Value::Boolean(true),
        Value::Decimal("1.50".into()),
        Value::Json("{}".into()),
        Value::Time("t".into()),
    ];
    let done = session
        .run(&[Command::with("SELECT $1, $2, $3, $4", others)])
        .await
        .unwrap()
        .remove(0);
    assert_eq!(
        done.rows.rows[0],
        [
            Value::Integer(1),
            texts_of("1.50"),
            texts_of("{}"),
            texts_of("t")
        ]
    );
    assert_eq!(
        value(session.as_mut(), "SELECT CAST(x'ff' AS TEXT)").await,
        Value::Bytes(vec![255])
    );
    let done = texts(
        session.as_mut(),
        &["CREATE TABLE t (a); INSERT INTO t VALUES (1), (2); SELECT a, NULL FROM t"],
    )
    .await;
    assert_eq!(done.unwrap()[0].rows.rows[1], [texts_of("2"), Value::Null]);
    let done = texts(
        session.as_mut(),
        &[
            "UPDATE t SET a = 3",
            "CREATE TABLE u (a)",
            "SELECT 1 WHERE 0",
        ],
    )
    .await
    .unwrap();
    assert_eq!(
        done.iter()
            .map(|done| done.rows_affected)
            .collect::<Vec<_>>(),
        [2, 0, 0]
    );
    let done = session
        .run(&[Command::with(
            "DELETE FROM t WHERE a = 3 RETURNING a",
            vec![],
        )])
        .await
        .unwrap();
    assert_eq!((done[0].rows_affected, done[0].rows.rows.len()), (2, 2));
}

#[tokio::test]
async fn nothing_runs_after_an_error() {
    let target = Target::sqlite();
    let mut session = target.session().await;
    let failed = texts(
        session.as_mut(),
        &[
            "CREATE TABLE t (a UNIQUE)",
            "SELECT nothing",
            "DROP TABLE t",
        ],
    )
    .await
    .unwrap_err();
    assert_eq!(
        (
            failed.index,
            failed.error.code.as_str(),
            failed.error.position
        ),
        (1, "SQLITE_ERROR", Some(8))
    );
    session.run(&[begin(Sqlite)]).await.unwrap();
    assert!(session.in_transaction());
    let failed = texts(
        session.as_mut(),
        &[
            "INSERT INTO t VALUES (1)",
            "INSERT INTO t VALUES (1)",
            "COMMIT",
        ],
    )
    .await
    .unwrap_err();
    assert!(
        failed.index == 1 && failed.error.is_unique_violation(),
        "{failed:?}"
    );
    session
        .run(&[rollback(Sqlite), rollback(Sqlite)])
        .await
        .unwrap();
    assert!(!session.in_transaction());
    assert_eq!(
        value(session.as_mut(), "SELECT count(*) FROM t").await,
        Value::Integer(0)
    );
    assert!(session.run(&[]).await.unwrap().is_empty());
    assert!(
        restore(Sqlite).is_none()
            && session.backend().await.unwrap().is_none()
            && session.take_notices().is_empty()
    );
}

/// A COMMIT that a deferred key refuses ends the transaction, as it does on PostgreSQL.
#[tokio::test]
async fn a_failed_commit_ends_the_transaction() {
    let target = Target::sqlite();
    let mut session = target.session().await;
    let tables = [
        "CREATE TABLE p (a INTEGER PRIMARY KEY)",
        "CREATE TABLE c (a REFERENCES p DEFERRABLE INITIALLY DEFERRED)",
    ];
    texts(session.as_mut(), &tables).await.unwrap();
    let failed = texts(
        session.as_mut(),
        &["BEGIN IMMEDIATE", "INSERT INTO c VALUES (1)", "COMMIT"],
    )
    .await
    .unwrap_err();
    assert_eq!(
        (failed.index, failed.error.code.as_str()),
        (2, "SQLITE_CONSTRAINT_FOREIGNKEY")
    );
    assert!(!session.in_transaction());
    session.run(&[commit(Sqlite)]).await.unwrap_err();
}

/// [ran] Inside a transaction the pragma does nothing, and the recipe for rebuilding a table empties CASCADE children.
#[tokio::test]
async fn foreign_keys_are_switched_before_the_transaction() {
    for (hoisted, left) in [(false, 0), (true, 1)] {
        let target = Target::sqlite();
        let mut session = target.session().await;
        let tables = [
            "CREATE TABLE p (a INTEGER PRIMARY KEY)",
            "CREATE TABLE c (a REFERENCES p ON DELETE CASCADE)",
            "INSERT INTO p VALUES (1)",
            "INSERT INTO c VALUES (1)",
        ];
        texts(session.as_mut(), &tables).await.unwrap();
        let off = "PRAGMA foreign_keys = OFF";
        let (first, second) = if hoisted {
            (off, "BEGIN IMMEDIATE")
        } else {
            ("BEGIN IMMEDIATE", off)
        };
        let rebuild = [
            "CREATE TABLE n (a INTEGER PRIMARY KEY, b)",
            "INSERT INTO n (a) SELECT a FROM p",
            "DROP TABLE p",
            "ALTER TABLE n RENAME TO p",
        ];
        texts(session.as_mut(), &[first, second]).await.unwrap();
        texts(session.as_mut(), &rebuild).await.unwrap();
        let violations = session.run(&[foreign_key_check()]).await.unwrap();
        assert!(violations[0].rows.rows.is_empty());
        session.run(&[commit(Sqlite)]).await.unwrap();
        assert_eq!(
            value(session.as_mut(), "SELECT count(*) FROM c").await,
            Value::Integer(left),
            "hoisted: {hoisted}"
        );
    }
}

#[tokio::test]
async fn a_busy_file_is_waited_for_and_may_be_tried_again() {
    let target = Target::sqlite();
    let (mut one, mut two) = (target.session().await, target.session().await);
    texts(one.as_mut(), &["CREATE TABLE t (a)", "BEGIN IMMEDIATE"])
        .await
        .unwrap();
    let begun = Instant::now();
    let commands = [
        timeouts(Sqlite, Some(Duration::from_millis(100)), None),
        begin(Sqlite),
    ];
    let failed = two.run(&commands).await.unwrap_err();
    assert!(
        failed.index == 1 && failed.error.is_retryable(),
        "{failed:?}"
    );
    assert!(begun.elapsed() >= Duration::from_millis(100));
}

const FOREVER: &str =
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";

#[tokio::test]
async fn a_statement_has_its_time() {
    let target = Target::sqlite();
    let mut session = target.session().await;
    session
        .run(&[timeouts(Sqlite, None, Some(Duration::from_millis(50)))])
        .await
        .unwrap();
    let failed = texts(session.as_mut(), &[FOREVER]).await.unwrap_err();
    assert!(failed.error.is_statement_timeout(), "{failed:?}");
    session.run(&[timeouts(Sqlite, None, None)]).await.unwrap();
    assert_eq!(value(session.as_mut(), "SELECT 1").await, Value::Integer(1));
    let canceller = session.canceller().unwrap();
    assert_eq!(format!("{canceller:?}"), "Canceller");
    let running = tokio::spawn(async move { texts(session.as_mut(), &[FOREVER]).await });
    tokio::time::sleep(Duration::from_millis(100)).await;
    canceller.cancel().await.unwrap();
    assert!(
        running
            .await
            .unwrap()
            .unwrap_err()
            .error
            .is_statement_timeout()
    );
}

#[tokio::test]
async fn a_read_only_session_leaves_the_disk_alone() {
    let target = Target::sqlite();
    let path = target.endpoint.sqlite_path().unwrap().to_owned();
    let settings = SessionSettings::default().read_only();
    let mut session = connect(&target.endpoint, &settings).await.unwrap();
    assert_eq!(
        value(session.as_mut(), "SELECT count(*) FROM sqlite_master").await,
        Value::Integer(0)
    );
    assert!(
        texts(session.as_mut(), &["CREATE TABLE t (a)"])
            .await
            .unwrap_err()
            .error
            .is_permission()
    );
    assert!(!path.exists());
    texts(target.session().await.as_mut(), &["CREATE TABLE t (a)"])
        .await
        .unwrap();
    let before = fs::read(&path).unwrap();
    let mut session = connect(&target.endpoint, &settings).await.unwrap();
    assert_eq!(
        value(session.as_mut(), "SELECT count(*) FROM t").await,
        Value::Integer(0)
    );
    assert!(
        texts(session.as_mut(), &["INSERT INTO t VALUES (1)"])
            .await
            .unwrap_err()
            .error
            .is_permission()
    );
    drop(session);
    assert_eq!(fs::read(&path).unwrap(), before);
    assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
}

#[tokio::test]
async fn a_session_knows_whether_its_file_is_still_the_one() {
    let target = Target::sqlite();
    let path = target.endpoint.sqlite_path().unwrap();
    let settings = SessionSettings::default().read_only();
    let open = || async { connect(&target.endpoint, &settings).await.unwrap() };
    assert!(!open().await.is_current(), "there was no file");
    let make = "CREATE TABLE t (a)";
    texts(target.session().await.as_mut(), &[make])
        .await
        .unwrap();
    let session = open().await;
    assert!(session.is_current());
    fs::remove_file(path).unwrap();
    assert!(!session.is_current());
    texts(target.session().await.as_mut(), &[make])
        .await
        .unwrap();
    assert!(!session.is_current(), "it has another file open");
    let session = open().await;
    assert!(session.is_current());
    let mut other = target.session().await;
    let log = "PRAGMA journal_mode = wal; INSERT INTO t VALUES (1)";
    texts(other.as_mut(), &[log]).await.unwrap();
    assert!(
        !session.is_current(),
        "it would keep the log from being cleared away"
    );
}

#[tokio::test]
async fn a_file_that_is_none_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(
        folder.path().join("text"),
        "no database, but long enough to be taken for the header of one".repeat(50),
    )
    .unwrap();
    let open = |url| Endpoint::parse(url, folder.path()).unwrap();
    let error = connect(&open("sqlite:text/x.db"), &SessionSettings::default())
        .await
        .err()
        .unwrap();
    assert_eq!(error.code, "SQLITE_CANTOPEN");
    let mut session = connect(&open("sqlite:text"), &SessionSettings::default())
        .await
        .unwrap();
    let failed = texts(session.as_mut(), &["SELECT * FROM sqlite_master"])
        .await
        .unwrap_err();
    assert_eq!(failed.error.code, "SQLITE_NOTADB");
}
