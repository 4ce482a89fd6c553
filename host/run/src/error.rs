//! How a target's run can end other than well.

use whimbrel_core::digest::Digest;
use whimbrel_core::gate::Refusal;
use whimbrel_core::name::MigrationName;
use whimbrel_core::plan::Blocker;
use whimbrel_database::history::HistoryError;
use whimbrel_database::{DatabaseError, LockError};
use whimbrel_signal::metric::ErrorClass;

use crate::surroundings::{ConnectError, PlanError};

/// Why a target's run ended early.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The plan can't be run at all.
    #[error("the plan is blocked: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Blocked(Vec<Blocker>),
    /// The plan under the lock isn't the one that was named or approved.
    #[error("the plan changed: {expected} was asked for, and it is {found} now")]
    PlanChanged {
        /// What was named.
        expected: Digest,
        /// What it would be now.
        found: Digest,
    },
    /// A gate said no to the plan under the lock.
    #[error("{}", .0.iter().map(|refusal| format!("{}: {}", refusal.gate, refusal.message)).collect::<Vec<_>>().join("; "))]
    Refused(Vec<Refusal>),
    /// The lock could not be had.
    #[error(transparent)]
    Lock(LockError),
    /// Another run took over in the middle; what it didn't finish is for the next run.
    #[error("another run took this database over")]
    Fenced,
    /// It was asked to end.
    #[error("interrupted{}", .committed.as_ref().map_or_else(String::new, |text| format!(" ({text})")))]
    Interrupted {
        /// What had been committed of the migration at hand.
        committed: Option<String>,
    },
    /// Nobody can tell whether a statement took effect.
    #[error("{migration}: the outcome of {title} is unknown: {saw}")]
    Unknown {
        /// The migration.
        migration: MigrationName,
        /// The statement's step.
        title: String,
        /// What was seen.
        saw: String,
        /// How a person decides.
        how_to_decide: String,
    },
    /// A migration failed.
    #[error("{migration}: {title} failed: {error}")]
    Migration {
        /// The migration.
        migration: MigrationName,
        /// The step.
        title: String,
        /// What went wrong.
        error: String,
        /// What to do about it.
        hint: Option<String>,
        /// What had been committed of it.
        committed: String,
    },
    /// A migration of another database that this one depends on was not applied.
    #[error("{migration} depends on {needed}, which was not applied")]
    Dependency {
        /// The migration.
        migration: MigrationName,
        /// What it depends on.
        needed: MigrationName,
    },
    /// The credentials ended before anything was done, again and again.
    #[error("the credentials ended before anything could be done with them")]
    CredentialsEnded,
    /// Something belongs to a user that is lent for a while.
    #[error("what was just made belongs to a user that is lent for a while: {}", .objects.join(", "))]
    Owned {
        /// The first few objects.
        objects: Vec<String>,
    },
    /// No connection, even after trying again.
    #[error("{0}")]
    Connect(#[from] ConnectError),
    /// The database refused Whimbrel's own work.
    #[error("{0}")]
    Database(DatabaseError),
    /// The history can't be read.
    #[error(transparent)]
    History(#[from] HistoryError),
    /// The target can't be planned.
    #[error(transparent)]
    Plan(#[from] PlanError),
}

impl RunError {
    /// What to do about it, where there is something to say.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Blocked(blockers) => blockers.first().map(|blocker| blocker.hint.clone()),
            Self::PlanChanged { .. } => {
                Some("look at the plan again with `whimbrel plan`, then apply that one".to_owned())
            }
            Self::Refused(refusals) => refusals.first().map(|refusal| refusal.hint.clone()),
            Self::Lock(LockError::Held { hint, .. }) => Some(hint.clone()),
            Self::Fenced => {
                Some("wait for the other run to end, then look at `whimbrel status`".to_owned())
            }
            Self::CredentialsEnded => Some(
                "lend them for longer than the longest statement takes, or look why they are withdrawn".to_owned(),
            ),
            Self::Owned { .. } => Some(
                "a migration gave `role:` up; give the objects to that role (`REASSIGN OWNED BY … TO …`), or the user can't be \
                 dropped when its time is over"
                    .to_owned(),
            ),
            Self::Unknown { how_to_decide, .. } => Some(how_to_decide.clone()),
            Self::Migration { hint, .. }
            | Self::Connect(ConnectError::Credentials { hint, .. }) => hint.clone(),
            Self::Plan(error) => error.hint.clone(),
            Self::Database(error) | Self::Connect(ConnectError::Database(error)) => {
                error.hint.clone()
            }
            _ => None,
        }
    }

    /// Under which word it is counted.
    #[must_use]
    pub const fn class(&self) -> ErrorClass {
        match self {
            Self::Blocked(_) => ErrorClass::Blocked,
            Self::PlanChanged { .. } => ErrorClass::PlanChanged,
            Self::Refused(_) => ErrorClass::Refused,
            Self::Lock(LockError::Held { .. }) => ErrorClass::Locked,
            Self::Fenced | Self::Lock(LockError::Fenced) => ErrorClass::Fenced,
            Self::Interrupted { .. } => ErrorClass::Interrupted,
            Self::Unknown { .. } => ErrorClass::Unknown,
            Self::Migration { .. } => ErrorClass::Migration,
            Self::Dependency { .. } => ErrorClass::Dependency,
            Self::CredentialsEnded | Self::Connect(ConnectError::Credentials { .. }) => {
                ErrorClass::Credentials
            }
            Self::Connect(ConnectError::Database(_)) => ErrorClass::Connection,
            Self::Owned { .. } | Self::Database(_) | Self::History(_) | Self::Lock(_) => {
                ErrorClass::Database
            }
            Self::Plan(_) => ErrorClass::Plan,
        }
    }

    /// Whether the same may work later without anybody changing anything: somebody else holds the target, or a connection
    /// or its credentials are gone.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Lock(LockError::Held { .. })
            | Self::Fenced
            | Self::CredentialsEnded
            | Self::Connect(ConnectError::Credentials {
                is_temporary: true, ..
            }) => true,
            Self::Lock(LockError::Database(error))
            | Self::Database(error)
            | Self::Connect(ConnectError::Database(error))
            | Self::History(HistoryError::Database(error)) => {
                error.is_connection_lost() || error.is_retryable()
            }
            _ => false,
        }
    }

    /// Whether the connection or its credentials are gone, so that connecting anew may help.
    pub(crate) fn may_end_with_a_new_connection(&self) -> bool {
        match self {
            Self::CredentialsEnded => true,
            Self::Database(error)
            | Self::Connect(ConnectError::Database(error))
            | Self::Lock(LockError::Database(error))
            | Self::History(HistoryError::Database(error)) => error.is_connection_lost(),
            _ => false,
        }
    }
}

impl From<DatabaseError> for RunError {
    fn from(error: DatabaseError) -> Self {
        if error.is_fenced() || error.is_conflict() {
            Self::Fenced
        } else {
            Self::Database(error)
        }
    }
}

impl From<LockError> for RunError {
    fn from(error: LockError) -> Self {
        match error {
            LockError::Fenced => Self::Fenced,
            LockError::Database(error) if error.is_fenced() => Self::Fenced,
            other => Self::Lock(other),
        }
    }
}
