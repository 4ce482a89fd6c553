//! SQLite.

use crate::endpoint::Endpoint;
use crate::session::{DatabaseError, ErrorKind, Session, SessionSettings};

pub(crate) async fn connect(
    _endpoint: &Endpoint,
    _settings: &SessionSettings,
) -> Result<Box<dyn Session>, DatabaseError> {
    Err(DatabaseError::new(ErrorKind::Connection, "", "not yet"))
}
