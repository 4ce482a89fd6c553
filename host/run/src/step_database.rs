//! The database as a plugin's step sees it: statements and one way to make them last, which carries the checkpoint, the
//! compare-and-set and the fence whether the plugin thinks of them or not.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use whimbrel_core::name::{MigrationName, TargetName};
use whimbrel_core::statement::{Dialect, StatementClass};
use whimbrel_core::value::{RowSet, Value};
use whimbrel_database::history::{Checkpoint, JournalKey, journal_checkpoint};
use whimbrel_database::{Canceller, Command, DatabaseError, Done, quote_identifier, split};
use whimbrel_plugin::{SqlError, StepDatabase};
use whimbrel_signal::{Bus, Progress, Signal};

use crate::crash_point::{point, reach};
use crate::sabotage::batch_now;
use crate::stop::Stop;
use crate::writer::{Part, Writer};

/// What a step left behind, read after its call has ended.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trace {
    /// The database's error that ended the step, if one did.
    pub(crate) error: Option<DatabaseError>,
    /// Batches committed so far, those of earlier runs included.
    pub(crate) batch: i64,
    /// Rows done so far, those of earlier runs included.
    pub(crate) rows_done: i64,
    /// The step was told to end because its credentials do; it goes on over a new connection.
    pub(crate) credentials_end: bool,
}

/// The names by which a step is reported.
#[derive(Clone)]
pub(crate) struct Labels {
    pub(crate) target: TargetName,
    pub(crate) migration: MigrationName,
    pub(crate) title: String,
}

/// Serves one plugin step.
pub(crate) struct WriterDatabase {
    writer: Writer,
    key: JournalKey,
    labels: Labels,
    bus: Bus,
    stop: Stop,
    checkpoint: Option<Vec<u8>>,
    trace: Arc<Mutex<Trace>>,
    /// Statements that were looked at already: a batch sends the same text many times.
    accepted: HashSet<String>,
    /// Whether a transaction is open.
    open: bool,
    canceller: Option<Canceller>,
}

impl WriterDatabase {
    pub(crate) fn new(
        writer: Writer,
        key: JournalKey,
        labels: Labels,
        bus: Bus,
        stop: Stop,
        checkpoint: Option<Vec<u8>>,
        trace: Arc<Mutex<Trace>>,
    ) -> Self {
        Self {
            writer,
            key,
            labels,
            bus,
            stop,
            checkpoint,
            trace,
            accepted: HashSet::new(),
            open: false,
            canceller: None,
        }
    }

    /// The same with what cancels a statement that outlives its guest.
    pub(crate) fn with_canceller(mut self, canceller: Option<Canceller>) -> Self {
        self.canceller = canceller;
        self
    }

    /// A step's statement is one statement that can run in a transaction, and none that ends one.
    fn accept(&mut self, text: &str) -> Result<(), SqlError> {
        if self.accepted.contains(text) {
            return Ok(());
        }
        let statements = split(self.writer.dialect(), text)
            .map_err(|error| SqlError::Refused(error.to_string()))?;
        match statements.as_slice() {
            [statement] if statement.class == StatementClass::Transactional => {
                self.accepted.insert(text.to_owned());
                Ok(())
            }
            [_] => Err(SqlError::Refused(
                "a step's statement must be able to run in a transaction".to_owned(),
            )),
            others => Err(SqlError::Refused(format!(
                "a step sends one statement at a time, this text holds {}",
                others.len()
            ))),
        }
    }

    async fn statement(&mut self, text: &str, parameters: Vec<Value>) -> Result<Done, SqlError> {
        self.accept(text)?;
        let command = Command::with(text, parameters);
        let result = if self.open {
            self.writer
                .send(&[command])
                .await
                .map_err(DatabaseError::from)
        } else {
            self.writer
                .open(vec![Part::statement(command, self.key.position)])
                .await
                .map_err(|error| error.error)
        };
        match result {
            Ok(mut done) => {
                self.open = true;
                Ok(done.pop().unwrap_or_default())
            }
            Err(error) => Err(self.failed(error).await),
        }
    }

    /// Rolls back to the last commit, and ends the step where the database can't be worked with any more.
    async fn failed(&mut self, error: DatabaseError) -> SqlError {
        self.writer.abandon().await;
        self.open = false;
        let ends = error.is_connection_lost() || error.is_fenced() || error.is_conflict();
        let answer = if ends {
            SqlError::Stop(error.to_string())
        } else {
            SqlError::Database {
                code: error.code.clone(),
                message: error.message.clone(),
                detail: error.detail.clone(),
            }
        };
        self.trace().error = Some(error);
        answer
    }

