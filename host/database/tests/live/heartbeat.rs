//! A holder that stopped is found out by its silence, and by nothing else.

use std::time::{Duration, Instant};

use whimbrel_core::value::Value;
use whimbrel_database::{Fence, Heartbeat, Heartbeats, LockSettings, Session, lock};

use super::{Target, holder, impatient, take, texts, value};

const BEAT: Duration = Duration::from_millis(50);

/// How long something that must happen may take.
const PATIENCE: Duration = Duration::from_secs(60);

fn watchful() -> LockSettings {
    LockSettings {
        wait: Duration::from_secs(3),
        poll: Duration::from_millis(20),
        silence: Duration::from_millis(500),
    }
}

/// Starts to beat for a session that holds the fence.
async fn beat(
    heartbeats: &Heartbeats,
    target: &Target,
    session: &mut dyn Session,
    fence: &Fence,
) -> Heartbeat {
    let backend = session.backend().await.unwrap();
    heartbeats.join(&target.endpoint, backend.as_ref(), fence, BEAT)
}

/// What the heartbeats of a run say, one for each connection.
async fn said(session: &mut dyn Session, fence: &Fence) -> Vec<String> {
    let sql = format!(
        "SELECT application_name FROM pg_stat_activity WHERE application_name LIKE 'whimbrel heartbeat {} %'",
        fence.run().simple()
    );
    let done = texts(session, &[&sql]).await.unwrap();
    done[0]
        .rows
        .rows
        .iter()
        .map(|row| row[0].display())
        .collect()
}

/// The same, once it is as it should be.
async fn until(
    session: &mut dyn Session,
    fence: &Fence,
    is_right: impl Fn(&[String]) -> bool,
) -> Vec<String> {
    let begun = Instant::now();
    loop {
        let heard = said(session, fence).await;
        if is_right(&heard) {
            return heard;
        }
        assert!(begun.elapsed() < PATIENCE, "it stays so: {heard:?}");
        tokio::time::sleep(BEAT / 5).await;
    }
}

/// Waits until a run beats for so many sessions.
async fn until_it_beats_for(session: &mut dyn Session, fence: &Fence, sessions: i64) {
    let claims = format!(
        "SELECT count(*) FROM pg_locks k JOIN pg_stat_activity a ON a.pid = k.pid WHERE k.locktype = 'advisory' \
         AND k.granted AND a.application_name LIKE 'whimbrel heartbeat {} %'",
        fence.run().simple()
    );
    let begun = Instant::now();
    while value(session, &claims).await != Value::Integer(sessions) {
        assert!(begun.elapsed() < PATIENCE, "it never beats for {sessions}");
        tokio::time::sleep(BEAT / 5).await;
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
    let heartbeats = Heartbeats::default();
    let heartbeat = beat(&heartbeats, &target, busy.as_mut(), &fence).await;
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

/// [ran] The heartbeat writes to no table, so neither it nor the fence waits for the other.
#[tokio::test]
async fn the_fence_never_blocks_the_heartbeat() {
    let target = Target::postgres("apart");
    let (mut session, mut other) = (target.session().await, target.session().await);
    let fence = take(session.as_mut(), "me").await;
    let heartbeats = Heartbeats::default();
    let heartbeat = beat(&heartbeats, &target, session.as_mut(), &fence).await;
    texts(session.as_mut(), &["BEGIN"]).await.unwrap();
    session.run(&[fence.assert()]).await.unwrap();
    // Once it is heard, and then once more while the fence is held.
    let before = until(other.as_mut(), &fence, |heard| heard.len() == 1).await;
    until(other.as_mut(), &fence, |heard| {
        heard.len() == 1 && heard != before
    })
    .await;
    texts(session.as_mut(), &["COMMIT"]).await.unwrap();
    drop(heartbeat);
    until(other.as_mut(), &fence, <[String]>::is_empty).await;
}

/// A lost connection is made anew.
#[tokio::test]
async fn it_goes_on_after_a_lost_connection() {
    let target = Target::postgres("goes_on");
    let mut session = target.session().await;
    let fence = take(session.as_mut(), "me").await;
    let heartbeats = Heartbeats::default();
    let _heartbeat = beat(&heartbeats, &target, session.as_mut(), &fence).await;
    until(session.as_mut(), &fence, |heard| heard.len() == 1).await;
    let end = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
               WHERE application_name LIKE 'whimbrel heartbeat%' AND datname = current_database()";
    assert_eq!(value(session.as_mut(), end).await, Value::Integer(1));
    let before = said(session.as_mut(), &fence).await;
    until(session.as_mut(), &fence, |heard| {
        heard.len() == 1 && heard != before
    })
    .await;
}

/// Several databases of one server share one connection, whose beats each of them sees.
#[tokio::test]
async fn a_server_needs_one_connection() {
    let targets = [Target::postgres("shared_a"), Target::postgres("shared_b")];
    let run = holder("both");
    let heartbeats = Heartbeats::default();
    let mut held = Vec::new();
    for target in &targets {
        let mut session = target.session().await;
        let fence = lock::take(session.as_mut(), &run, &impatient(), |_| {})
            .await
            .unwrap();
        let heartbeat = beat(&heartbeats, target, session.as_mut(), &fence).await;
        held.push((session, fence, heartbeat));
    }
    let mut looking = targets[1].session().await;
    until_it_beats_for(looking.as_mut(), &held[0].1, 2).await;
    let connections = said(looking.as_mut(), &held[0].1).await;
    assert_eq!(connections.len(), 1, "{connections:?}");
    let settings = LockSettings {
        wait: Duration::from_secs(1),
        ..watchful()
    };
    for target in &targets {
        let mut contender = target.session().await;
        let error = lock::take(contender.as_mut(), &holder("other"), &settings, |_| {}).await;
        let error = format!("{:?}", error.unwrap_err());
        assert!(error.contains("its heartbeat goes on"), "{error}");
    }
}

/// A run that goes on elsewhere doesn't keep a session alive that it has lost.
#[tokio::test]
async fn a_run_beats_for_the_sessions_that_it_has() {
    let targets = [Target::postgres("kept"), Target::postgres("lost")];
    let run = holder("both");
    let heartbeats = Heartbeats::default();
    let mut held = Vec::new();
    for target in &targets {
        let mut session = target.session().await;
        let fence = lock::take(session.as_mut(), &run, &impatient(), |_| {})
            .await
            .unwrap();
        let heartbeat = beat(&heartbeats, target, session.as_mut(), &fence).await;
        held.push((session, fence, heartbeat));
    }
    let mut contender = targets[1].session().await;
    until_it_beats_for(contender.as_mut(), &held[0].1, 2).await;
    let (mut lost, fence, heartbeat) = held.pop().unwrap();
    drop(heartbeat);
    lock::take(contender.as_mut(), &holder("other"), &watchful(), |_| {})
        .await
        .unwrap();
    let failed = lost.run(&[fence.assert()]).await.unwrap_err();
    assert!(failed.error.is_connection_lost(), "{failed:?}");
    let (kept, fence, _heartbeat) = &mut held[0];
    kept.run(&[fence.glance()]).await.unwrap();
}

#[tokio::test]
async fn sqlite_needs_none() {
    let target = Target::sqlite();
    let mut session = target.session().await;
    let fence = take(session.as_mut(), "me").await;
    let heartbeats = Heartbeats::default();
    let heartbeat = beat(&heartbeats, &target, session.as_mut(), &fence).await;
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
