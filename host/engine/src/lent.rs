//! What was lent to a connection, as a run asks about it.

use async_trait::async_trait;
use whimbrel_database::history::LeaseRecord;
use whimbrel_run::{Credentials, Standing};
use whimbrel_secrets::{LeaseState, RecordedLease};

/// The leases of one connection.
pub(crate) struct Lent(pub(crate) whimbrel_secrets::Lent);

#[async_trait]
impl Credentials for Lent {
    fn standing(&self) -> Standing {
        standing(self.0.state())
    }

    async fn ask(&self) -> Standing {
        standing(self.0.ask().await)
    }

    fn leases(&self) -> Vec<LeaseRecord> {
        self.0.records().into_iter().map(recorded).collect()
    }

    async fn end(&self) {
        for left in self.0.end().await {
            tracing::warn!(
                backend = %left.record.backend,
                "a lease couldn't be ended, and the next run will: {}",
                left.fault
            );
        }
    }
}

const fn standing(state: LeaseState) -> Standing {
    match state {
        LeaseState::Held => Standing::Lasting,
        LeaseState::EndsAt(_) => Standing::Ending,
        LeaseState::Gone => Standing::Gone,
    }
}

fn recorded(lease: RecordedLease) -> LeaseRecord {
    LeaseRecord {
        backend: lease.backend,
        id: lease.lease,
    }
}

/// Ends leases that another run left; gives back those that are over now.
pub(crate) async fn end_left(
    resolver: &whimbrel_secrets::Resolver,
    left: Vec<LeaseRecord>,
) -> Vec<LeaseRecord> {
    let records: Vec<_> = left
        .into_iter()
        .map(|lease| RecordedLease {
            backend: lease.backend,
            lease: lease.id,
        })
        .collect();
    let failed = resolver.revoke_left(&records).await;
    for left in &failed {
        tracing::warn!(
            backend = %left.record.backend,
            "a lease that another run left couldn't be ended: {}",
            left.fault
        );
    }
    let over = |record: &RecordedLease| failed.iter().all(|left| left.record != *record);
    records.into_iter().filter(over).map(recorded).collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;
    use std::time::{Duration, Instant};

    use async_trait::async_trait;
    use whimbrel_core::environment::SecretReference;
    use whimbrel_core::fault::Fault;
    use whimbrel_database::history::LeaseRecord;
    use whimbrel_run::{Credentials as _, Standing};
    use whimbrel_secrets::{Backend, Lease, LeaseId, LeaseState, Renewal, Resolver, Secret, Shape};
    use whimbrel_signal::Scrubber;

    use super::{Lent, end_left, standing};

    struct Lender;

    #[async_trait]
    impl Backend for Lender {
        fn describe(&self) -> String {
            "a lender".to_owned()
        }

        async fn read(&self, _: &SecretReference) -> Result<Secret, Fault> {
            let lease = Lease {
                id: LeaseId("creds/1".to_owned()),
                renewable: true,
                time_to_live: Duration::from_secs(60),
            };
            Ok(Secret::of_value(b"ada-4711".to_vec()).with_lease(lease))
        }

        async fn shape(&self, reference: &SecretReference) -> Result<Shape, Fault> {
            Ok(Shape::of(&self.read(reference).await?))
        }

        async fn renew(&self, _: &LeaseId, _: Duration) -> Result<Renewal, Fault> {
            Ok(Renewal::Gone)
        }
    }

    #[tokio::test]
    async fn a_run_sees_the_leases_of_its_connection() {
        let resolver = Resolver::new(Path::new("/"), Scrubber::default())
            .with_backend("lender", Arc::new(Lender));
        let readings = resolver.begin();
        let reference: SecretReference = "secret://lender/creds".parse().unwrap();
        assert!(readings.resolve(&reference).await.is_ok());
        let lent = Lent(readings.lent());
        let own = LeaseRecord {
            backend: "lender".to_owned(),
            id: "creds/1".to_owned(),
        };
        assert_eq!(lent.leases(), std::slice::from_ref(&own));
        assert_eq!(lent.standing(), Standing::Lasting);
        let left = |id: &str, backend: &str| LeaseRecord {
            backend: backend.to_owned(),
            id: id.to_owned(),
        };
        let other = left("creds/0", "lender");
        let all = vec![own, other.clone(), left("x", "former")];
        // What somebody uses, and what nobody can end, stays recorded.
        assert_eq!(end_left(&resolver, all).await, [other]);
        assert_eq!(lent.ask().await, Standing::Gone);
        lent.end().await;
        assert!(resolver.leases().is_empty());
        assert_eq!(
            standing(LeaseState::EndsAt(Instant::now())),
            Standing::Ending
        );
    }
}
