//! A session of PostgreSQL: sends each transaction as one flight and looks at every answer.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures::future::join_all;
use tokio_postgres::error::DbError;
use tokio_postgres::tls::TlsStream;
use tokio_postgres::{CancelToken, Client, Connection, Socket};
use tokio_postgres_rustls::MakeRustlsConnect;
use whimbrel_core::statement::Dialect;
use whimbrel_core::value::{RowSet, Value};

use super::driver::Driver;
use super::error;
use super::prepared::{Prepared, forgotten, may_deallocate};
use super::send::{simple, typed};
use crate::session::{
    Backend, Canceller, Command, CommandError, Control, DatabaseError, Done, ErrorKind, FORGOTTEN,
    NOT_COMMITTED, Protocol, Session, flight,
};

/// The key of the advisory lock, which PostgreSQL keeps per database: "whimbrel" in ASCII.
pub(crate) const LOCK_KEY: i64 = 0x7768_696d_6272_656c;

/// What is true of the row `l` of `pg_locks` that is the session lock of its database, held by somebody: the halves of
/// [`LOCK_KEY`].
pub(crate) const SESSION_LOCK: &str =
    "l.locktype = 'advisory' AND l.granted AND l.classid = 2003331437 AND l.objid = 1651664236";

/// Notices kept until somebody takes them.
const MAXIMUM_NOTICES: usize = 100;

#[derive(Debug, Default)]
struct Notices {
    texts: Vec<String>,
    /// The server said that a COMMIT found no transaction.
    no_transaction: bool,
}

pub(super) struct PostgresSession {
    client: Client,
    tls: MakeRustlsConnect,
    backend: Option<Backend>,
    driver: Driver,
    notices: Arc<Mutex<Notices>>,
    prepared: Prepared,
    has_tables: bool,
    /// Whether a transaction's BEGIN is on its way, during which nothing may be cancelled.
    opening: Arc<AtomicBool>,
    in_transaction: bool,
    aborted: bool,
    lost: bool,
    round_trips: u64,
}

impl PostgresSession {
    pub(super) fn start<T>(
        client: Client,
        connection: Connection<Socket, T>,
        tls: MakeRustlsConnect,
    ) -> Self
    where
        T: TlsStream + Unpin + Send + 'static,
    {
        let notices = Arc::new(Mutex::new(Notices::default()));
        let kept = Arc::clone(&notices);
        let on_notice = move |notice: &DbError| {
            let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
            kept.no_transaction |= notice.code().code() == "25P01";
            if kept.texts.len() < MAXIMUM_NOTICES {
                let text = format!("{}: {}", notice.severity(), notice.message());
                kept.texts.push(text);
            }
        };
        let driver = Driver::start(connection, Box::new(on_notice));
        Self {
            client,
            tls,
            backend: None,
            driver,
            notices,
            prepared: Prepared::default(),
            has_tables: false,
            opening: Arc::default(),
            in_transaction: false,
            aborted: false,
            lost: false,
            round_trips: 0,
        }
    }

    /// As the user that logged in: a role may not see the start of that user's processes. From the function below the
    /// view `pg_stat_activity`, whose joins cost a new connection a millisecond.
    async fn ask_backend(&mut self) -> Result<Option<Backend>, DatabaseError> {
        let commands = [
            Command::text("BEGIN READ ONLY"),
            Command::text("SET LOCAL ROLE NONE"),
            Command::with(
                "SELECT pid, extract(epoch FROM backend_start)::text \
                 FROM pg_catalog.pg_stat_get_activity(pg_catalog.pg_backend_pid())",
                Vec::new(),
            ),
            Command::text("COMMIT"),
        ];
        let done = self.run(&commands).await?;
        let row = done.get(2).and_then(|done| done.rows.rows.first());
        Ok(match row.map(Vec::as_slice) {
            Some([Value::Integer(pid), Value::Text(start)]) => {
                i32::try_from(*pid).ok().map(|pid| Backend {
                    pid,
                    start: start.clone(),
                })
            }
            _ => None,
        })
    }

    /// Prepares what recurs in a transaction that is about to begin.
    async fn prepare(&mut self, commands: &[Command]) {
        if may_deallocate(commands) {
            self.prepared.forget();
        } else if !self.in_transaction {
            let preparing = self.prepared.ready(&self.client, commands);
            let waited = self.driver.during(preparing).await;
            self.round_trips += u64::from(waited);
        }
    }

    /// Sends commands at once and waits for all answers, in order.
    async fn fly(&mut self, commands: &[Command]) -> Vec<Result<Done, DatabaseError>> {
        self.round_trips += 1;
        self.notices
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .no_transaction = false;
        let opens = commands
            .first()
            .is_some_and(|command| Control::of(command) == Control::Begin);
        self.opening.store(opens, Ordering::SeqCst);
        let (opening, client, prepared) = (&self.opening, &self.client, &self.prepared);
        // Each future sends when it is first polled, and join_all polls them in order before any can finish.
        let sent = commands
            .iter()
            .enumerate()
            .map(|(index, command)| async move {
                let kept = prepared.of(command);
                let result = match command.protocol() {
                    Protocol::Text => simple(client, command.sql()).await,
                    Protocol::Typed => typed(client, command, kept).await,
                };
                if index == 0 {
                    opening.store(false, Ordering::SeqCst);
                }
                let result = result.map_err(|error| error::of(&error));
                if kept.is_some() {
                    result.map_err(forgotten)
                } else {
                    result
                }
            });
        self.driver.during(join_all(sent)).await
    }

