//! Queries that are to read: what they try else is refused or undone, and costs no round trip.

use std::fs;

use whimbrel_core::statement::Dialect;
use whimbrel_core::value::Value;
use whimbrel_database::session::read;
use whimbrel_database::{Command, Endpoint, Session, SessionSettings, connect};

use crate::{BOTH, Target, texts, value};

const COUNT: &str = "SELECT count(*) FROM t";
const INSERT: &str = "INSERT INTO t VALUES (1) RETURNING a";

async fn table(dialect: Dialect, name: &str) -> Target {
    let target = Target::new(dialect, name);
    let mut session = target.session().await;
    texts(session.as_mut(), &["CREATE TABLE t (a integer)"])
        .await
        .unwrap();
    if dialect == Dialect::Postgres {
        let function = "CREATE FUNCTION enter() RETURNS integer LANGUAGE sql AS $$ INSERT INTO t VALUES (1); SELECT 1 $$;
            CREATE FUNCTION lose() RETURNS text LANGUAGE sql AS $$ SELECT set_config('search_path', 'nowhere', false) $$";
        texts(session.as_mut(), &[function]).await.unwrap();
    }
    target
}

fn query(text: &str) -> Command {
    Command::with(text, Vec::new())
}

async fn asked(session: &mut dyn Session, text: &str) -> Value {
    let done = read(session, query(text)).await.unwrap();
    done.rows.single().unwrap().clone()
}

#[tokio::test]
async fn a_query_that_is_to_read_can_not_write() {
    for dialect in BOTH {
        let target = table(dialect, "reads").await;
        let mut session = target.session().await;
        let session = session.as_mut();
        let mut writing = vec![INSERT];
        if dialect == Dialect::Postgres {
            writing.extend([
                "SELECT enter()",
                "WITH entered AS (INSERT INTO t VALUES (1) RETURNING a) SELECT * FROM entered",
                "SELECT nextval('s')",
            ]);
            texts(session, &["CREATE SEQUENCE s"]).await.unwrap();
        }
        for text in writing {
            let error = read(session, query(text)).await.unwrap_err();
            assert!(error.message.contains("only reads"), "{text}: {error}");
            assert!(!session.in_transaction(), "{text}");
            assert_eq!(asked(session, COUNT).await, Value::Integer(0), "{text}");
        }
        // The session writes as before.
        texts(session, &[INSERT]).await.unwrap();
        assert_eq!(value(session, COUNT).await, Value::Integer(1));
    }
}

#[tokio::test]
async fn in_a_transaction_it_sees_what_is_to_be_committed_and_adds_nothing() {
    for dialect in BOTH {
        let target = table(dialect, "sees").await;
        let mut session = target.session().await;
        let session = session.as_mut();
        texts(session, &["BEGIN", INSERT]).await.unwrap();
        for _ in 0..2 {
            assert_eq!(asked(session, COUNT).await, Value::Integer(1));
        }
        let error = read(session, query(INSERT)).await.unwrap_err();
        assert!(error.message.contains("only reads"), "{error}");
        if dialect == Dialect::Postgres {
            let error = read(session, query("SELECT enter()")).await.unwrap_err();
            assert!(error.message.contains("only reads"), "{error}");
            asked(session, "SELECT lose()").await;
        }
        // The transaction goes on, and writes.
        assert!(session.in_transaction());
        texts(session, &[INSERT, "COMMIT"]).await.unwrap();
        assert_eq!(value(session, COUNT).await, Value::Integer(2));
    }
}

#[tokio::test]
async fn reading_is_one_round_trip_in_and_outside_of_a_transaction() {
    let target = table(Dialect::Postgres, "trips").await;
    let mut session = target.session().await;
    let session = session.as_mut();
    let before = session.round_trips();
    asked(session, COUNT).await;
    assert_eq!(session.round_trips() - before, 1);
    read(session, query(INSERT)).await.unwrap_err();
    assert_eq!(session.round_trips() - before, 2);
    texts(session, &["BEGIN"]).await.unwrap();
    let before = session.round_trips();
    asked(session, COUNT).await;
    read(session, query(INSERT)).await.unwrap_err();
    assert_eq!(session.round_trips() - before, 2);
    assert!(session.in_transaction());
}

