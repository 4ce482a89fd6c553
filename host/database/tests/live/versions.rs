//! Tables of an earlier version: read as they are, and led to the latest one under the lock.

use whimbrel_core::statement::Dialect;
use whimbrel_database::Command;
use whimbrel_database::history::{LeaseRecord, lease_insert, lease_remove, read, read_locked};

use super::{BOTH, Target, holder, impatient, take};

#[tokio::test]
async fn tables_without_leases_are_read_and_then_get_them() {
    for dialect in BOTH {
        let target = Target::new(dialect, "versions");
        let mut session = target.session().await;
        take(session.as_mut(), "first").await;
        let (prefix, drop) = match dialect {
            Dialect::Postgres => ("whimbrel.", "DROP TABLE whimbrel.lease"),
            Dialect::Sqlite => ("whimbrel_", "DROP TABLE whimbrel_lease"),
        };
        let earlier = [
            Command::text(drop),
            Command::text(format!("UPDATE {prefix}owner SET version = 1")),
        ];
        session.run(&earlier).await.unwrap();
        session.release_session_lock().await.unwrap();

        // Whoever only looks needs no leases, and changes nothing.
        let seen = read(session.as_mut()).await.unwrap();
        assert!(seen.records.is_empty());

        whimbrel_database::lock::take(session.as_mut(), &holder("second"), &impatient(), |_| {})
            .await
            .unwrap();
        let lease = LeaseRecord {
            backend: "vault".to_owned(),
            id: "database/creds/shop/1".to_owned(),
        };
        // Recorded once, however often it is said.
        let insert = lease_insert(dialect, &lease, "run-2");
        session.run(&[insert.clone(), insert]).await.unwrap();
        let locked = read_locked(session.as_mut()).await.unwrap();
        assert_eq!(locked.leases, std::slice::from_ref(&lease));
        let remove = lease_remove(dialect, &lease);
        session.run(&[remove.clone(), remove]).await.unwrap();
        let locked = read_locked(session.as_mut()).await.unwrap();
        assert!(locked.leases.is_empty());
    }
}
