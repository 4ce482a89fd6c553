//! A database of prepared answers.

use std::collections::VecDeque;

use super::Database;
use crate::database::Error;
use crate::{RowSet, Value};

/// Answers statements in the order in which the answers were given; further ones get no rows.
#[derive(Debug, Default)]
pub struct Script {
    dialect: String,
    answers: VecDeque<Result<RowSet, Error>>,
}

impl Script {
    /// A script without answers, on PostgreSQL.
    #[must_use]
    pub fn new() -> Self {
        Self {
            dialect: "postgres".to_owned(),
            answers: VecDeque::new(),
        }
    }

    /// The same on another dialect.
    #[must_use]
    pub fn on(mut self, dialect: &str) -> Self {
        dialect.clone_into(&mut self.dialect);
        self
    }

    /// The next statement gives these rows; an `execute` counts them.
    #[must_use]
    pub fn answer(mut self, rows: RowSet) -> Self {
        self.answers.push_back(Ok(rows));
        self
    }

    /// The next statement fails.
    #[must_use]
    pub fn fail(mut self, error: Error) -> Self {
        self.answers.push_back(Err(error));
        self
    }

    fn next(&mut self) -> Result<RowSet, Error> {
        self.answers.pop_front().unwrap_or_else(|| {
            Ok(RowSet {
                columns: Vec::new(),
                rows: Vec::new(),
            })
        })
    }
}

impl Database for Script {
    fn dialect(&self) -> String {
        self.dialect.clone()
    }

    fn query(&mut self, _: &str, _: &[Value]) -> Result<RowSet, Error> {
        self.next()
    }

    fn execute(&mut self, _: &str, _: &[Value]) -> Result<u64, Error> {
        self.next().map(|set| set.rows.len() as u64)
    }

    fn commit(&mut self) -> Result<(), Error> {
        Ok(())
    }

    fn rollback(&mut self) -> Result<(), Error> {
        Ok(())
    }
}
