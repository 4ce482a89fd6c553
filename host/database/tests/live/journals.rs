//! The journal's rows, and who may read what is recorded.

use serde_json::json;
use whimbrel_core::digest::Digest;
use whimbrel_core::history::{JournalState, MigrationState};
use whimbrel_core::statement::Dialect;
use whimbrel_core::value::Value;
use whimbrel_database::history::{
    Checkpoint, HistoryError, journal_checkpoint, journal_done, journal_insert, journal_remove,
    read, read_events, record_insert,
};
use whimbrel_database::{Endpoint, SessionSettings, connect};
use whimbrel_postgres_server::PostgresServer;

use super::histories::{conflict, entry, key, record, run};
use super::{BOTH, Target, take, texts, value};

#[tokio::test]
async fn a_checkpoint_is_a_compare_and_set() {
    for dialect in BOTH {
        let target = Target::new(dialect, "checkpoint");
        let mut session = target.session().await;
        take(session.as_mut(), "me").await;
        let session = session.as_mut();
        run(session, vec![journal_insert(dialect, &entry("1", 2))]).await;
        let failed = session
            .run(&[journal_insert(dialect, &entry("1", 2))])
            .await
            .unwrap_err();
        assert!(
            failed.error.is_unique_violation(),
            "a second intent must fail: {failed:?}"
        );
        let checkpoint = |expected_batch| {
            let checkpoint = Checkpoint {
                expected_batch,
                bytes: vec![0, 255],
                rows_done: 10,
                rows_total: Some(20),
            };
            journal_checkpoint(dialect, &key("1", 2), &checkpoint)
        };
        run(session, vec![checkpoint(0)]).await;
        // A COMMIT in flight that landed after all: the same batch again is refused, and so is a skipped one.
        conflict(session, checkpoint(0)).await;
        conflict(session, checkpoint(2)).await;
        run(session, vec![checkpoint(1)]).await;
        let found = read(session).await.unwrap().journal.remove(0);
        assert_eq!(
            (
                found.batch,
                found.checkpoint,
                found.rows_done,
                found.rows_total
            ),
            (2, Some(vec![0, 255]), 10, Some(20))
        );
        assert_eq!(
            (found.probe, found.hash, found.position),
            (
                Some(json!({ "present": false })),
                Digest::of(b"statement"),
                2
            )
        );
        run(
            session,
            vec![journal_done(dialect, &key("1", 2), 20, Some(&[7]))],
        )
        .await;
        let found = read(session).await.unwrap().journal.remove(0);
        assert_eq!(
            (found.state, found.rows_done, found.undo),
            (JournalState::Done, 20, Some(vec![7]))
        );
        conflict(session, checkpoint(2)).await;
        run(session, vec![journal_remove(dialect, &key("1", 2))]).await;
        conflict(session, journal_remove(dialect, &key("1", 2))).await;
        conflict(session, journal_done(dialect, &key("1", 2), 1, None)).await;
    }
}

/// [ran] No privilege is an error, never an empty history.
#[tokio::test]
async fn no_privilege_is_an_error() {
    let target = Target::postgres("privilege");
    let mut session = target.session().await;
    take(session.as_mut(), "me").await;
    let database = target.endpoint.database();
    let server = PostgresServer::shared();
    server.psql(&database, &format!("CREATE USER {database}_guest"));
    let url = server.url_as(&database, &format!("{database}_guest"));
    let guest = Endpoint::parse(&url, std::path::Path::new("/")).unwrap();
    let mut guest = connect(&guest, &SessionSettings::default().read_only())
        .await
        .unwrap();
    let seen = value(
        guest.as_mut(),
        "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'whimbrel'",
    )
    .await;
    assert_eq!(
        seen,
        Value::Integer(0),
        "the information schema would have called it empty"
    );
    let error = read(guest.as_mut()).await.unwrap_err();
    assert!(
        matches!(&error, HistoryError::Database(error) if error.is_permission()),
        "{error:?}"
    );
    server.psql(
        &database,
        &format!("GRANT USAGE ON SCHEMA whimbrel TO {database}_guest"),
    );
    let error = read_events(guest.as_mut(), 1).await.unwrap_err();
    assert!(
        matches!(&error, HistoryError::Database(error) if error.is_permission()),
        "{error:?}"
    );
}

#[tokio::test]
async fn reading_is_one_round_trip_and_writes_nothing() {
    let target = Target::postgres("reading");
    let mut writer = target.session().await;
    take(writer.as_mut(), "me").await;
    let mut session = connect(&target.endpoint, &SessionSettings::default().read_only())
        .await
        .unwrap();
    let before = session.round_trips();
    read(session.as_mut()).await.unwrap();
    assert_eq!(session.round_trips() - before, 1);
}

#[tokio::test]
async fn what_no_whimbrel_wrote_is_named() {
    for dialect in BOTH {
        let target = Target::new(dialect, "malformed");
        let mut session = target.session().await;
        take(session.as_mut(), "me").await;
        let session = session.as_mut();
        run(
            session,
            vec![record_insert(
                dialect,
                &record("1", MigrationState::Applied),
            )],
        )
        .await;
        let table = if dialect == Dialect::Postgres {
            "whimbrel.migration"
        } else {
            "whimbrel_migration"
        };
        texts(
            session,
            &[&format!("UPDATE {table} SET checksum = 'nonsense'")],
        )
        .await
        .unwrap();
        let error = read(session).await.unwrap_err();
        assert!(
            error.to_string().contains("migration.checksum: `nonsense`"),
            "{error}"
        );
    }
}