    /// Follows the transaction, and turns a COMMIT that committed nothing into an error.
    fn follow(
        &mut self,
        command: &Command,
        result: Result<Done, DatabaseError>,
    ) -> Result<Done, DatabaseError> {
        let control = Control::of(command);
        let was_aborted = self.aborted;
        if result.as_ref().is_err_and(|error| error.code == FORGOTTEN) {
            self.prepared.forget();
        }
        self.lost |= result
            .as_ref()
            .is_err_and(DatabaseError::is_connection_lost);
        match (control, result.is_ok()) {
            (Control::Begin, true) => self.in_transaction = true,
            (Control::Commit, _) | (Control::Rollback, true) => {
                self.in_transaction = false;
                self.aborted = false;
            }
            (Control::RollbackTo, true) => self.aborted = false,
            (_, false) => self.aborted = self.in_transaction,
            _ => {}
        }
        if control == Control::Commit && result.is_ok() {
            let notices = self.notices.lock().unwrap_or_else(PoisonError::into_inner);
            if was_aborted || notices.no_transaction {
                return Err(DatabaseError::new(
                    ErrorKind::Database,
                    NOT_COMMITTED,
                    "the server answered COMMIT with ROLLBACK: nothing was committed",
                ));
            }
        }
        result
    }

    async fn ask(&mut self, sql: &str) -> Result<RowSet, DatabaseError> {
        let done = self.run(&[Command::with(sql, Vec::new())]).await?;
        Ok(done
            .into_iter()
            .next()
            .map(|done| done.rows)
            .unwrap_or_default())
    }
}

impl Drop for PostgresSession {
    /// The task ends by itself when the client is gone and everything is sent; only a hung one needs the axe.
    fn drop(&mut self) {
        if self.in_transaction {
            self.driver.abort();
        }
    }
}

#[async_trait]
impl Session for PostgresSession {
    fn dialect(&self) -> Dialect {
        Dialect::Postgres
    }

    async fn run(&mut self, commands: &[Command]) -> Result<Vec<Done>, CommandError> {
        let mut all = Vec::with_capacity(commands.len());
        let mut rest = commands;
        while !rest.is_empty() {
            let (now, later) =
                rest.split_at(flight(rest, self.in_transaction).max(1).min(rest.len()));
            self.prepare(now).await;
            let results = self.fly(now).await;
            let mut failed = None;
            for (command, result) in now.iter().zip(results) {
                match self.follow(command, result) {
                    Ok(done) if failed.is_none() => all.push(done),
                    Err(error) if failed.is_none() => {
                        failed = Some(CommandError {
                            index: all.len(),
                            error,
                        });
                    }
                    _ => {}
                }
            }
            if let Some(error) = failed {
                return Err(error);
            }
            rest = later;
        }
        Ok(all)
    }

    async fn backend(&mut self) -> Result<Option<Backend>, DatabaseError> {
        if self.backend.is_none() {
            self.backend = self.ask_backend().await?;
        }
        Ok(self.backend.clone())
    }

    fn canceller(&self) -> Option<Canceller> {
        Some(Canceller::Postgres(PostgresCanceller {
            token: self.client.cancel_token(),
            tls: self.tls.clone(),
            opening: Arc::clone(&self.opening),
        }))
    }

    fn is_closed(&self) -> bool {
        self.lost || self.client.is_closed()
    }

    fn has_tables(&self) -> bool {
        self.has_tables
    }

    fn found_tables(&mut self) {
        self.has_tables = true;
    }

    fn in_transaction(&self) -> bool {
        self.in_transaction
    }

    fn round_trips(&self) -> u64 {
        self.round_trips
    }

    fn take_notices(&mut self) -> Vec<String> {
        std::mem::take(
            &mut self
                .notices
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .texts,
        )
    }

    async fn try_session_lock(&mut self, _note: &str) -> Result<bool, DatabaseError> {
        let rows = self
            .ask(&format!(
                "SELECT pg_catalog.pg_try_advisory_lock({LOCK_KEY})"
            ))
            .await?;
        Ok(rows.single() == Some(&Value::Boolean(true)))
    }

    async fn release_session_lock(&mut self) -> Result<(), DatabaseError> {
        self.ask(&format!("SELECT pg_catalog.pg_advisory_unlock({LOCK_KEY})"))
            .await?;
        Ok(())
    }

    async fn session_lock_note(&mut self) -> Result<Option<String>, DatabaseError> {
        let rows = self
            .ask(&format!(
                "SELECT 'server process ' || l.pid || coalesce(' (' || a.application_name || ' of ' || a.usename || ')', '') \
                 FROM pg_catalog.pg_locks l LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid \
                 WHERE {SESSION_LOCK} \
                 AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())"
            ))
            .await?;
        Ok(rows.single().map(Value::display))
    }
}

/// Cancels over a connection of its own.
#[derive(Clone)]
pub struct PostgresCanceller {
    token: CancelToken,
    tls: MakeRustlsConnect,
    opening: Arc<AtomicBool>,
}

impl PostgresCanceller {
    /// A BEGIN must not be hit: the commands after it are on their way, and would run outside of a transaction.
    pub(crate) async fn cancel(&self) -> Result<(), DatabaseError> {
        while self.opening.load(Ordering::SeqCst) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let result = self.token.cancel_query(self.tls.clone()).await;
        result.map_err(|error| error::of_connecting(&error))
    }
}
