//! Lends PostgreSQL users for a while, as a database secrets engine does: each connection gets a user of its own that can
//! log in, is a member of a role that stays, and is dropped when its lease ends.

use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use whimbrel_core::name::TargetName;
use whimbrel_database::history::LeaseRecord;
use whimbrel_database::{SessionSettings, connect};
use whimbrel_postgres_server::PostgresServer;
use whimbrel_run::{ConnectError, Connection, Credentials, Standing};

use super::Stage;

/// The role that owns everything.
pub const OWNER: &str = "lending_owner";

static NUMBER: AtomicU32 = AtomicU32::new(1);

/// Lends users.
pub struct Lender {
    /// After how long a lease is known to end.
    pub lasts: Duration,
    /// Whether sessions act as the role that stays.
    pub with_role: bool,
    /// Leases that were ended by the run, by name.
    pub ended: Mutex<Vec<String>>,
    /// Leases that were ended because a run of before had left them.
    pub ended_later: Mutex<Vec<String>>,
    /// Connections lent so far.
    pub lent: AtomicUsize,
    /// Whether ending leases fails, as when the process dies first.
    pub forgetful: bool,
}

impl Lender {
    /// A lender whose leases last so long.
    pub fn new(stage: &Stage, lasts: Duration) -> Self {
        let database = stage.endpoint().database();
        PostgresServer::shared().psql(
            &database,
            &format!(
                "DO $$ BEGIN CREATE ROLE {OWNER}; EXCEPTION WHEN duplicate_object THEN NULL; \
                 WHEN unique_violation THEN NULL; END $$; \
                 GRANT CREATE ON DATABASE \"{database}\" TO {OWNER}; GRANT ALL ON SCHEMA public TO {OWNER};"
            ),
        );
        Self {
            lasts,
            with_role: true,
            ended: Mutex::default(),
            ended_later: Mutex::default(),
            lent: AtomicUsize::new(0),
            forgetful: false,
        }
    }

    pub async fn connect(
        self: &Arc<Self>,
        stage: &Stage,
        _: &TargetName,
    ) -> Result<Connection, ConnectError> {
        let user = format!(
            "lent_{}_{}",
            std::process::id(),
            NUMBER.fetch_add(1, Ordering::Relaxed)
        );
        let database = stage.endpoint().database();
        PostgresServer::shared().psql(
            &database,
            &format!("CREATE ROLE {user} LOGIN IN ROLE {OWNER}"),
        );
        self.lent.fetch_add(1, Ordering::Relaxed);
        let mut endpoint = stage.endpoint().clone().with_username(user.clone().into());
        if self.with_role {
            endpoint = endpoint.with_role(OWNER);
        }
        let session = connect(&endpoint, &SessionSettings::default()).await?;
        Ok(Connection {
            endpoint,
            session,
            credentials: Arc::new(Lent {
                user,
                database,
                since: Instant::now(),
                lender: Arc::clone(self),
            }),
        })
    }

    pub async fn end_leases(&self, left: Vec<LeaseRecord>) -> Vec<LeaseRecord> {
        for lease in &left {
            PostgresServer::shared().psql("postgres", &format!("DROP ROLE IF EXISTS {}", lease.id));
            self.ended_later.lock().unwrap().push(lease.id.clone());
        }
        left
    }
}

/// One user, lent.
struct Lent {
    user: String,
    database: String,
    since: Instant,
    lender: Arc<Lender>,
}

#[async_trait]
impl Credentials for Lent {
    fn standing(&self) -> Standing {
        if self.since.elapsed() < self.lender.lasts {
            Standing::Lasting
        } else {
            Standing::Ending
        }
    }

    async fn ask(&self) -> Standing {
        let sql = format!(
            "SELECT count(*) FROM pg_roles WHERE rolname = '{}'",
            self.user
        );
        if PostgresServer::shared().psql(&self.database, &sql).trim() == "0" {
            Standing::Gone
        } else {
            self.standing()
        }
    }

    fn leases(&self) -> Vec<LeaseRecord> {
        vec![LeaseRecord {
            backend: "lender".to_owned(),
            id: self.user.clone(),
        }]
    }

    async fn end(&self) {
        if !self.lender.forgetful {
            let sql = format!("DROP ROLE IF EXISTS {}", self.user);
            PostgresServer::shared().psql(&self.database, &sql);
            self.lender.ended.lock().unwrap().push(self.user.clone());
        }
    }
}
