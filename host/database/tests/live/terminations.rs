//! A living holder is ended by a person only, and only when it is certain who it is.

use std::time::Duration;

use whimbrel_core::history::EventKind;
use whimbrel_core::value::Value;
use whimbrel_database::history::read_events;
use whimbrel_database::lock::Terminated;
use whimbrel_database::{LockError, LockSettings, SessionSettings, connect, lock};
use whimbrel_postgres_server::PostgresServer;

use super::{Target, holder, impatient, take, texts, value};

/// A person ends a holder that works: its transaction is rolled back, the reason is recorded, and it can't come back.
#[tokio::test]
async fn a_living_holder_is_ended_by_a_person_only() {
    let target = Target::postgres("ended");
    let (mut one, mut two) = (target.session().await, target.session().await);
    let fence = take(one.as_mut(), "anna").await;
    let working = tokio::spawn(async move {
        let work = [
            "CREATE TABLE t (a int)",
            "BEGIN",
            "INSERT INTO t VALUES (1)",
            "SELECT pg_sleep(60)",
        ];
        texts(one.as_mut(), &work).await
    });
    tokio::time::sleep(Duration::from_millis(300)).await;
    lock::unlock(two.as_mut(), &holder("bob"))
        .await
        .unwrap_err();
    let ended = lock::terminate(two.as_mut(), &holder("bob"), "it blocks the release").await;
    let holder_was = "anna".to_owned();
    assert_eq!(ended.unwrap(), Terminated::Ended { holder: holder_was });
    let failed = working.await.unwrap().unwrap_err();
    assert!(failed.error.is_connection_lost(), "{failed:?}");
    let rows = value(two.as_mut(), "SELECT count(*) FROM t").await;
    assert_eq!(rows, Value::Integer(0));
    let events = read_events(two.as_mut(), 10).await.unwrap();
    assert_eq!((events.len(), events[0].kind), (1, EventKind::Unlocked));
    assert_eq!(events[0].actor, "bob");
    assert_eq!(events[0].details["reason"], "it blocks the release");
    assert_eq!(events[0].details["holder"], "anna");
    assert!(events[0].details["terminated"]["pid"].is_i64());
    let refused = two.run(&[fence.glance()]).await.unwrap_err();
    assert!(refused.error.is_fenced());
    take(two.as_mut(), "bob").await;
}

/// Only the session that the lock's row names is ended: a process that got its number is somebody else.
#[tokio::test]
async fn nobody_is_ended_whose_identity_is_not_proved() {
    let target = Target::postgres("unproved");
    let (mut one, mut two) = (target.session().await, target.session().await);
    let fence = take(one.as_mut(), "anna").await;
    for change in [
        "UPDATE whimbrel.lock SET backend_start = '1'",
        "UPDATE whimbrel.lock SET backend_start = (SELECT extract(epoch FROM backend_start)::text FROM pg_stat_activity \
         WHERE pid = pg_backend_pid()), backend_pid = pg_backend_pid()",
        "UPDATE whimbrel.lock SET backend_pid = NULL",
    ] {
        texts(two.as_mut(), &[change]).await.unwrap();
        let error = lock::terminate(two.as_mut(), &holder("bob"), "why").await;
        let error = error.unwrap_err();
        assert!(
            matches!(&error, LockError::Held { holder, hint } if holder.contains("server process") && hint.contains("try again")),
            "{change}: {error:?}"
        );
        one.run(&[fence.glance()]).await.unwrap();
        assert_eq!(read_events(two.as_mut(), 10).await.unwrap(), []);
    }
}

/// A user without the right is told which one it needs.
#[tokio::test]
async fn ending_needs_a_right() {
    let target = Target::postgres("right");
    let name = target.endpoint.database();
    let server = PostgresServer::shared();
    let mut one = target.session().await;
    take(one.as_mut(), "anna").await;
    server.psql(
        &name,
        &format!(
            "CREATE USER {name}_weak IN ROLE pg_read_all_stats; GRANT USAGE ON SCHEMA whimbrel TO {name}_weak; \
             GRANT ALL ON ALL TABLES IN SCHEMA whimbrel TO {name}_weak"
        ),
    );
    let url = server.url_as(&name, &format!("{name}_weak"));
    let endpoint = whimbrel_database::Endpoint::parse(&url, std::path::Path::new("/")).unwrap();
    let mut weak = connect(&endpoint, &SessionSettings::default())
        .await
        .unwrap();
    let error = lock::terminate(weak.as_mut(), &holder("bob"), "why")
        .await
        .unwrap_err();
    let LockError::Held { hint, .. } = &error else {
        panic!("{error:?}");
    };
    assert!(hint.contains("pg_signal_backend"), "{hint}");
    assert!(!weak.in_transaction());
    assert_eq!(read_events(one.as_mut(), 10).await.unwrap(), []);
}

/// Somebody may be quicker than the one who ended the holder.
#[tokio::test]
async fn who_waited_may_get_the_lock_of_the_ended() {
    let target = Target::postgres("quicker");
    let (mut one, mut two, mut three) = (
        target.session().await,
        target.session().await,
        target.session().await,
    );
    take(one.as_mut(), "anna").await;
    let waiting = tokio::spawn(async move {
        let settings = LockSettings {
            wait: Duration::from_secs(20),
            poll: Duration::from_millis(1),
            ..impatient()
        };
        let taken = lock::take(three.as_mut(), &holder("carl"), &settings, |_| {}).await;
        (taken.unwrap(), three)
    });
    tokio::time::sleep(Duration::from_millis(200)).await;
    let ended = lock::terminate(two.as_mut(), &holder("bob"), "why")
        .await
        .unwrap();
    // Who gets it is open; that it is said rightly isn't.
    match ended {
        Terminated::TakenOver { holder, now } => {
            assert!(holder == "anna" && now.contains("carl"), "{now}");
        }
        Terminated::Ended { holder } => assert_eq!(holder, "anna"),
        other @ Terminated::Free(_) => panic!("{other:?}"),
    }
    waiting.await.unwrap();
}

#[tokio::test]
async fn sqlite_can_not_end_a_holder_and_says_why() {
    let target = Target::sqlite();
    let (mut one, mut two) = (target.session().await, target.session().await);
    let fence = take(one.as_mut(), "anna").await;
    let error = lock::terminate(two.as_mut(), &holder("bob"), "why")
        .await
        .unwrap_err();
    let LockError::Held { holder, hint } = &error else {
        panic!("{error:?}");
    };
    assert!(holder.contains("anna"), "{holder}");
    assert!(hint.contains("no database can end"), "{hint}");
    one.run(&[fence.glance()]).await.unwrap();
}
