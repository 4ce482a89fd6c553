//! One run at a time, and only the dead are cleared away.

use std::time::{Duration, Instant};

use whimbrel_core::history::EventKind;
use whimbrel_core::value::Value;
use whimbrel_database::history::{read, read_events};
use whimbrel_database::lock::Terminated;
use whimbrel_database::{LockError, LockSettings, Session, SessionSettings, connect, lock};
use whimbrel_postgres_server::PostgresServer;

use super::{BOTH, Target, holder, impatient, take, texts, value};

fn held(error: LockError) -> String {
    match error {
        LockError::Held { holder, hint } => {
            assert!(!hint.is_empty());
            holder
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_second_is_told_who_holds_it() {
    for dialect in BOTH {
        let target = Target::new(dialect, "held");
        let (mut one, mut two) = (target.session().await, target.session().await);
        let fence = take(one.as_mut(), "anna@desk pid 1").await;
        let error = lock::take(two.as_mut(), &holder("bob"), &impatient(), |_| {})
            .await
            .unwrap_err();
        assert!(held(error).contains("anna@desk pid 1"));
        lock::release(one.as_mut(), &fence).await.unwrap();
        assert_eq!(take(two.as_mut(), "bob").await.epoch(), 2);
    }
}

#[tokio::test]
async fn the_second_waits_and_says_so_once() {
    for dialect in BOTH {
        let target = Target::new(dialect, "waits");
        let (mut one, mut two) = (target.session().await, target.session().await);
        let fence = take(one.as_mut(), "anna").await;
        let release = async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            lock::release(one.as_mut(), &fence).await.unwrap();
        };
        let settings = LockSettings {
            wait: Duration::from_secs(20),
            ..impatient()
        };
        let mut announced = Vec::new();
        let bob = holder("bob");
        let taking = lock::take(two.as_mut(), &bob, &settings, |who| {
            announced.push(who.to_owned());
        });
        let ((), fence) = tokio::join!(release, taking);
        assert_eq!((fence.unwrap().epoch(), announced.len()), (2, 1));
    }
}

/// A dead session's lock is free at once.
#[tokio::test]
async fn a_dead_sessions_lock_is_free() {
    for dialect in BOTH {
        let target = Target::new(dialect, "dead");
        let mut one = target.session().await;
        take(one.as_mut(), "anna").await;
        texts(one.as_mut(), &["BEGIN", "CREATE TABLE t (a int)"])
            .await
            .unwrap();
        drop(one);
        let mut two = target.session().await;
        let settings = LockSettings {
            wait: Duration::from_secs(20),
            ..impatient()
        };
        lock::take(two.as_mut(), &holder("bob"), &settings, |_| {})
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn databases_have_locks_of_their_own() {
    for dialect in BOTH {
        let (one, two) = (Target::new(dialect, "own_a"), Target::new(dialect, "own_b"));
        let (mut one, mut two) = (one.session().await, two.session().await);
        take(one.as_mut(), "anna").await;
        take(two.as_mut(), "bob").await;
    }
}

/// A link to a file leads to the same lock.
#[tokio::test]
async fn a_link_to_a_file_has_the_same_lock() {
    let target = Target::sqlite();
    let mut one = target.session().await;
    take(one.as_mut(), "anna").await;
    let path = target.endpoint.sqlite_path().unwrap();
    std::os::unix::fs::symlink(path, path.with_file_name("link.db")).unwrap();
    let link =
        whimbrel_database::Endpoint::parse("sqlite:link.db", path.parent().unwrap()).unwrap();
    let mut two = connect(&link, &SessionSettings::default()).await.unwrap();
    let error = lock::take(two.as_mut(), &holder("bob"), &impatient(), |_| {})
        .await
        .unwrap_err();
    assert!(held(error).contains("anna"));
}

#[tokio::test]
async fn unlock_refuses_while_the_holder_lives_and_proves_its_death() {
    for dialect in BOTH {
        let target = Target::new(dialect, "unlock");
        let (mut one, mut two) = (target.session().await, target.session().await);
        assert_eq!(
            lock::unlock(two.as_mut(), &holder("bob"))
                .await
                .unwrap()
                .previous,
            None,
            "no tables yet"
        );
        let fence = take(one.as_mut(), "anna").await;
        let error = lock::unlock(two.as_mut(), &holder("bob"))
            .await
            .unwrap_err();
        assert!(held(error).contains("anna"));
        drop(one);
        let unlocked = unlock_in_time(two.as_mut()).await;
        assert_eq!(unlocked.previous.as_deref(), Some("anna"));
        let events = read_events(two.as_mut(), 10).await.unwrap();
        assert_eq!(
            (events[0].kind, events[0].actor.as_str()),
            (EventKind::Unlocked, "bob")
        );
        assert_eq!(events[0].details["holder"], "anna");
        assert!(
            two.run(&[fence.glance()])
                .await
                .unwrap_err()
                .error
                .is_fenced(),
            "the dead can't come back"
        );
        assert_eq!(
            lock::unlock(two.as_mut(), &holder("bob"))
                .await
                .unwrap()
                .previous,
            None
        );
        take(two.as_mut(), "bob").await;
    }
}

/// The server takes a moment to notice that a client is gone.
async fn unlock_in_time(session: &mut dyn Session) -> lock::Unlocked {
    let begun = Instant::now();
    loop {
        match lock::unlock(session, &holder("bob")).await {
            Ok(unlocked) => return unlocked,
            Err(error) => assert!(begun.elapsed() < Duration::from_secs(10), "{error:?}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Whoever ended by itself left nothing to clear, and nothing is recorded against them.
#[tokio::test]
async fn after_a_clean_end_nobody_is_named() {
    for dialect in BOTH {
        let target = Target::new(dialect, "clean");
        let (mut one, mut two) = (target.session().await, target.session().await);
        let fence = take(one.as_mut(), "anna").await;
        lock::release(one.as_mut(), &fence).await.unwrap();
        let unlocked = lock::unlock(two.as_mut(), &holder("bob")).await.unwrap();
        assert_eq!(unlocked.previous, None);
        assert_eq!(read_events(two.as_mut(), 10).await.unwrap(), []);
        let ended = lock::terminate(two.as_mut(), &holder("bob"), "why").await;
        let free = Terminated::Free(lock::Unlocked { previous: None });
        assert_eq!(ended.unwrap(), free);
    }
}

/// A session that lost its transaction, or the table, still gives the lock back.
#[tokio::test]
async fn the_lock_is_given_back_whatever_becomes_of_the_word() {
    let target = Target::postgres("wordless");
    let (mut one, mut two) = (target.session().await, target.session().await);
    let fence = take(one.as_mut(), "anna").await;
    texts(two.as_mut(), &["DROP TABLE whimbrel.heartbeat"])
        .await
        .unwrap();
    lock::release(one.as_mut(), &fence).await.unwrap();
    assert!(!one.in_transaction());
    assert!(two.try_session_lock("bob").await.unwrap());
}

#[tokio::test]
async fn a_newer_schema_is_left_alone() {
    for dialect in BOTH {
        let target = Target::new(dialect, "newer");
        let mut session = target.session().await;
        let fence = take(session.as_mut(), "anna").await;
        lock::release(session.as_mut(), &fence).await.unwrap();
        let owner = match dialect {
            whimbrel_core::statement::Dialect::Postgres => "whimbrel.owner",
            whimbrel_core::statement::Dialect::Sqlite => "whimbrel_owner",
        };
        texts(
            session.as_mut(),
            &[&format!("UPDATE {owner} SET version = 99")],
        )
        .await
        .unwrap();
        let error = lock::take(session.as_mut(), &holder("bob"), &impatient(), |_| {})
            .await
            .unwrap_err();
        assert!(
            matches!(error, LockError::Newer { found: 99, .. }),
            "{error:?}"
        );
        assert!(
            read(session.as_mut())
                .await
                .unwrap_err()
                .to_string()
                .contains("newer")
        );
        let mut other = target.session().await;
        let error = lock::take(other.as_mut(), &holder("bob"), &impatient(), |_| {})
            .await
            .unwrap_err();
        assert!(
            matches!(error, LockError::Newer { .. }),
            "the lock was given back: {error:?}"
        );
    }
}

/// Objects belong to the role, and a role that may not create them is told so.
#[tokio::test]
async fn the_role_owns_the_tables() {
    let target = Target::postgres("role");
    let name = target.endpoint.database();
    let server = PostgresServer::shared();
    server.psql(
        &name,
        &format!("CREATE ROLE {name}_owner; CREATE USER {name}_user IN ROLE {name}_owner"),
    );
    let url = server.url_as(&name, &format!("{name}_user"));
    let endpoint = whimbrel_database::Endpoint::parse(&url, std::path::Path::new("/")).unwrap();
    let endpoint = endpoint.with_role(format!("{name}_owner"));
    let mut session = connect(&endpoint, &SessionSettings::default())
        .await
        .unwrap();
    let error = lock::take(session.as_mut(), &holder("anna"), &impatient(), |_| {})
        .await
        .unwrap_err();
    assert!(matches!(error, LockError::NotPermitted { .. }), "{error:?}");
    server.psql(
        &name,
        &format!("GRANT CREATE ON DATABASE {name} TO {name}_owner"),
    );
    take(session.as_mut(), "anna").await;
    let owner = value(
        session.as_mut(),
        "SELECT nspowner::regrole::text FROM pg_namespace WHERE nspname = 'whimbrel'",
    )
    .await;
    assert_eq!(owner, Value::Text(format!("{name}_owner")));
}

/// Taking an unlocked database that has its tables takes few round trips.
#[tokio::test]
async fn taking_is_quick() {
    let target = Target::postgres("quick");
    let mut session = target.session().await;
    let fence = take(session.as_mut(), "anna").await;
    lock::release(session.as_mut(), &fence).await.unwrap();
    let (before, begun) = (session.round_trips(), Instant::now());
    let fence = take(session.as_mut(), "anna").await;
    lock::release(session.as_mut(), &fence).await.unwrap();
    assert_eq!(session.round_trips() - before, 4);
    assert!(begun.elapsed() < Duration::from_secs(5));
}
