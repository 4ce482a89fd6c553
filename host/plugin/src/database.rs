//! What a step works on, as the run gives it. This crate knows no driver.

use async_trait::async_trait;
use whimbrel_core::statement::Dialect;
use whimbrel_core::value::{RowSet, Value};

/// Why a statement gave nothing. The same cases as `whimbrel:sql/database.error`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SqlError {
    /// The database refused it, and everything since the last commit is rolled back.
    #[error("{message} ({code})")]
    Database {
        /// SQLSTATE or the database's own code.
        code: String,
        /// What it says.
        message: String,
        /// What else it says.
        detail: Option<String>,
    },
    /// The host refused it.
    #[error("refused: {0}")]
    Refused(String),
    /// The run must end.
    #[error("stop: {0}")]
    Stop(String),
}

/// The database of one call of a step. The transaction, the fence and the checkpoint are its business.
#[async_trait]
pub trait StepDatabase: Send {
    /// The dialect.
    fn dialect(&self) -> Dialect;

    /// Quotes a name.
    fn quote(&self, name: &str) -> String;

    /// Runs a statement for its rows.
    async fn query(&mut self, statement: &str, parameters: Vec<Value>) -> Result<RowSet, SqlError>;

    /// Runs a statement for the number of rows that it affected.
    async fn execute(&mut self, statement: &str, parameters: Vec<Value>) -> Result<u64, SqlError>;

    /// Commits everything since the last commit, with checkpoint and progress.
    async fn commit(
        &mut self,
        checkpoint: Vec<u8>,
        rows_done: u64,
        rows_total: Option<u64>,
    ) -> Result<(), SqlError>;

    /// Goes back to the last commit.
    async fn rollback(&mut self) -> Result<(), SqlError>;

    /// Inserts rows by the dialect's bulk path.
    async fn insert(
        &mut self,
        table: &str,
        columns: &[String],
        rows: Vec<Vec<Value>>,
    ) -> Result<u64, SqlError>;

    /// The last checkpoint that was committed for this step, in this direction or, for the revert of an unfinished
    /// step, by its apply.
    fn last_checkpoint(&self) -> Option<Vec<u8>>;

    /// Whether a transaction is open: a statement ran since the last commit.
    fn in_transaction(&self) -> bool;

    /// What asks the database to give up the statement that is running, callable while it runs. Used when the guest is
    /// gone (timeout), because the call only ends once the database is quiet.
    fn interrupter(&self) -> Option<Box<dyn Fn() + Send + Sync>> {
        None
    }
}
