//! Gives the lock back, and leaves word of it: who died holding it leaves none.

use whimbrel_core::statement::Dialect;
use whimbrel_core::value::Value;

use super::{Fence, LockError};
use crate::postgres::LOCK_KEY;
use crate::session::{Command, Session, begin, commit, rollback};

/// Gives the session lock back. The row of the lock stays as it is: only a takeover writes it. That this run ended by
/// itself is said in the heartbeat's row, on SQLite by the emptied lock file.
///
/// # Errors
///
/// The connection is gone; the lock went with it.
pub async fn release(session: &mut dyn Session, fence: &Fence) -> Result<(), LockError> {
    if session.dialect() == Dialect::Postgres && !session.in_transaction() {
        let dialect = session.dialect();
        let ended = "UPDATE whimbrel.heartbeat SET run = NULL WHERE run = $1";
        let commands = [
            begin(dialect),
            // Word of a clean end isn't worth waiting for the disk: a server that loses it has ended the session as well.
            Command::text("SET LOCAL synchronous_commit = off"),
            Command::with(ended, vec![Value::Text(fence.run().to_string())]),
            Command::text(format!("SELECT pg_catalog.pg_advisory_unlock({LOCK_KEY})")),
            commit(dialect),
        ];
        match session.run(&commands).await {
            Ok(_) => return Ok(()),
            Err(failed) if failed.error.is_connection_lost() => return Err(failed.error.into()),
            Err(_) if session.in_transaction() => {
                let undone = session.run(&[rollback(dialect)]).await;
                undone.map_err(|failed| failed.error)?;
            }
            Err(_) => {}
        }
    }
    Ok(session.release_session_lock().await?)
}
