//! A store whose answers a test decides, and a clock that a test moves.

// Each test takes what it needs of this.
use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use secrecy::SecretSlice;
use tokio::sync::watch;
use whimbrel_core::environment::SecretReference;
use whimbrel_core::fault::{Fault, FaultClass, Retry};
use whimbrel_secrets::{Backend, Clock, Lease, LeaseId, Renewal, Resolver, Secret, Shape};
use whimbrel_signal::Scrubber;

/// What the wall says when a test's clock begins: no time that the machine's has ever shown.
const WALL: Duration = Duration::from_secs(1 << 33);

/// For how long a secret that ends is of use.
pub const ENDS_AFTER: Duration = Duration::from_secs(10);

pub fn reference(text: &str) -> SecretReference {
    text.parse().unwrap()
}

/// A clock that stands still until it is moved. While it is moved by itself, it jumps to whatever is waited for.
pub struct ManualClock {
    begun: Instant,
    passed: watch::Sender<Duration>,
}

impl Default for ManualClock {
    fn default() -> Self {
        Self {
            begun: Instant::now(),
            passed: watch::Sender::new(Duration::ZERO),
        }
    }
}

impl ManualClock {
    /// Moves it on in small steps, so that what is due happens in its order.
    pub async fn advance(&self, time: Duration) {
        let end = *self.passed.borrow() + time;
        settle().await;
        while *self.passed.borrow() < end {
            let left = end - *self.passed.borrow();
            let step = left.min(Duration::from_millis(500));
            self.passed.send_modify(|passed| *passed += step);
            settle().await;
        }
    }
}

/// Lets every task do what it can.
pub async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}

#[async_trait]
impl Clock for ManualClock {
    fn now(&self) -> Instant {
        self.begun + *self.passed.borrow()
    }

    fn wall(&self) -> SystemTime {
        UNIX_EPOCH + WALL + *self.passed.borrow()
    }

    async fn sleep(&self, time: Duration) {
        let until = *self.passed.borrow() + time;
        let mut passed = self.passed.subscribe();
        // The sender lives as long as the clock.
        let _ = passed.wait_for(|passed| *passed >= until).await;
    }
}

/// What the store was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    Read(String),
    Shape(String),
    Renew(String),
    Revoke(String),
    Close,
}

/// When secrets that end do: ten seconds after the test's clock began, in milliseconds since the Unix epoch.
fn soon() -> u64 {
    (WALL + ENDS_AFTER).as_millis().try_into().unwrap()
}

/// A store. What isn't said otherwise: `kv…` is a secret with a version, which ends in ten seconds if its path does, `plain…` one without, `creds…` is lent for
/// 30 s to a new user each time, anything else isn't there.
#[derive(Default)]
pub struct Store {
    pub asked: Mutex<Vec<Asked>>,
    /// Faults that the next reads, renewals or revocations answer with, before anything else.
    pub faults: Mutex<VecDeque<Fault>>,
    /// What the next renewals give.
    pub renewals: Mutex<VecDeque<Renewal>>,
    /// Reads wait until it is true.
    pub gate: Mutex<Option<watch::Receiver<bool>>>,
    /// Revocations are confirmed once it is true.
    pub ending: Mutex<Option<watch::Receiver<bool>>>,
    /// Whether leases can be renewed.
    pub fixed: bool,
}

impl Store {
    pub fn count(&self, asked: impl Fn(&Asked) -> bool) -> usize {
        self.asked
            .lock()
            .unwrap()
            .iter()
            .filter(|one| asked(one))
            .count()
    }

    pub fn reads(&self) -> usize {
        self.count(|asked| matches!(asked, Asked::Read(_)))
    }

    pub fn renewed(&self) -> usize {
        self.count(|asked| matches!(asked, Asked::Renew(_)))
    }

    pub fn revoked(&self) -> Vec<String> {
        let asked = self.asked.lock().unwrap();
        asked
            .iter()
            .filter_map(|one| match one {
                Asked::Revoke(lease) => Some(lease.clone()),
                _ => None,
            })
            .collect()
    }

    pub fn fail(&self, faults: impl IntoIterator<Item = Fault>) {
        self.faults.lock().unwrap().extend(faults);
    }

