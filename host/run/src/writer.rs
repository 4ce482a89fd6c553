//! The right to write to one target: its only connection together with its fence.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Mutex;
use whimbrel_core::statement::Dialect;
use whimbrel_database::session::{Reading, begin, commit, rollback};
use whimbrel_database::{Command, CommandError, DatabaseError, Done, Fence, Session};

use crate::crash_point::{die, is_armed, is_due, point, reach};
use crate::credentials::{Credentials, Standing};
use crate::sabotage::without;
use crate::stop::Stop;

/// One connection that holds its target's lock, and the fence of that lock. Clones share the connection.
#[derive(Clone)]
pub(crate) struct Writer {
    session: Arc<Mutex<Box<dyn Session>>>,
    fence: Fence,
    dialect: Dialect,
    stop: Stop,
    credentials: Arc<dyn Credentials>,
    /// Transactions that were committed over this connection.
    commits: Arc<AtomicU64>,
}

/// A command of a transaction, with the crash point that it stands for and the operation that it belongs to.
pub(crate) struct Part {
    pub(crate) command: Command,
    pub(crate) point: &'static str,
    pub(crate) operation: Option<u32>,
}

impl Part {
    /// One of Whimbrel's own records.
    pub(crate) fn record(command: Command) -> Self {
        Self {
            command,
            point: point::RECORD,
            operation: None,
        }
    }

    /// A definition's statement.
    pub(crate) fn statement(command: Command, position: u32) -> Self {
        Self {
            command,
            point: point::STATEMENT,
            operation: Some(position),
        }
    }

    /// A setting before or after a definition's statement.
    pub(crate) fn setting(command: Command) -> Self {
        Self {
            command,
            point: "setting",
            operation: None,
        }
    }
}

/// Which part of a transaction failed, and how. The transaction is rolled back.
#[derive(Debug)]
pub(crate) struct PartError {
    pub(crate) operation: Option<u32>,
    /// Whether it was what is verified before anything is recorded.
    pub(crate) is_check: bool,
    pub(crate) error: DatabaseError,
}

impl Writer {
    pub(crate) fn new(
        session: Box<dyn Session>,
        fence: Fence,
        stop: Stop,
        credentials: Arc<dyn Credentials>,
    ) -> Self {
        let dialect = session.dialect();
        Self {
            session: Arc::new(Mutex::new(session)),
            fence,
            dialect,
            stop,
            credentials,
            commits: Arc::default(),
        }
    }

    /// How many transactions were committed over this connection so far.
    pub(crate) fn commits(&self) -> u64 {
        self.commits.load(Ordering::Relaxed)
    }

    /// What the connection was opened with.
    pub(crate) fn credentials(&self) -> &Arc<dyn Credentials> {
        &self.credentials
    }

    /// Whether to go on over a new connection. Asked at safe points only: nothing is open, and what was done is committed.
    pub(crate) fn must_reconnect(&self) -> bool {
        self.credentials.standing() != Standing::Lasting
    }

    pub(crate) const fn dialect(&self) -> Dialect {
        self.dialect
    }

    pub(crate) const fn fence(&self) -> &Fence {
        &self.fence
    }

