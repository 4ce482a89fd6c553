//! A holder that stopped is found out by its silence, and by nothing else.

use std::time::{Duration, Instant};

use whimbrel_core::value::Value;
use whimbrel_database::{Heartbeat, LockSettings, Session, SessionSettings, lock};

use super::{Target, holder, impatient, take, texts, value};

const BEAT: Duration = Duration::from_millis(50);

fn watchful() -> LockSettings {
    LockSettings {
        wait: Duration::from_secs(3),
        poll: Duration::from_millis(20),
        silence: Duration::from_millis(500),
    }
}

async fn counter(session: &mut dyn Session) -> i64 {
    match value(session, "SELECT counter FROM whimbrel.heartbeat").await {
        Value::Integer(counter) => counter,
        other => panic!("{other:?}"),
    }
}

/// [ran] The holder's client stopped while a transaction was open: its backend is ended, and the transaction with it.
#[tokio::test]
async fn a_stopped_holder_is_ended() {
    let target = Target::postgres("stopped");
    let (mut stopped, mut contender) = (target.session().await, target.session().await);
    let fence = take(stopped.as_mut(), "stopped").await;
    texts(
        stopped.as_mut(),
        &[
            "CREATE TABLE t (a int)",
            "BEGIN",
            "INSERT INTO t VALUES (1)",
        ],
    )
    .await
    .unwrap();
    let begun = Instant::now();
    lock::take(
        contender.as_mut(),
        &holder("contender"),
        &watchful(),
        |_| {},
    )
    .await
    .unwrap();
    assert!(
        begun.elapsed() >= Duration::from_millis(500),
        "not before its silence was long enough"
    );
    let failed = stopped.run(&[fence.assert()]).await.unwrap_err();
    assert!(failed.error.is_connection_lost(), "{failed:?}");
    assert_eq!(
        value(contender.as_mut(), "SELECT count(*) FROM t").await,
        Value::Integer(0)
    );
}

/// A long statement doesn't silence a heartbeat: it has a connection of its own.
#[tokio::test]
async fn a_beating_holder_is_left_alone() {
    let target = Target::postgres("beating");
    let (mut busy, mut contender) = (target.session().await, target.session().await);
    let fence = take(busy.as_mut(), "busy").await;
    let heartbeat = Heartbeat::start(&target.endpoint, &SessionSettings::default(), &fence, BEAT);
    let working =
        tokio::spawn(
            async move { texts(busy.as_mut(), &["SELECT pg_sleep(2)", "SELECT 1"]).await },
        );
    let settings = LockSettings {
        wait: Duration::from_secs(1),
        ..watchful()
    };
    let error = lock::take(contender.as_mut(), &holder("contender"), &settings, |_| {})
        .await
        .unwrap_err();
    assert!(
        format!("{error:?}").contains("its heartbeat goes on"),
        "{error:?}"
    );
    working.await.unwrap().unwrap();
    drop(heartbeat);
}

/// A silent holder whose server process still works is left alone, too.
#[tokio::test]
async fn an_active_backend_is_left_alone() {
    let target = Target::postgres("active");
    let (mut busy, mut contender) = (target.session().await, target.session().await);
    take(busy.as_mut(), "busy").await;
    let working =
        tokio::spawn(
            async move { texts(busy.as_mut(), &["SELECT pg_sleep(2)", "SELECT 1"]).await },
        );
    let settings = LockSettings {
        wait: Duration::from_millis(1200),
        ..watchful()
    };
    let error = lock::take(contender.as_mut(), &holder("contender"), &settings, |_| {})
        .await
        .unwrap_err();
    assert!(format!("{error:?}").contains("still runs"), "{error:?}");
    working.await.unwrap().unwrap();
}

/// [ran] The heartbeat's row is another one than the fence's, so neither waits for the other.
#[tokio::test]
async fn the_fence_never_blocks_the_heartbeat() {
    let target = Target::postgres("apart");
    let mut session = target.session().await;
    let fence = take(session.as_mut(), "me").await;
    let heartbeat = Heartbeat::start(&target.endpoint, &SessionSettings::default(), &fence, BEAT);
    texts(session.as_mut(), &["BEGIN"]).await.unwrap();
    session.run(&[fence.assert()]).await.unwrap();
    let before = counter(session.as_mut()).await;
    tokio::time::sleep(Duration::from_millis(400)).await;
    assert!(counter(session.as_mut()).await > before);
    texts(session.as_mut(), &["COMMIT"]).await.unwrap();
    drop(heartbeat);
    tokio::time::sleep(Duration::from_millis(100)).await;
    let after = counter(session.as_mut()).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(
        counter(session.as_mut()).await,
        after,
        "it stops when it is dropped"
    );
}

/// A lost connection is made anew; a takeover ends the beating.
#[tokio::test]
async fn it_goes_on_after_a_lost_connection_and_ends_with_the_run() {
    let target = Target::postgres("goes_on");
    let mut session = target.session().await;
    let fence = take(session.as_mut(), "me").await;
    let _heartbeat = Heartbeat::start(&target.endpoint, &SessionSettings::default(), &fence, BEAT);
    tokio::time::sleep(Duration::from_millis(400)).await;
    let end = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
               WHERE application_name = 'whimbrel heartbeat' AND datname = current_database()";
    assert_eq!(value(session.as_mut(), end).await, Value::Integer(1));
    let before = counter(session.as_mut()).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(counter(session.as_mut()).await > before);
    session.release_session_lock().await.unwrap();
    take(session.as_mut(), "next").await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(counter(session.as_mut()).await, 0);
}

#[tokio::test]
async fn sqlite_needs_none() {
    let target = Target::sqlite();
    let mut session = target.session().await;
    let fence = take(session.as_mut(), "me").await;
    let heartbeat = Heartbeat::start(&target.endpoint, &SessionSettings::default(), &fence, BEAT);
    assert!(format!("{heartbeat:?}").contains("None"));
    let error = lock::take(
        target.session().await.as_mut(),
        &holder("other"),
        &impatient(),
        |_| {},
    )
    .await
    .unwrap_err();
    assert!(matches!(error, lock::LockError::Held { .. }));
}
