//! The fence: nobody commits after somebody else took over.

use std::time::Duration;

use uuid::Uuid;
use whimbrel_core::statement::Dialect::{Postgres, Sqlite};
use whimbrel_core::value::Value;
use whimbrel_database::session::{begin, commit, rollback};
use whimbrel_database::{Command, Fence};

use super::{BOTH, Target, take, texts, value};

#[tokio::test]
async fn a_holder_commits() {
    for dialect in BOTH {
        let target = Target::new(dialect, "holder");
        let mut session = target.session().await;
        let fence = take(session.as_mut(), "me").await;
        assert_eq!((fence.epoch(), fence.dialect()), (1, dialect));
        let work = Command::text("CREATE TABLE t (a int)");
        session
            .run(&[
                fence.glance(),
                begin(dialect),
                work,
                fence.assert(),
                commit(dialect),
            ])
            .await
            .unwrap();
        assert_eq!(
            value(session.as_mut(), "SELECT count(*) FROM t").await,
            Value::Integer(0)
        );
    }
}

/// The run's id covers epochs that a restored copy or a failover rewinds.
#[tokio::test]
async fn epoch_and_run_must_both_match() {
    for dialect in BOTH {
        let target = Target::new(dialect, "both");
        let mut session = target.session().await;
        let fence = take(session.as_mut(), "me").await;
        for outdated in [
            Fence::new(dialect, fence.epoch(), Uuid::new_v4()),
            Fence::new(dialect, fence.epoch() - 1, fence.run()),
        ] {
            for command in [outdated.glance(), outdated.assert()] {
                let work = Command::text("CREATE TABLE t (a int)");
                let failed = session
                    .run(&[begin(dialect), work, command, commit(dialect)])
                    .await
                    .unwrap_err();
                assert!(failed.error.is_fenced() && failed.index == 2, "{failed:?}");
                session.run(&[rollback(dialect)]).await.unwrap();
            }
        }
        let error = texts(session.as_mut(), &["SELECT * FROM t"])
            .await
            .unwrap_err()
            .error;
        assert!(
            error.message.contains('t'),
            "nothing of it was committed: {error}"
        );
    }
}

/// The fence compares with PostgreSQL's own operators, whatever stands before them in the `search_path`.
#[tokio::test]
async fn operators_of_others_open_no_fence() {
    let target = Target::new(Postgres, "operators");
    let mut session = target.session().await;
    let fence = take(session.as_mut(), "me").await;
    let setup = "CREATE SCHEMA other; \
        CREATE FUNCTION other.always(bigint, bigint) RETURNS boolean LANGUAGE sql AS 'SELECT true'; \
        CREATE FUNCTION other.always(text, text) RETURNS boolean LANGUAGE sql AS 'SELECT true'; \
        CREATE OPERATOR other.= (FUNCTION = other.always, LEFTARG = bigint, RIGHTARG = bigint); \
        CREATE OPERATOR other.= (FUNCTION = other.always, LEFTARG = text, RIGHTARG = text); \
        SET search_path = other, pg_catalog";
    session.run(&[Command::text(setup)]).await.unwrap();
    assert_eq!(
        value(session.as_mut(), "SELECT 1::bigint = 2::bigint").await,
        Value::Boolean(true)
    );
    let outdated = Fence::new(Postgres, fence.epoch() - 1, Uuid::new_v4());
    for command in [outdated.glance(), outdated.assert()] {
        let failed = session.run(&[command]).await.unwrap_err();
        assert!(failed.error.is_fenced(), "{failed:?}");
    }
    session
        .run(&[fence.glance(), fence.assert()])
        .await
        .unwrap();
}

/// [ran] Without a share lock, the zombie reads the old row, the contender takes over, and the zombie commits. With it the
/// takeover waits for the zombie's COMMIT, and reads the journal only afterwards.
#[tokio::test]
async fn a_takeover_waits_for_a_commit_that_passed_the_fence() {
    let target = Target::postgres("share");
    let (mut zombie, mut contender) = (target.session().await, target.session().await);
    let fence = take(zombie.as_mut(), "zombie").await;
    texts(
        zombie.as_mut(),
        &[
            "CREATE TABLE t (a int)",
            "BEGIN",
            "INSERT INTO t VALUES (1)",
        ],
    )
    .await
    .unwrap();
    zombie.run(&[fence.assert()]).await.unwrap();
    // As after a failover: the session lock is gone, and the zombie's transaction isn't.
    zombie.release_session_lock().await.unwrap();
    let waiting = tokio::spawn(async move {
        let fence = take(contender.as_mut(), "contender").await;
        (contender, fence)
    });
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!waiting.is_finished());
    zombie.run(&[commit(Postgres)]).await.unwrap();
    let (mut contender, newer) = waiting.await.unwrap();
    assert_eq!(newer.epoch(), 2);
    assert_eq!(
        value(contender.as_mut(), "SELECT count(*) FROM t").await,
        Value::Integer(1)
    );
    let late = [
        begin(Postgres),
        Command::text("INSERT INTO t VALUES (2)"),
        fence.assert(),
        commit(Postgres),
    ];
    let failed = zombie.run(&late).await.unwrap_err();
    assert!(
        failed.error.is_fenced() && failed.error.detail.as_deref() == Some("contender"),
        "{failed:?}"
    );
    assert_eq!(
        value(contender.as_mut(), "SELECT count(*) FROM t").await,
        Value::Integer(1)
    );
}