    /// The connection itself, for reads and for what runs outside of transactions.
    pub(crate) async fn session(&self) -> tokio::sync::MutexGuard<'_, Box<dyn Session>> {
        self.session.lock().await
    }

    /// Opens a transaction, looks at the fence, and runs the parts; nothing is committed.
    pub(crate) async fn open(&self, parts: Vec<Part>) -> Result<Vec<Done>, PartError> {
        let mut all = self.beginning();
        let before = all.len();
        all.extend(parts);
        let mut done = self.flight(all).await?;
        Ok(done.split_off(before.min(done.len())))
    }

    /// BEGIN, and the first look at the fence.
    fn beginning(&self) -> Vec<Part> {
        let mut all = vec![Part {
            command: begin(self.dialect),
            point: point::BEGIN,
            operation: None,
        }];
        // BEGIN IMMEDIATE has locked the whole file of SQLite: there the first look is worth as much as the last one, and goes
        // when the fence is taken out.
        if self.dialect == Dialect::Postgres || !without("fence") {
            all.push(Part {
                command: self.fence.glance(),
                point: point::FENCE,
                operation: None,
            });
        }
        all
    }

    /// Ends an open transaction: the records, the fence as the last statement, and COMMIT.
    pub(crate) async fn close(
        &self,
        records: Vec<Command>,
        fenced: bool,
    ) -> Result<Vec<Done>, PartError> {
        let mut all: Vec<Part> = records.into_iter().map(Part::record).collect();
        self.finish(&mut all, fenced);
        self.flight(all).await
    }

    /// A whole transaction in one flight.
    pub(crate) async fn transact(
        &self,
        parts: Vec<Part>,
        records: Vec<Command>,
        fenced: bool,
    ) -> Result<(), PartError> {
        let mut all = self.beginning();
        all.extend(parts);
        all.extend(records.into_iter().map(Part::record));
        self.finish(&mut all, fenced);
        self.flight(all).await.map(|_| ())
    }

    /// A transaction of nothing but Whimbrel's own records.
    pub(crate) async fn record(&self, records: Vec<Command>) -> Result<(), DatabaseError> {
        self.transact(Vec::new(), records, false)
            .await
            .map_err(|error| error.error)
    }

    /// Rolls an open transaction back. An error leaves nothing to do: the connection is gone and the transaction with it.
    pub(crate) async fn abandon(&self) {
        let mut session = self.session().await;
        if session.in_transaction() && !session.is_closed() {
            let _ = session.run(&[rollback(self.dialect)]).await;
        }
    }

    /// `fenced`: the records end with the fence already.
    fn finish(&self, parts: &mut Vec<Part>, fenced: bool) {
        if !fenced && !without("fence") {
            parts.push(Part {
                command: self.fence.assert(),
                point: point::FENCE,
                operation: None,
            });
        }
        parts.push(Part {
            command: commit(self.dialect),
            point: point::COMMIT,
            operation: None,
        });
    }

    /// Sends the parts, one by one where a crash point among them is armed. On an error the transaction is rolled back.
    async fn flight(&self, parts: Vec<Part>) -> Result<Vec<Done>, PartError> {
        let (commands, places): (Vec<_>, Vec<_>) = parts
            .into_iter()
            .map(|part| (part.command, (part.point, part.operation)))
            .unzip();
        let one_by_one = places.iter().any(|(point, _)| is_armed(point));
        let result = if one_by_one {
            self.step_by_step(&commands, &places).await
        } else {
            self.send(&commands).await
        };
        match result {
            Ok(done) => {
                let ends = places
                    .last()
                    .is_some_and(|(point, _)| *point == point::COMMIT);
                self.commits.fetch_add(u64::from(ends), Ordering::Relaxed);
                Ok(done)
            }
            Err(CommandError { index, error }) => {
                self.abandon().await;
                let operation = places.get(index).and_then(|(_, operation)| *operation);
                Err(PartError {
                    operation,
                    is_check: false,
                    error,
                })
            }
        }
    }

    /// Runs commands; when the run is told twice to end, what is running is cancelled.
    pub(crate) async fn send(&self, commands: &[Command]) -> Result<Vec<Done>, CommandError> {
        let mut session = self.session().await;
        let canceller = session.canceller();
        let running = session.run(commands);
        tokio::pin!(running);
        tokio::select! {
            result = &mut running => result,
            () = self.stop.insisted() => {
                if let Some(canceller) = canceller
                    && let Err(error) = canceller.cancel().await
                {
                    tracing::warn!(%error, "the running statement could not be cancelled");
                }
                running.await
            }
        }
    }

    /// Asks one query that can't write, outside of a transaction.
    pub(crate) async fn read(&self, query: Command) -> Result<Done, DatabaseError> {
        let reading = Reading::new(self.dialect, false, query);
        let result = self.send(reading.commands()).await;
        self.abandon().await;
        reading.answer(result)
    }

    async fn step_by_step(
        &self,
        commands: &[Command],
        places: &[(&'static str, Option<u32>)],
    ) -> Result<Vec<Done>, CommandError> {
        let mut all = Vec::with_capacity(commands.len());
        for (index, (command, (point, _))) in commands.iter().zip(places).enumerate() {
            reach(&format!("{point}.before"));
            if *point == point::COMMIT && is_due("commit.sent") {
                self.commit_and_die(command).await;
            }
            let done = self.send(std::slice::from_ref(command)).await;
            all.extend(done.map_err(|error| CommandError {
                index,
                error: error.error,
            })?);
            reach(&format!("{point}.after"));
        }
        Ok(all)
    }

    /// Sends COMMIT and dies before its answer is read.
    async fn commit_and_die(&self, command: &Command) {
        let mut session = self.session().await;
        let commands = [command.clone()];
        let running = session.run(&commands);
        tokio::pin!(running);
        tokio::select! {
            biased;
            _ = &mut running => {}
            () = tokio::time::sleep(std::time::Duration::from_micros(300)) => {}
        }
        die();
    }
}
