//! The catalog tells whether a statement that can't run in a transaction took effect.

use serde_json::{Value as Json, json};
use whimbrel_core::statement::{Dialect, Probe, StatementClass};
use whimbrel_database::probe::{Verdict, confirm, decide, observe};
use whimbrel_database::{Session, split};

use super::{Target, texts};

fn probe(sql: &str) -> Probe {
    match split(Dialect::Postgres, sql).unwrap().remove(0).class {
        StatementClass::NonTransactional(probe) => probe,
        other => panic!("{other:?}"),
    }
}

async fn run_probed(session: &mut dyn Session, sql: &str) -> (Probe, Json, Json) {
    let probe = probe(sql);
    let before = observe(session, &probe).await.unwrap();
    texts(session, &[sql]).await.unwrap();
    let now = observe(session, &probe).await.unwrap();
    (probe, before, now)
}

#[tokio::test]
async fn what_took_effect_is_seen() {
    let target = Target::postgres("effect");
    let mut session = target.session().await;
    let session = session.as_mut();
    texts(
        session,
        &[
            "CREATE SCHEMA \"A b\"",
            "CREATE TABLE \"A b\".\"T\" (a int)",
            "CREATE TYPE \"A b\".mood AS ENUM ()",
        ],
    )
    .await
    .unwrap();
    for sql in [
        "CREATE INDEX CONCURRENTLY \"I\" ON \"A b\".\"T\" (a)",
        "DROP INDEX CONCURRENTLY \"A b\".\"I\"",
        "ALTER TYPE \"A b\".mood ADD VALUE 'so''so'",
    ] {
        let (probe, before, now) = run_probed(session, sql).await;
        assert_eq!(decide(&probe, &before, &before), Verdict::RunAgain, "{sql}");
        assert_eq!(
            decide(&probe, &before, &now),
            Verdict::Done,
            "{sql} {before} {now}"
        );
        assert_eq!(confirm(&probe, &before, &now), Verdict::Done, "{sql}");
    }
    assert_eq!(observe(session, &Probe::None).await.unwrap(), Json::Null);
}

/// [ran] A concurrent build that fails leaves an invalid index, and IF NOT EXISTS then "succeeds".
#[tokio::test]
async fn an_invalid_index_is_seen_and_cleared_away() {
    let target = Target::postgres("invalid");
    let mut session = target.session().await;
    let session = session.as_mut();
    texts(
        session,
        &["CREATE TABLE t (a int)", "INSERT INTO t VALUES (1), (1)"],
    )
    .await
    .unwrap();
    let sql = "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS i ON t (a)";
    let probe = probe(sql);
    let before = observe(session, &probe).await.unwrap();
    texts(session, &[sql]).await.unwrap_err();
    let after = observe(session, &probe).await.unwrap();
    assert_eq!(after["valid"], json!(false));
    texts(session, &[sql]).await.unwrap();
    let again = observe(session, &probe).await.unwrap();
    assert!(
        matches!(confirm(&probe, &before, &again), Verdict::Unknown { .. }),
        "it only said that it succeeded"
    );
    let Verdict::DropInvalidThenRunAgain { drop } = decide(&probe, &before, &after) else {
        panic!("{after}")
    };
    texts(session, &[&drop, "DELETE FROM t", sql])
        .await
        .unwrap();
    assert_eq!(
        decide(&probe, &before, &observe(session, &probe).await.unwrap()),
        Verdict::Done
    );
}

/// [ran] With a lock timeout, an idle snapshot elsewhere leaves an invalid index.
#[tokio::test]
async fn a_lock_timeout_leaves_an_invalid_index() {
    let target = Target::postgres("timeout");
    let (mut idle, mut session) = (target.session().await, target.session().await);
    let session = session.as_mut();
    texts(session, &["CREATE TABLE t (a int)"]).await.unwrap();
    texts(
        idle.as_mut(),
        &[
            "BEGIN ISOLATION LEVEL REPEATABLE READ",
            "INSERT INTO t VALUES (1)",
        ],
    )
    .await
    .unwrap();
    let sql = "CREATE INDEX CONCURRENTLY i ON t (a)";
    let probe = probe(sql);
    let before = observe(session, &probe).await.unwrap();
    let failed = texts(session, &["SET lock_timeout = 100", sql])
        .await
        .unwrap_err();
    assert!(failed.error.is_retryable(), "{failed:?}");
    let after = observe(session, &probe).await.unwrap();
    assert!(
        matches!(
            decide(&probe, &before, &after),
            Verdict::DropInvalidThenRunAgain { .. }
        ),
        "{after}"
    );
}

/// Something else of the index's name, or an index of another table, is none.
#[tokio::test]
async fn another_thing_of_that_name_is_no_index() {
    let target = Target::postgres("another");
    let mut session = target.session().await;
    let session = session.as_mut();
    texts(
        session,
        &[
            "CREATE TABLE t (a int)",
            "CREATE TABLE u (a int)",
            "CREATE INDEX i ON u (a)",
            "CREATE VIEW v AS SELECT 1",
        ],
    )
    .await
    .unwrap();
    for sql in [
        "CREATE INDEX CONCURRENTLY i ON t (a)",
        "CREATE INDEX CONCURRENTLY v ON t (a)",
    ] {
        let seen = observe(session, &probe(sql)).await.unwrap();
        assert_eq!(
            (&seen["present"], &seen["valid"]),
            (&json!(true), &json!(false)),
            "{sql}"
        );
        assert!(matches!(
            decide(&probe(sql), &seen, &seen),
            Verdict::Unknown { .. }
        ));
    }
}

/// What can run in a transaction after all is classified so.
#[tokio::test]
async fn transactional_statements_are_transactional() {
    let target = Target::postgres("transactional");
    let mut session = target.session().await;
    let setup = [
        "CREATE TABLE t (a int PRIMARY KEY)",
        "CREATE MATERIALIZED VIEW v AS SELECT a FROM t",
        "CREATE UNIQUE INDEX i ON v (a)",
        "CREATE PROCEDURE p() LANGUAGE sql AS 'SELECT 1'",
    ];
    texts(session.as_mut(), &setup).await.unwrap();
    for sql in [
        "ANALYZE t",
        "REFRESH MATERIALIZED VIEW CONCURRENTLY v",
        "REINDEX TABLE t",
        "CLUSTER t USING t_pkey",
        "CALL p()",
        "DO $$ BEGIN PERFORM 1; END $$",
    ] {
        assert_eq!(
            split(Dialect::Postgres, sql).unwrap()[0].class,
            StatementClass::Transactional,
            "{sql}"
        );
        texts(session.as_mut(), &["BEGIN", sql, "COMMIT"])
            .await
            .unwrap();
    }
    for sql in [
        "VACUUM t",
        "REINDEX TABLE CONCURRENTLY t",
        "REINDEX SCHEMA public",
        "CLUSTER",
    ] {
        assert_eq!(
            split(Dialect::Postgres, sql).unwrap()[0].class,
            StatementClass::Repeatable,
            "{sql}"
        );
        let failed = texts(session.as_mut(), &["BEGIN", sql, "COMMIT"])
            .await
            .unwrap_err();
        assert_eq!(failed.error.code, "25001", "{sql}");
        texts(session.as_mut(), &[sql]).await.unwrap();
    }
}
