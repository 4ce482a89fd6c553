//! A database that does what its statements say.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Notify;
use whimbrel_core::statement::Dialect;
use whimbrel_core::value::{RowSet, Value};
use whimbrel_plugin::{SqlError, StepDatabase};

/// What a test sees of a [`Fake`] while a call has it, and afterwards.
#[derive(Clone, Default)]
pub struct Watch(Arc<Seen>);

#[derive(Default)]
struct Seen {
    statements: Mutex<Vec<String>>,
    running: AtomicUsize,
    dropped: AtomicBool,
    interrupted: AtomicBool,
    interrupt: Notify,
    started: Notify,
}

impl Watch {
    pub fn statements(&self) -> Vec<String> {
        self.0.statements.lock().unwrap().clone()
    }

    /// No statement runs, and the database was given up.
    pub fn is_quiet(&self) -> bool {
        self.0.running.load(Ordering::SeqCst) == 0 && self.0.dropped.load(Ordering::SeqCst)
    }

    pub fn was_interrupted(&self) -> bool {
        self.0.interrupted.load(Ordering::SeqCst)
    }

    /// Waits until a statement has begun.
    pub async fn started(&self) {
        self.0.started.notified().await;
    }
}

#[derive(Default)]
pub struct Fake {
    seen: Watch,
    checkpoint: Option<Vec<u8>>,
    open: bool,
}

impl Fake {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn with_checkpoint(checkpoint: &[u8]) -> Self {
        let mut fake = Self::default();
        fake.checkpoint = Some(checkpoint.to_vec());
        fake
    }

    pub fn boxed(self) -> Box<dyn StepDatabase> {
        Box::new(self)
    }

    pub fn watched(self) -> (Box<dyn StepDatabase>, Watch) {
        let watch = self.seen.clone();
        (Box::new(self), watch)
    }

    fn note(&self, statement: &str) {
        self.seen
            .0
            .statements
            .lock()
            .unwrap()
            .push(statement.to_owned());
    }

    async fn run(&mut self, statement: &str) -> Result<RowSet, SqlError> {
        self.note(statement);
        self.open = true;
        let seen = Arc::clone(&self.seen.0);
        seen.running.fetch_add(1, Ordering::SeqCst);
        seen.started.notify_one();
        let answer = obey(statement, &seen).await;
        seen.running.fetch_sub(1, Ordering::SeqCst);
        if matches!(answer, Err(SqlError::Database { .. })) {
            self.open = false;
        }
        answer
    }
}

async fn obey(statement: &str, seen: &Seen) -> Result<RowSet, SqlError> {
    let (verb, rest) = statement.split_once(' ').unwrap_or((statement, ""));
    let number = rest.parse().unwrap_or(1);
    match verb {
        "SLEEP" => tokio::time::sleep(Duration::from_millis(number)).await,
        // Ends when it is interrupted, as a statement does that the server is asked to cancel.
        "BLOCK" => {
            seen.interrupt.notified().await;
            return Err(SqlError::Stop("cancelled".to_owned()));
        }
        "PANIC" => panic!("the driver broke"),
        "FAIL" => {
            return Err(SqlError::Database {
                code: "23505".to_owned(),
                message: "duplicate key".to_owned(),
                detail: Some("(id)=(1)".to_owned()),
            });
        }
        "LOST" => return Err(SqlError::Stop("connection lost".to_owned())),
        "BIG" => {
            let cell = Value::Text("x".repeat(usize::try_from(number).unwrap()));
            return Ok(one(cell));
        }
        "ALL" => return Ok(every_kind()),
        _ => {}
    }
    Ok(one(Value::Integer(1)))
}

fn one(value: Value) -> RowSet {
    RowSet {
        columns: vec!["value".to_owned()],
        rows: vec![vec![value]],
    }
}

fn every_kind() -> RowSet {
    let text = |text: &str| text.to_owned();
    let row = vec![
        Value::Null,
        Value::Boolean(true),
        Value::Integer(-1),
        Value::Real(0.5),
        Value::Decimal(text("1.10")),
        Value::Text(text("é")),
        Value::Bytes(vec![0, 255]),
        Value::Time(text("2026-01-01")),
        Value::Json(text("{}")),
        Value::Other(text("a"), text("uuid")),
    ];
    RowSet {
        columns: (0..row.len()).map(|index| format!("c{index}")).collect(),
        rows: vec![row],
    }
}

#[async_trait]
impl StepDatabase for Fake {
    fn dialect(&self) -> Dialect {
        Dialect::Sqlite
    }

    fn quote(&self, name: &str) -> String {
        format!("\"{}\"", name.replace('"', "\"\""))
    }

    async fn query(&mut self, statement: &str, _: Vec<Value>) -> Result<RowSet, SqlError> {
        self.run(statement).await
    }

    async fn execute(&mut self, statement: &str, _: Vec<Value>) -> Result<u64, SqlError> {
        self.run(statement).await.map(|_| 3)
    }

    async fn commit(
        &mut self,
        checkpoint: Vec<u8>,
        rows_done: u64,
        rows_total: Option<u64>,
    ) -> Result<(), SqlError> {
        self.note(&format!("commit {rows_done} of {rows_total:?}"));
        self.checkpoint = Some(checkpoint);
        self.open = false;
        Ok(())
    }

    async fn rollback(&mut self) -> Result<(), SqlError> {
        self.note("rollback");
        self.open = false;
        Ok(())
    }

    async fn insert(
        &mut self,
        table: &str,
        _: &[String],
        rows: Vec<Vec<Value>>,
    ) -> Result<u64, SqlError> {
        self.run(&format!("insert {table}")).await?;
        Ok(rows.len() as u64)
    }

    fn last_checkpoint(&self) -> Option<Vec<u8>> {
        self.checkpoint.clone()
    }

    fn in_transaction(&self) -> bool {
        self.open
    }

    fn interrupter(&self) -> Option<Box<dyn Fn() + Send + Sync>> {
        let seen = Arc::clone(&self.seen.0);
        Some(Box::new(move || {
            seen.interrupted.store(true, Ordering::SeqCst);
            seen.interrupt.notify_one();
        }))
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.seen.0.dropped.store(true, Ordering::SeqCst);
    }
}
