//! PostgreSQL.

mod classify;
mod lint;
mod locks;
mod refuse;
mod tree;

pub(crate) use classify::classify;
pub(crate) use lint::lint;
pub(crate) use refuse::refuse;

use crate::endpoint::Endpoint;
use crate::session::{DatabaseError, ErrorKind, Session, SessionSettings};

#[derive(Clone)]
pub struct PostgresCanceller {}

impl PostgresCanceller {
    pub(crate) async fn cancel(&self) -> Result<(), DatabaseError> {
        Ok(())
    }
}

pub(crate) async fn connect(
    _endpoint: &Endpoint,
    _settings: &SessionSettings,
) -> Result<Box<dyn Session>, DatabaseError> {
    Err(DatabaseError::new(ErrorKind::Connection, "", "not yet"))
}