/// [ran] A zombie that began before the takeover and commits after it is refused. On SQLite, where nobody takes over while a
/// transaction has the file, it had the lock before, and begins afterwards.
#[tokio::test]
async fn a_zombie_that_began_before_the_takeover_is_refused() {
    for dialect in BOTH {
        let target = Target::new(dialect, "zombie");
        let (mut zombie, mut contender) = (target.session().await, target.session().await);
        let fence = take(zombie.as_mut(), "zombie").await;
        texts(zombie.as_mut(), &["CREATE TABLE t (a int)"])
            .await
            .unwrap();
        let begun = [begin(dialect), Command::text("INSERT INTO t VALUES (1)")];
        if dialect == Postgres {
            zombie.run(&begun).await.unwrap();
        }
        zombie.release_session_lock().await.unwrap();
        take(contender.as_mut(), "contender").await;
        if dialect == Sqlite {
            zombie.run(&begun).await.unwrap();
        }
        let failed = zombie
            .run(&[fence.assert(), commit(dialect)])
            .await
            .unwrap_err();
        assert!(failed.error.is_fenced() && failed.index == 0, "{failed:?}");
        zombie.run(&[rollback(dialect)]).await.unwrap();
        assert_eq!(
            value(contender.as_mut(), "SELECT count(*) FROM t").await,
            Value::Integer(0)
        );
    }
}

/// [ran] Under REPEATABLE READ the fence would fail to lock a row that was changed since the snapshot (40001), which is told from
/// a lock of somebody else by nothing, and is tried again. The session says READ COMMITTED whatever the server's default is,
/// and a transaction says so whatever a definition set.
#[tokio::test]
async fn a_zombie_is_refused_by_the_fence_on_a_server_with_repeatable_read() {
    let target = Target::postgres("repeatable_zombie");
    let name = target.endpoint.database();
    let server = whimbrel_postgres_server::PostgresServer::shared();
    server.psql(
        &name,
        &format!("ALTER DATABASE {name} SET default_transaction_isolation = 'repeatable read'"),
    );
    let set_by_a_definition = "SET default_transaction_isolation = 'repeatable read'";
    for opening in [
        vec![Command::text("BEGIN")],
        vec![Command::text(set_by_a_definition), begin(Postgres)],
    ] {
        let (mut zombie, mut contender) = (target.session().await, target.session().await);
        let fence = take(zombie.as_mut(), "zombie").await;
        zombie.run(&opening).await.unwrap();
        // Takes the snapshot, if the transaction has one for all of it.
        value(zombie.as_mut(), "SELECT count(*) FROM pg_class").await;
        zombie.release_session_lock().await.unwrap();
        take(contender.as_mut(), "contender").await;
        let failed = zombie
            .run(&[fence.assert(), commit(Postgres)])
            .await
            .unwrap_err();
        assert!(failed.error.is_fenced(), "{opening:?}: {failed:?}");
        contender.release_session_lock().await.unwrap();
    }
}

/// A restored copy of the file comes with the lock row of another time.
#[tokio::test]
async fn a_restored_file_refuses_the_run_of_before() {
    let target = Target::sqlite();
    let mut session = target.session().await;
    let first = take(session.as_mut(), "first").await;
    session.release_session_lock().await.unwrap();
    let second = take(session.as_mut(), "second").await;
    assert_eq!((first.epoch(), second.epoch()), (1, 2));
    texts(session.as_mut(), &["UPDATE whimbrel_lock SET epoch = 1"])
        .await
        .unwrap();
    for fence in [first, second] {
        let failed = session
            .run(&[begin(Sqlite), fence.assert()])
            .await
            .unwrap_err();
        assert!(failed.error.is_fenced());
        session.run(&[rollback(Sqlite)]).await.unwrap();
    }
}
