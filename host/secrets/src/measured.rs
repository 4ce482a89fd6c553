//! A backend whose answers are counted, and whose leases are known to end.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use whimbrel_core::environment::SecretReference;
use whimbrel_core::fault::{Fault, FaultClass};
use whimbrel_signal::metric::{Gauge, Meter, Name, SecretOperation, SecretResult};

use crate::backend::{Backend, LeaseId, Renewal, Secret, Shape};

/// Counts every try of every question; a try that is given up doesn't answer, and isn't counted.
pub(crate) struct Measured {
    name: String,
    meter: Meter,
    backend: Arc<dyn Backend>,
    leases: Mutex<Leases>,
}

#[derive(Default)]
struct Leases {
    /// When each ends, in seconds since the Unix epoch.
    ends: BTreeMap<LeaseId, f64>,
    first: Option<Gauge>,
}

impl Measured {
    pub(crate) fn new(name: &str, meter: Meter, backend: Arc<dyn Backend>) -> Self {
        Self {
            name: name.to_owned(),
            meter,
            backend,
            leases: Mutex::default(),
        }
    }

    fn count<T>(&self, operation: SecretOperation, answer: &Result<T, Fault>) {
        let result = match answer {
            Ok(_) => SecretResult::Ok,
            Err(fault) => match fault.class {
                FaultClass::NotFound => SecretResult::NotFound,
                FaultClass::Denied => SecretResult::Denied,
                FaultClass::Unavailable => SecretResult::Unavailable,
                _ => SecretResult::Failed,
            },
        };
        self.meter.secret(&self.name, operation, result);
    }

    fn lent(&self, lease: &LeaseId, time: Duration) {
        let end = SystemTime::now()
            .checked_add(time)
            .and_then(|end| end.duration_since(UNIX_EPOCH).ok());
        let end = end.unwrap_or(Duration::MAX).as_secs_f64();
        self.change(|ends| {
            ends.insert(lease.clone(), end);
        });
    }

    fn over(&self, lease: &LeaseId) {
        self.change(|ends| {
            ends.remove(lease);
        });
    }

    /// Changes what is held, and shows which ends first.
    fn change(&self, change: impl FnOnce(&mut BTreeMap<LeaseId, f64>)) {
        let mut leases = self.leases.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut leases.ends);
        let first = leases.ends.values().copied().reduce(f64::min);
        match first {
            None => leases.first = None,
            Some(end) => leases
                .first
                .get_or_insert_with(|| {
                    self.meter
                        .gauge(Name::SecretLeaseExpiry, &[self.name.as_str()])
                })
                .set(end),
        }
    }
}

#[async_trait]
impl Backend for Measured {
    fn describe(&self) -> String {
        self.backend.describe()
    }

    async fn read(&self, reference: &SecretReference) -> Result<Secret, Fault> {
        let answer = self.backend.read(reference).await;
        self.count(SecretOperation::Read, &answer);
        if let Ok(secret) = &answer
            && let Some(lease) = &secret.lease
        {
            self.lent(&lease.id, lease.time_to_live);
        }
        answer
    }

    async fn shape(&self, reference: &SecretReference) -> Result<Shape, Fault> {
        let answer = self.backend.shape(reference).await;
        self.count(SecretOperation::Shape, &answer);
        answer
    }

    async fn renew(&self, lease: &LeaseId, want: Duration) -> Result<Renewal, Fault> {
        let answer = self.backend.renew(lease, want).await;
        self.count(SecretOperation::Renew, &answer);
        match &answer {
            Ok(Renewal::Renewed(now) | Renewal::Truncated(now)) => {
                // Under the name that it is held by, whatever the backend calls it now.
                self.lent(lease, now.time_to_live);
            }
            Ok(Renewal::Gone) => self.over(lease),
            Err(_) => {}
        }
        answer
    }

    async fn revoke(&self, lease: &LeaseId) -> Result<(), Fault> {
        let answer = self.backend.revoke(lease).await;
        self.count(SecretOperation::Revoke, &answer);
        answer
    }

    fn forget(&self, lease: &LeaseId) {
        self.over(lease);
        self.backend.forget(lease);
    }

    async fn close(&self) -> Result<(), Fault> {
        self.backend.close().await
    }
}