    fn trace(&self) -> std::sync::MutexGuard<'_, Trace> {
        self.trace.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl StepDatabase for WriterDatabase {
    fn dialect(&self) -> Dialect {
        self.writer.dialect()
    }

    fn quote(&self, name: &str) -> String {
        quote_identifier(self.writer.dialect(), name)
    }

    async fn query(&mut self, statement: &str, parameters: Vec<Value>) -> Result<RowSet, SqlError> {
        Ok(self.statement(statement, parameters).await?.rows)
    }

    async fn execute(&mut self, statement: &str, parameters: Vec<Value>) -> Result<u64, SqlError> {
        Ok(self.statement(statement, parameters).await?.rows_affected)
    }

    async fn commit(
        &mut self,
        checkpoint: Vec<u8>,
        rows_done: u64,
        rows_total: Option<u64>,
    ) -> Result<(), SqlError> {
        let (known, before) = {
            let trace = self.trace();
            (trace.batch, trace.rows_done)
        };
        let expected_batch = {
            let mut session = self.writer.session().await;
            batch_now(session.as_mut(), &self.key, known).await
        };
        let record = journal_checkpoint(
            self.writer.dialect(),
            &self.key,
            &Checkpoint {
                expected_batch,
                bytes: checkpoint.clone(),
                rows_done: i64::try_from(rows_done).unwrap_or(i64::MAX),
                rows_total: rows_total.map(|total| i64::try_from(total).unwrap_or(i64::MAX)),
            },
        );
        reach(&format!("{}.before", point::CHECKPOINT));
        let result = if self.open {
            self.writer.close(vec![record], false).await.map(|_| ())
        } else {
            self.writer.transact(Vec::new(), vec![record], false).await
        };
        reach(&format!("{}.after", point::CHECKPOINT));
        if let Err(error) = result {
            return Err(self.failed(error.error).await);
        }
        self.open = false;
        self.checkpoint = Some(checkpoint);
        {
            let mut trace = self.trace();
            trace.batch += 1;
            trace.rows_done = i64::try_from(rows_done).unwrap_or(i64::MAX);
            trace.error = None;
        }
        self.bus.emit(Signal::StepProgress {
            target: self.labels.target.clone(),
            migration: self.labels.migration.clone(),
            title: self.labels.title.clone(),
            progress: Progress {
                done: rows_done,
                total: rows_total,
            },
            rows: rows_done.saturating_sub(u64::try_from(before).unwrap_or_default()),
        });
        if self.stop.is_requested() {
            return Err(SqlError::Stop("the run was asked to end".to_owned()));
        }
        if self.writer.must_reconnect() {
            self.trace().credentials_end = true;
            return Err(SqlError::Stop(
                "the credentials end; it goes on from here over a new connection".to_owned(),
            ));
        }
        Ok(())
    }

    async fn rollback(&mut self) -> Result<(), SqlError> {
        self.writer.abandon().await;
        self.open = false;
        Ok(())
    }

    async fn insert(
        &mut self,
        table: &str,
        columns: &[String],
        rows: Vec<Vec<Value>>,
    ) -> Result<u64, SqlError> {
        let names: Vec<_> = columns.iter().map(|column| self.quote(column)).collect();
        let mut inserted = 0;
        // Both databases allow more parameters than this in one statement.
        const PARAMETERS: usize = 10_000;
        let at_once = (PARAMETERS / columns.len().max(1)).max(1);
        for chunk in rows.chunks(at_once) {
            let mut number = 0;
            let tuples: Vec<String> = chunk
                .iter()
                .map(|row| {
                    let places: Vec<String> = row
                        .iter()
                        .map(|_| {
                            number += 1;
                            format!("${number}")
                        })
                        .collect();
                    format!("({})", places.join(", "))
                })
                .collect();
            let text = format!(
                "INSERT INTO {} ({}) VALUES {}",
                self.quote(table),
                names.join(", "),
                tuples.join(", ")
            );
            inserted += self
                .execute(&text, chunk.iter().flatten().cloned().collect())
                .await?;
        }
        Ok(inserted)
    }

    fn in_transaction(&self) -> bool {
        self.open
    }

    fn interrupter(&self) -> Option<Box<dyn Fn() + Send + Sync>> {
        let canceller = self.canceller.clone()?;
        Some(Box::new(move || {
            let canceller = canceller.clone();
            tokio::spawn(async move {
                if let Err(error) = canceller.cancel().await {
                    tracing::warn!(%error, "a statement that outlived its step could not be cancelled");
                }
            });
        }))
    }

    fn last_checkpoint(&self) -> Option<Vec<u8>> {
        self.checkpoint.clone()
    }
}
