//! One connection to a target: the trait that every dialect implements, and how one is opened.

mod command;
mod control;
mod error;
mod reading;
mod settings;

use async_trait::async_trait;
use whimbrel_core::statement::Dialect;

pub(crate) use command::Protocol;
pub use command::{Command, Done, begin, commit, foreign_key_check, restore, rollback, timeouts};
pub(crate) use control::{Control, flight};
pub use error::{CommandError, DatabaseError, ErrorKind};
pub(crate) use error::{FENCED, FORGOTTEN, NOT_COMMITTED, NOT_ONE_ROW};
pub use reading::{Reading, read};
pub use settings::SessionSettings;

use crate::endpoint::Endpoint;

/// The server process behind a session. The start time tells it from a later process with the same id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backend {
    /// The process id.
    pub pid: i32,
    /// When it started, as the server prints it.
    pub start: String,
}

/// One connection. It does all the work on its target, and holds the lock itself.
#[async_trait]
pub trait Session: Send {
    /// The dialect that it speaks.
    fn dialect(&self) -> Dialect;

    /// Runs commands in order and stops at the first error.
    ///
    /// Inside a transaction PostgreSQL gets them all in one flight. Commands outside of a transaction, and whatever
    /// follows a COMMIT or ROLLBACK, are sent only after everything before them succeeded, so nothing runs after an
    /// error that shouldn't have. After an error inside a transaction the transaction stays open and aborted: send
    /// [`rollback`]. A COMMIT that the server answered with ROLLBACK is an error.
    ///
    /// # Errors
    ///
    /// The first failed command by its index.
    async fn run(&mut self, commands: &[Command]) -> Result<Vec<Done>, CommandError>;

    /// The server process; none where there is no server. Asked of the server the first time.
    ///
    /// # Errors
    ///
    /// The server could not be asked.
    async fn backend(&mut self) -> Result<Option<Backend>, DatabaseError>;

    /// What cancels a running statement from another task.
    fn canceller(&self) -> Option<Canceller>;

    /// Whether the connection is gone.
    fn is_closed(&self) -> bool;

    /// Whether a new connection to the same place would come to the same database, and leave it as this one does: a file
    /// may have been replaced, or only be there since.
    fn is_current(&self) -> bool {
        true
    }

    /// Whether Whimbrel's tables were there when this session looked for them.
    fn has_tables(&self) -> bool {
        false
    }

    /// Says that they are there. Where a session doesn't keep that, they are looked for again.
    fn found_tables(&mut self) {}

    /// Whether a transaction is open, as far as the commands sent so far tell.
    fn in_transaction(&self) -> bool;

    /// How many times this session has waited for the server, or for SQLite how many commands it ran.
    fn round_trips(&self) -> u64;

    /// Notices that the server sent since the last call.
    fn take_notices(&mut self) -> Vec<String>;

    /// Tries once to get the session-level lock of the database; true when this session holds it afterwards.
    ///
    /// # Errors
    ///
    /// The connection is gone, or the lock can't be used at all.
    async fn try_session_lock(&mut self, note: &str) -> Result<bool, DatabaseError>;

    /// Gives the session-level lock back.
    ///
    /// # Errors
    ///
    /// The connection is gone.
    async fn release_session_lock(&mut self) -> Result<(), DatabaseError>;

    /// Who says to hold the session-level lock now, for a person.
    ///
    /// # Errors
    ///
    /// The connection is gone.
    async fn session_lock_note(&mut self) -> Result<Option<String>, DatabaseError>;
}

/// What cancels a running statement of a session from another task.
#[derive(Clone)]
pub enum Canceller {
    /// Over a new connection, as PostgreSQL wants it.
    #[doc(hidden)]
    Postgres(crate::postgres::PostgresCanceller),
    /// By SQLite's interrupt.
    #[doc(hidden)]
    Sqlite(std::sync::Arc<rusqlite::InterruptHandle>),
}

impl std::fmt::Debug for Canceller {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Canceller")
    }
}

impl Canceller {
    /// Asks the server to cancel what runs now. Nothing is certain: the statement's own result tells.
    ///
    /// # Errors
    ///
    /// The server could not be reached.
    pub async fn cancel(&self) -> Result<(), DatabaseError> {
        match self {
            Self::Postgres(canceller) => canceller.cancel().await,
            Self::Sqlite(handle) => {
                handle.interrupt();
                Ok(())
            }
        }
    }
}

/// Opens a session.
///
/// # Errors
///
/// The server can't be reached, refuses the credentials, or the file can't be opened.
pub async fn connect(
    endpoint: &Endpoint,
    settings: &SessionSettings,
) -> Result<Box<dyn Session>, DatabaseError> {
    match endpoint.dialect() {
        Dialect::Postgres => crate::postgres::connect(endpoint, settings).await,
        Dialect::Sqlite => crate::sqlite::connect(endpoint, settings).await,
    }
}