/// [ran] `SET TRANSACTION READ WRITE` before the first query makes a read-only transaction one that writes, and a session
/// whose transactions are read-only by default with it. Each query has a transaction of its own that ends with it, so
/// that it helps nobody who sends one and then another.
#[tokio::test]
async fn a_transaction_made_writable_ends_with_what_made_it_so() {
    let target = table(Dialect::Postgres, "trap").await;
    let settings = SessionSettings::default().read_only();
    let mut session = connect(&target.endpoint, &settings).await.unwrap();
    let session = session.as_mut();
    let mut other = target.session().await;
    let trap = [
        "BEGIN READ ONLY",
        "SET TRANSACTION READ WRITE",
        INSERT,
        "COMMIT",
    ];
    texts(session, &trap).await.unwrap();
    assert_eq!(
        value(other.as_mut(), COUNT).await,
        Value::Integer(1),
        "it is a trap"
    );
    let late = ["BEGIN READ ONLY", COUNT, "SET TRANSACTION READ WRITE"];
    let error = texts(session, &late).await.unwrap_err();
    assert_eq!((error.index, error.error.code.as_str()), (2, "25001"));
    texts(session, &["ROLLBACK"]).await.unwrap();
    for loosening in [
        "SET TRANSACTION READ WRITE",
        "SET default_transaction_read_only = off",
        "SELECT set_config('default_transaction_read_only', 'off', false)",
        "SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE",
        "SELECT lose()",
    ] {
        read(session, query(loosening)).await.unwrap();
        let error = read(session, query(INSERT)).await.unwrap_err();
        assert_eq!(error.code, "25006", "{loosening}");
        let error = texts(session, &[INSERT]).await.unwrap_err();
        assert_eq!(error.error.code, "25006", "{loosening}");
    }
    assert_eq!(value(other.as_mut(), COUNT).await, Value::Integer(1));
}

#[tokio::test]
async fn a_session_of_sqlite_that_only_reads_makes_no_file_and_writes_none() {
    let target = Target::sqlite();
    let path = target.endpoint.sqlite_path().unwrap().to_owned();
    let folder = path.parent().unwrap();
    let other = folder.join("other.db");
    let kept = Endpoint::parse("sqlite:other.db", folder).unwrap();
    let mut session = connect(&kept, &SessionSettings::default()).await.unwrap();
    texts(session.as_mut(), &["CREATE TABLE t (a)"])
        .await
        .unwrap();
    let settings = SessionSettings::default().read_only();
    let made = folder.join("made.db");
    for there in [false, true] {
        if there {
            fs::copy(&other, &path).unwrap();
        }
        for (file, text) in [
            (&made, "CREATE TABLE x.t (a)"),
            (&other, "INSERT INTO x.t VALUES (1)"),
            (&path, "INSERT INTO t VALUES (1)"),
        ] {
            let mut session = connect(&target.endpoint, &settings).await.unwrap();
            let attach = format!("ATTACH '{}' AS x", file.display());
            let all = ["PRAGMA query_only = 0", &attach, text];
            let failed = texts(session.as_mut(), &all).await;
            assert!(failed.is_err(), "{all:?}");
        }
        assert_eq!(path.exists(), there);
    }
    assert!(!made.exists());
    assert_eq!(value(session.as_mut(), COUNT).await, Value::Integer(0));
}

/// What dies in its COMMIT leaves a journal beside a file that was written in part.
#[tokio::test]
async fn a_journal_that_was_left_is_rolled_back_and_then_the_file_is_only_read() {
    let target = Target::sqlite();
    let path = target.endpoint.sqlite_path().unwrap().to_owned();
    let writing = Target::sqlite();
    let from = writing.endpoint.sqlite_path().unwrap().to_owned();
    let mut session = writing.session().await;
    let fill = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000) \
                INSERT INTO t SELECT randomblob(500) FROM n";
    texts(
        session.as_mut(),
        &[
            "CREATE TABLE t (a)",
            fill,
            "PRAGMA cache_size = 5",
            "BEGIN IMMEDIATE",
            "DELETE FROM t",
        ],
    )
    .await
    .unwrap();
    texts(session.as_mut(), &[fill]).await.unwrap();
    let journal = |path: &std::path::Path| path.with_extension("db-journal");
    fs::copy(&from, &path).unwrap();
    fs::copy(journal(&from), journal(&path)).unwrap();
    let settings = SessionSettings::default().read_only();
    let mut left = connect(&target.endpoint, &settings).await.unwrap();
    assert_eq!(value(left.as_mut(), COUNT).await, Value::Integer(2000));
    assert!(!journal(&path).exists());
    let all = ["PRAGMA query_only = 0", "DELETE FROM t"];
    let error = texts(left.as_mut(), &all).await.unwrap_err();
    assert!(error.error.is_permission(), "{error}");
}