    fn note(&self, asked: Asked) -> Result<usize, Fault> {
        let mut all = self.asked.lock().unwrap();
        all.push(asked);
        match self.faults.lock().unwrap().pop_front() {
            Some(fault) => Err(fault),
            None => Ok(all.len()),
        }
    }
}

pub const LENT_FOR: Duration = Duration::from_secs(30);

pub fn lease(id: &str, renewable: bool, time_to_live: Duration) -> Lease {
    Lease {
        id: LeaseId(id.to_owned()),
        renewable,
        time_to_live,
    }
}

pub fn unavailable(retry: Retry) -> Fault {
    let mut fault = Fault::new(FaultClass::Unavailable, "store.sealed", "it is sealed");
    fault.retry = retry;
    fault
}

pub fn conflict(retry: Retry) -> Fault {
    let mut fault = Fault::new(FaultClass::Conflict, "store.changed", "somebody was faster");
    fault.retry = retry;
    fault
}

#[async_trait]
impl Backend for Store {
    fn describe(&self) -> String {
        "a store".to_owned()
    }

    async fn read(&self, reference: &SecretReference) -> Result<Secret, Fault> {
        let number = self.note(Asked::Read(reference.path.clone()))?;
        let gate = self.gate.lock().unwrap().clone();
        if let Some(mut gate) = gate {
            let _ = gate.wait_for(|open| *open).await;
        }
        let path = reference.path.as_str();
        let value = format!("value-{number}-of-{path}").into_bytes();
        if path.starts_with("kv") {
            let secret = Secret::of_value(value).with_version(number.to_string());
            return Ok(if path.ends_with("ends") {
                secret.with_expires(soon())
            } else {
                secret
            });
        }
        if path.starts_with("plain") {
            return Ok(Secret::of_value(value));
        }
        if path.starts_with("creds") {
            let field = |name: &str| {
                let text = format!("{name}-{number}");
                (name.to_owned(), SecretSlice::from(text.into_bytes()))
            };
            let fields = BTreeMap::from([field("username"), field("password")]);
            let id = format!("{path}/{number}");
            let lent = Secret::new(fields).with_lease(lease(&id, !self.fixed, LENT_FOR));
            return Ok(if path.ends_with("versioned") {
                lent.with_version(number.to_string())
            } else {
                lent
            });
        }
        if path == "many-fields" {
            let field = |number: usize| (number.to_string(), SecretSlice::from(vec![b'x']));
            return Ok(Secret::new((0..300).map(field).collect()));
        }
        Err(Fault::new(
            FaultClass::NotFound,
            "store.not-found",
            "it isn't there",
        ))
    }

    async fn shape(&self, reference: &SecretReference) -> Result<Shape, Fault> {
        self.note(Asked::Shape(reference.path.clone()))?;
        Ok(Shape {
            fields: vec!["username".to_owned(), "password".to_owned()],
            time_to_live: Some(LENT_FOR),
            ..Shape::default()
        })
    }

    async fn renew(&self, lease: &LeaseId, want: Duration) -> Result<Renewal, Fault> {
        self.note(Asked::Renew(lease.0.clone()))?;
        let next = self.renewals.lock().unwrap().pop_front();
        Ok(next.unwrap_or_else(|| Renewal::Renewed(self::lease(&lease.0, true, want))))
    }

    async fn revoke(&self, lease: &LeaseId) -> Result<(), Fault> {
        self.note(Asked::Revoke(lease.0.clone()))?;
        let gate = self.ending.lock().unwrap().clone();
        if let Some(mut gate) = gate {
            let _ = gate.wait_for(|open| *open).await;
        }
        Ok(())
    }

    async fn close(&self) -> Result<(), Fault> {
        self.note(Asked::Close).map(drop)
    }
}

/// A store, the clock of its resolver, and the resolver, which calls it `store`.
pub fn store(store: Store) -> (Arc<Store>, Arc<ManualClock>, Resolver) {
    let store = Arc::new(store);
    let clock = Arc::new(ManualClock::default());
    let resolver = Resolver::new(Path::new("/"), Scrubber::default())
        .with_clock(clock.clone())
        .with_backend("store", store.clone());
    (store, clock, resolver)
}
