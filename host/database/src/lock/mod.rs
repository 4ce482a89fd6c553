//! One run at a time per target: a session-level lock, and a fence for whoever lost it without noticing.
//!
//! Whoever gets the session lock knows that the session that executed before is gone. Whoever takes over writes a new
//! epoch, and from then on nobody else's COMMIT passes the fence. No wall clock decides anything.

mod contender;
pub(crate) mod fence;
mod release;
mod tables;
mod takeover;
mod unlock;

use std::time::{Duration, Instant};

use uuid::Uuid;

pub use fence::Fence;
pub use release::release;
pub use unlock::{TERMINATION_WAIT, Terminated, Unlocked, terminate, unlock};

use self::contender::Contender;
use crate::history::HistoryError;
use crate::session::{DatabaseError, Session, begin, commit};

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
    Database(#[source] DatabaseError),
}

impl From<DatabaseError> for LockError {
    fn from(error: DatabaseError) -> Self {
        if error.is_fenced() {
            Self::Fenced
        } else if error.is_permission() {
            Self::NotPermitted { error }
        } else {
            Self::Database(error)
        }
    }
}

impl From<HistoryError> for LockError {
    fn from(error: HistoryError) -> Self {
        match error {
            HistoryError::Newer { found, known } => Self::Newer { found, known },
            HistoryError::Database(error) => error.into(),
            HistoryError::Malformed { .. } => Self::Database(DatabaseError::new(
                crate::session::ErrorKind::Client,
                "",
                error.to_string(),
            )),
        }
    }
}

/// Takes the session lock, creates or upgrades the tables under it, and takes over: a new epoch with this run.
///
/// Read history and journal only afterwards. After every reconnect call it again before reading the journal.
///
/// # Errors
///
/// Another run holds it and went on for longer than `settings.wait`; or see [`LockError`].
pub async fn take(
    session: &mut dyn Session,
    holder: &Holder,
    settings: &LockSettings,
    mut on_waiting: impl FnMut(&str) + Send,
) -> Result<Fence, LockError> {
    let note = format!("{} (run {})", holder.description, holder.run);
    let begun = Instant::now();
    let mut contender = Contender::new(settings.silence);
    while !session.try_session_lock(&note).await? {
        let seen = contender.look(session).await?;
        if begun.elapsed() >= settings.wait {
            return Err(LockError::Held {
                holder: seen.holder,
                hint: seen.hint,
            });
        }
        if contender.is_news(&seen) {
            on_waiting(&seen.holder);
        }
        if !seen.terminated {
            tokio::time::sleep(jittered(settings.poll)).await;
        }
    }
    let taken = prepare_and_take_over(session, holder).await;
    if taken.is_err() && !session.is_closed() {
        session.release_session_lock().await?;
    }
    taken
}

async fn prepare_and_take_over(
    session: &mut dyn Session,
    holder: &Holder,
) -> Result<Fence, LockError> {
    tables::prepare(session).await?;
    takeover::take_over(session, Some(holder), Vec::new()).await
}

/// Between half and one and a half times, so that contenders don't march in step.
fn jittered(poll: Duration) -> Duration {
    let [low, high, ..] = Uuid::new_v4().into_bytes();
    poll / 2 + poll.mul_f64(f64::from(u16::from_le_bytes([low, high])) / f64::from(u16::MAX))
}

/// Runs commands as one transaction.
async fn transact(
    session: &mut dyn Session,
    commands: Vec<crate::session::Command>,
) -> Result<Vec<crate::session::Done>, DatabaseError> {
    let dialect = session.dialect();
    let mut all = vec![begin(dialect)];
    all.extend(commands);
    all.push(commit(dialect));
    match session.run(&all).await {
        Ok(mut done) => {
            done.pop();
            Ok(done.into_iter().skip(1).collect())
        }
        Err(failed) => {
            if session.in_transaction() && !session.is_closed() {
                session
                    .run(&[crate::session::rollback(dialect)])
                    .await
                    .map_err(|error| error.error)?;
            }
            Err(failed.error)
        }
    }
}
