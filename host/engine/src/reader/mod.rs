//! The database as a plugin's estimate sees it: queries, and nothing else.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::Mutex;
use whimbrel_core::statement::Dialect;
use whimbrel_core::value::{RowSet, Value};
use whimbrel_database::session::read;
use whimbrel_database::{Command, Session, quote_identifier, split_query};
use whimbrel_plugin::{SqlError, StepDatabase};

/// A database that only answers queries: what isn't known to be one is refused by its text, and what is runs so that it
/// can't write. That the session only reads would not do: a guest could tell it to write.
pub(crate) struct Reader {
    session: Arc<Mutex<Box<dyn Session>>>,
    dialect: Dialect,
    /// Texts that were looked at already, each with the query in it.
    accepted: HashMap<String, String>,
}

impl Reader {
    pub(crate) fn new(session: Box<dyn Session>) -> Self {
        Self {
            dialect: session.dialect(),
            session: Arc::new(Mutex::new(session)),
            accepted: HashMap::new(),
        }
    }

    /// The one query of a text, without what stands around it.
    fn accept(&mut self, text: &str) -> Result<String, SqlError> {
        if let Some(query) = self.accepted.get(text) {
            return Ok(query.clone());
        }
        let query = split_query(self.dialect, text)
            .map_err(|error| SqlError::Refused(error.to_string()))?
            .text;
        self.accepted.insert(text.to_owned(), query.clone());
        Ok(query)
    }
}

fn refused(what: &str) -> SqlError {
    SqlError::Refused(format!("an estimate can't {what}"))
}

#[async_trait]
impl StepDatabase for Reader {
    fn dialect(&self) -> Dialect {
        self.dialect
    }

    fn quote(&self, name: &str) -> String {
        quote_identifier(self.dialect, name)
    }

    async fn query(&mut self, statement: &str, parameters: Vec<Value>) -> Result<RowSet, SqlError> {
        let command = Command::with(self.accept(statement)?, parameters);
        let mut session = self.session.lock().await;
        let done = read(session.as_mut(), command).await;
        let done = done.map_err(|error| SqlError::Database {
            code: error.code,
            message: error.message,
            detail: error.detail,
        })?;
        Ok(done.rows)
    }

    async fn execute(&mut self, _: &str, _: Vec<Value>) -> Result<u64, SqlError> {
        Err(refused("change anything"))
    }

    async fn commit(&mut self, _: Vec<u8>, _: u64, _: Option<u64>) -> Result<(), SqlError> {
        Err(refused("commit"))
    }

    async fn rollback(&mut self) -> Result<(), SqlError> {
        Ok(())
    }

    async fn insert(&mut self, _: &str, _: &[String], _: Vec<Vec<Value>>) -> Result<u64, SqlError> {
        Err(refused("insert rows"))
    }

    fn last_checkpoint(&self) -> Option<Vec<u8>> {
        None
    }

    fn in_transaction(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests;
