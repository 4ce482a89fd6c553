//! What says: this run is alive, however long its statements take. One small connection for each server and run.
//!
//! A session of PostgreSQL belongs to one database and can't write to another, so the counter stands where all databases
//! of a server see it: in the name of the heartbeat's own session in `pg_stat_activity`, `whimbrel heartbeat RUN COUNTER`,
//! which every user may read. A run beats for a session, not for a server: it holds a shared advisory lock with the
//! process number of each session that it still works with, and `pg_locks` shows those for all databases, too. So a
//! session that the run has lost is silent even while the run goes on elsewhere.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::task::JoinHandle;
use uuid::Uuid;
use whimbrel_core::statement::Dialect;

use crate::endpoint::Endpoint;
use crate::lock::Fence;
use crate::session::{Backend, Command, Session, SessionSettings, connect};

/// The first key of the advisory locks that say for which sessions a run beats: "whbt" in ASCII.
pub(crate) const CLAIM: i32 = 0x7768_6274;

/// The heartbeats of a process: one connection for each server and run, whatever the number of databases.
#[derive(Clone, Debug, Default)]
pub struct Heartbeats {
    beating: Arc<Mutex<BTreeMap<ServerAndRun, Weak<Beating>>>>,
}

/// What one connection is for.
type ServerAndRun = (String, Uuid);

/// Beats for one session until it is dropped. SQLite needs none.
#[derive(Debug)]
pub struct Heartbeat {
    joined: Option<(Arc<Beating>, i32)>,
}

/// One connection, and the sessions that it beats for.
#[derive(Debug)]
struct Beating {
    task: JoinHandle<()>,
    sessions: Arc<Sessions>,
}

/// Process numbers of the run's sessions on a server, each with how to get there.
type Sessions = Mutex<BTreeMap<i32, Endpoint>>;

impl Heartbeat {
    /// How often it beats. A contender takes 15 s of silence for death, so several beats may be lost.
    pub const INTERVAL: Duration = Duration::from_secs(2);
}

impl Heartbeats {
    /// Beats for a session of the run that holds the fence. Must be called inside a runtime.
    ///
    /// The takeover itself was the first beat, so a run that is short never opens this connection.
    #[must_use]
    pub fn join(
        &self,
        endpoint: &Endpoint,
        backend: Option<&Backend>,
        fence: &Fence,
        interval: Duration,
    ) -> Heartbeat {
        let (Dialect::Postgres, Some(backend)) = (endpoint.dialect(), backend) else {
            return Heartbeat { joined: None };
        };
        let key = (endpoint.server_key(), fence.run());
        let mut all = self.beating.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, beating| beating.strong_count() > 0);
        let beating = all.get(&key).and_then(Weak::upgrade).unwrap_or_else(|| {
            let sessions = Arc::new(Sessions::default());
            let task = tokio::spawn(go_on(fence.run(), Arc::clone(&sessions), interval));
            let beating = Arc::new(Beating { task, sessions });
            all.insert(key, Arc::downgrade(&beating));
            beating
        });
        locked(&beating.sessions).insert(backend.pid, endpoint.clone());
        Heartbeat {
            joined: Some((beating, backend.pid)),
        }
    }
}

impl Drop for Heartbeat {
    fn drop(&mut self) {
        if let Some((beating, session)) = &self.joined {
            locked(&beating.sessions).remove(session);
        }
    }
}

impl Drop for Beating {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn locked(sessions: &Sessions) -> std::sync::MutexGuard<'_, BTreeMap<i32, Endpoint>> {
    sessions.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What the names of a run's heartbeats begin with; the counter follows. With it, 63 bytes: what PostgreSQL keeps.
fn name(run: Uuid) -> String {
    format!("whimbrel heartbeat {} ", run.simple())
}

/// An expression for what the names of the heartbeats of the run in a column begin with.
pub(crate) fn name_sql(run: &str) -> String {
    format!("'whimbrel heartbeat ' || pg_catalog.replace({run}, '-', '') || ' '")
}

/// Until nobody needs it any more. A lost connection is made anew.
async fn go_on(run: Uuid, sessions: Arc<Sessions>, interval: Duration) {
    let name = name(run);
    let mut open: Option<(Box<dyn Session>, BTreeSet<i32>)> = None;
    let mut counter = 0u64;
    loop {
        tokio::time::sleep(interval).await;
        let wanted = locked(&sessions).clone();
        counter += 1;
        let (mut session, claimed) = match open.take() {
            Some(open) => open,
            None => match reach(&wanted, &name, interval).await {
                Some(session) => (session, BTreeSet::new()),
                None => continue,
            },
        };
        let wanted: BTreeSet<i32> = wanted.into_keys().collect();
        let mut beat = format!("SET application_name = '{name}{counter}'");
        for session in wanted.difference(&claimed) {
            beat.push_str(&format!(
                "; SELECT pg_catalog.pg_try_advisory_lock_shared({CLAIM}, {session})"
            ));
        }
        for session in claimed.difference(&wanted) {
            beat.push_str(&format!(
                "; SELECT pg_catalog.pg_advisory_unlock_shared({CLAIM}, {session})"
            ));
        }
        // A beat that failed may have claimed or not, which only a new connection makes certain again.
        if session.run(&[Command::text(beat)]).await.is_ok() {
            open = Some((session, wanted));
        }
    }
}

/// A connection to the server, by whichever of the run's ways leads there.
async fn reach(
    wanted: &BTreeMap<i32, Endpoint>,
    name: &str,
    interval: Duration,
) -> Option<Box<dyn Session>> {
    let settings = SessionSettings {
        application_name: format!("{name}0"),
        // A beat that waits is no beat; the next one comes soon.
        statement_timeout: Some(interval),
        ..SessionSettings::default()
    };
    for endpoint in wanted.values() {
        if let Ok(session) = connect(endpoint, &settings).await {
            return Some(session);
        }
    }
    None
}
