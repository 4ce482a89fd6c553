//! A session of SQLite: one thread that owns the connection, asked over a channel.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;

use async_trait::async_trait;
use rusqlite::InterruptHandle;
use tokio::sync::oneshot;
use whimbrel_core::statement::Dialect;

use super::identity::Identity;
use super::{lock_file, worker};
use crate::endpoint::Endpoint;
use crate::session::{
    Backend, Canceller, Command, CommandError, DatabaseError, Done, ErrorKind, Session,
    SessionSettings,
};

pub(super) struct Job {
    pub(super) commands: Vec<Command>,
    pub(super) answer: oneshot::Sender<(Result<Vec<Done>, CommandError>, bool)>,
}

pub(super) struct SqliteSession {
    jobs: Option<mpsc::Sender<Job>>,
    interrupt: Arc<InterruptHandle>,
    path: PathBuf,
    /// The file that was there before it was opened, and after; none if there was none.
    file: Option<Identity>,
    lock: Option<File>,
    in_transaction: bool,
    round_trips: u64,
}

/// Opens a session.
pub(crate) async fn connect(
    endpoint: &Endpoint,
    settings: &SessionSettings,
) -> Result<Box<dyn Session>, DatabaseError> {
    let path = endpoint
        .sqlite_path()
        .map(Path::to_owned)
        .unwrap_or_default();
    let (jobs, inbox) = mpsc::channel();
    let (ready, opened) = oneshot::channel();
    let (file, settings) = (path.clone(), settings.clone());
    thread::Builder::new()
        .name("sqlite".to_owned())
        .spawn(move || {
            let before = Identity::of(&file);
            match worker::open(&file, &settings) {
                Ok(mut connection) => {
                    let identity = before.filter(|_| before == Identity::of(&file));
                    let opened = (connection.get_interrupt_handle(), identity);
                    if ready.send(Ok(opened)).is_ok() {
                        worker::serve(&mut connection, &settings, &inbox);
                    }
                }
                Err(error) => drop(ready.send(Err(error))),
            }
        })
        .map_err(|error| {
            DatabaseError::new(
                ErrorKind::Client,
                "",
                format!("no thread for SQLite: {error}"),
            )
        })?;
    let (interrupt, file) = opened.await.map_err(|_| gone())??;
    Ok(Box::new(SqliteSession {
        jobs: Some(jobs),
        interrupt: Arc::new(interrupt),
        path,
        file,
        lock: None,
        in_transaction: false,
        round_trips: 0,
    }))
}

fn gone() -> DatabaseError {
    DatabaseError::new(ErrorKind::Connection, "", "the session of SQLite ended")
}

#[async_trait]
impl Session for SqliteSession {
    fn dialect(&self) -> Dialect {
        Dialect::Sqlite
    }

    async fn run(&mut self, commands: &[Command]) -> Result<Vec<Done>, CommandError> {
        if commands.is_empty() {
            return Ok(Vec::new());
        }
        let (answer, answered) = oneshot::channel();
        let job = Job {
            commands: commands.to_vec(),
            answer,
        };
        let sent = self
            .jobs
            .as_ref()
            .is_some_and(|jobs| jobs.send(job).is_ok());
        let answer = if sent { answered.await.ok() } else { None };
        let Some((result, in_transaction)) = answer else {
            self.jobs = None;
            return Err(CommandError {
                index: 0,
                error: gone(),
            });
        };
        self.in_transaction = in_transaction;
        let ran = result
            .as_ref()
            .map_or_else(|error| error.index + 1, Vec::len);
        self.round_trips += u64::try_from(ran).unwrap_or_default();
        result
    }

    async fn backend(&mut self) -> Result<Option<Backend>, DatabaseError> {
        Ok(None)
    }

    fn canceller(&self) -> Option<Canceller> {
        Some(Canceller::Sqlite(Arc::clone(&self.interrupt)))
    }

    fn is_closed(&self) -> bool {
        self.jobs.is_none()
    }

    fn is_current(&self) -> bool {
        // Who closes a file with a write-ahead log last clears that away, unless somebody else has it open.
        let mut log = self.path.clone().into_os_string();
        log.push("-wal");
        self.file.is_some() && self.file == Identity::of(&self.path) && !Path::new(&log).exists()
    }

    fn in_transaction(&self) -> bool {
        self.in_transaction
    }

    fn round_trips(&self) -> u64 {
        self.round_trips
    }

    fn take_notices(&mut self) -> Vec<String> {
        Vec::new()
    }

    async fn try_session_lock(&mut self, note: &str) -> Result<bool, DatabaseError> {
        if self.lock.is_none() {
            self.lock = lock_file::try_lock(&self.path, note)?;
        }
        Ok(self.lock.is_some())
    }

    async fn release_session_lock(&mut self) -> Result<(), DatabaseError> {
        if let Some(file) = self.lock.take() {
            lock_file::release(&file);
        }
        Ok(())
    }

    async fn session_lock_note(&mut self) -> Result<Option<String>, DatabaseError> {
        Ok(lock_file::note(&self.path))
    }
}
