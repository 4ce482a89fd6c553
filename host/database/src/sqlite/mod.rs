//! SQLite.

mod classify;
mod lint;
mod refuse;

pub(crate) use classify::{classify, foreign_keys_pragma};
pub(crate) use lint::lint;
pub(crate) use refuse::refuse;

use crate::endpoint::Endpoint;
use crate::session::{DatabaseError, ErrorKind, Session, SessionSettings};

pub(crate) async fn connect(
    _endpoint: &Endpoint,
    _settings: &SessionSettings,
) -> Result<Box<dyn Session>, DatabaseError> {
    Err(DatabaseError::new(ErrorKind::Connection, "", "not yet"))
}
