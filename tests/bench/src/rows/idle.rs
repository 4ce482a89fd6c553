//! A step's database that does nothing, for measuring what surrounds it.

use async_trait::async_trait;
use whimbrel_core::statement::Dialect;
use whimbrel_core::value::{RowSet, Value};
use whimbrel_plugin::{SqlError, StepDatabase};

/// Answers everything at once.
#[derive(Debug)]
pub struct Idle;

#[async_trait]
impl StepDatabase for Idle {
    fn dialect(&self) -> Dialect {
        Dialect::Sqlite
    }

    fn quote(&self, name: &str) -> String {
        name.to_owned()
    }

    async fn query(&mut self, _: &str, _: Vec<Value>) -> Result<RowSet, SqlError> {
        Ok(RowSet {
            columns: Vec::new(),
            rows: Vec::new(),
        })
    }

    async fn execute(&mut self, _: &str, _: Vec<Value>) -> Result<u64, SqlError> {
        Ok(0)
    }

    async fn commit(&mut self, _: Vec<u8>, _: u64, _: Option<u64>) -> Result<(), SqlError> {
        Ok(())
    }

    async fn rollback(&mut self) -> Result<(), SqlError> {
        Ok(())
    }

    async fn insert(&mut self, _: &str, _: &[String], _: Vec<Vec<Value>>) -> Result<u64, SqlError> {
        Ok(0)
    }

    fn last_checkpoint(&self) -> Option<Vec<u8>> {
        None
    }

    fn in_transaction(&self) -> bool {
        false
    }
}
