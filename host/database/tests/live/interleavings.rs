//! What two sessions do to each other, as it was seen when the engine was designed.

use std::time::Duration;

use whimbrel_core::statement::Dialect::Postgres;
use whimbrel_core::value::Value;
use whimbrel_database::session::begin;
use whimbrel_database::{Command, Heartbeats, LockSettings, SessionSettings, connect, lock};

use super::{Target, holder, impatient, take, texts, value};

/// [ran] Even CREATE SCHEMA IF NOT EXISTS fails with 23505 when somebody else creates the same at the same time.
#[tokio::test]
async fn a_schema_created_at_the_same_time_is_no_error() {
    let target = Target::postgres("same_time");
    let (mut other, mut session) = (target.session().await, target.session().await);
    texts(
        other.as_mut(),
        &["BEGIN", "CREATE SCHEMA IF NOT EXISTS whimbrel"],
    )
    .await
    .unwrap();
    let taking = tokio::spawn(async move { take(session.as_mut(), "me").await });
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(
        !taking.is_finished(),
        "it waits for the other's transaction"
    );
    texts(other.as_mut(), &["COMMIT"]).await.unwrap();
    assert_eq!(taking.await.unwrap().epoch(), 1);
}

/// Many at once on a new database: each takes over once, one after the other.
#[tokio::test]
async fn many_at_once_take_turns() {
    for target in [Target::postgres("turns"), Target::sqlite()] {
        let settings = LockSettings {
            wait: Duration::from_secs(30),
            ..impatient()
        };
        let mut tasks = Vec::new();
        for number in 0..8 {
            let (endpoint, settings) = (target.endpoint.clone(), settings.clone());
            tasks.push(tokio::spawn(async move {
                let mut session = connect(&endpoint, &SessionSettings::default())
                    .await
                    .unwrap();
                let holder = holder(&number.to_string());
                let fence = lock::take(session.as_mut(), &holder, &settings, |_| {})
                    .await
                    .unwrap();
                lock::release(session.as_mut(), &fence).await.unwrap();
                fence.epoch()
            }));
        }
        let mut epochs = Vec::new();
        for task in tasks {
            epochs.push(task.await.unwrap());
        }
        epochs.sort_unstable();
        assert_eq!(epochs, (1..=8).collect::<Vec<_>>());
    }
}

/// [ran] A blocking wait for the lock holds a snapshot that CREATE INDEX CONCURRENTLY waits for: a deadlock. Polling holds
/// none.
#[tokio::test]
async fn waiting_does_not_disturb_a_concurrent_index() {
    let target = Target::postgres("concurrent");
    let (mut one, mut two) = (target.session().await, target.session().await);
    let fence = take(one.as_mut(), "builder").await;
    texts(
        one.as_mut(),
        &[
            "CREATE TABLE t (a int)",
            "INSERT INTO t SELECT generate_series(1, 1000)",
        ],
    )
    .await
    .unwrap();
    let waiting = tokio::spawn(async move {
        let settings = LockSettings {
            wait: Duration::from_secs(30),
            ..impatient()
        };
        lock::take(two.as_mut(), &holder("waiter"), &settings, |_| {})
            .await
            .unwrap()
            .epoch()
    });
    tokio::time::sleep(Duration::from_millis(100)).await;
    texts(
        one.as_mut(),
        &[
            "SET lock_timeout = 0",
            "CREATE INDEX CONCURRENTLY i ON t (a)",
        ],
    )
    .await
    .unwrap();
    assert_eq!(
        value(
            one.as_mut(),
            "SELECT indisvalid FROM pg_index WHERE indexrelid = 'i'::regclass"
        )
        .await,
        Value::Boolean(true)
    );
    lock::release(one.as_mut(), &fence).await.unwrap();
    assert_eq!(waiting.await.unwrap(), 2);
}

/// [ran] Under REPEATABLE READ a takeover or a heartbeat between snapshot and fence would be a serialization failure.
#[tokio::test]
async fn the_fence_works_on_a_server_with_repeatable_read() {
    let target = Target::postgres("repeatable");
    let name = target.endpoint.database();
    let server = whimbrel_postgres_server::PostgresServer::shared();
    server.psql(
        &name,
        &format!("ALTER DATABASE {name} SET default_transaction_isolation = 'serializable'"),
    );
    let mut session = target.session().await;
    let fence = take(session.as_mut(), "me").await;
    let heartbeats = Heartbeats::default();
    let backend = session.backend().await.unwrap();
    let often = Duration::from_millis(20);
    let heartbeat = heartbeats.join(&target.endpoint, backend.as_ref(), &fence, often);
    let work = Command::text("SELECT pg_sleep(0.3)");
    session
        .run(&[
            begin(Postgres),
            fence.glance(),
            work,
            fence.assert(),
            Command::text("COMMIT"),
        ])
        .await
        .unwrap();
    drop(heartbeat);
}

/// [ran] After kill -9 of a client the server finds out by itself, and the work of the orphan goes with it: the lock proves
/// it, because the same session held both.
#[tokio::test]
async fn whoever_gets_the_lock_knows_that_the_orphan_is_gone() {
    let target = Target::postgres("orphan");
    let settings = SessionSettings {
        client_check_interval: Duration::from_millis(100),
        ..SessionSettings::default()
    };
    let mut orphan = connect(&target.endpoint, &settings).await.unwrap();
    take(orphan.as_mut(), "orphan").await;
    texts(
        orphan.as_mut(),
        &[
            "CREATE TABLE t (a int)",
            "BEGIN",
            "INSERT INTO t VALUES (1)",
        ],
    )
    .await
    .unwrap();
    let running =
        tokio::spawn(
            async move { texts(orphan.as_mut(), &["SELECT pg_sleep(600)", "COMMIT"]).await },
        );
    tokio::time::sleep(Duration::from_millis(200)).await;
    running.abort();
    let mut next = target.session().await;
    let settings = LockSettings {
        wait: Duration::from_secs(20),
        ..impatient()
    };
    lock::take(next.as_mut(), &holder("next"), &settings, |_| {})
        .await
        .unwrap();
    let others = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(600)%' AND pid <> pg_backend_pid()";
    assert_eq!(value(next.as_mut(), others).await, Value::Integer(0));
    assert_eq!(
        value(next.as_mut(), "SELECT count(*) FROM t").await,
        Value::Integer(0)
    );
}
