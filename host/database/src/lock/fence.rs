//! What stands between a run that was taken over and its COMMIT.

use uuid::Uuid;
use whimbrel_core::statement::Dialect;
use whimbrel_core::value::Value;

use crate::session::{Command, FENCED};

/// The right to write to a target, until somebody else takes over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fence {
    dialect: Dialect,
    epoch: i64,
    run: Uuid,
}

impl Fence {
    /// What [`take`](super::take) gives. Public so that tests can forge an outdated one.
    #[must_use]
    pub const fn new(dialect: Dialect, epoch: i64, run: Uuid) -> Self {
        Self {
            dialect,
            epoch,
            run,
        }
    }

    /// The dialect of the target.
    #[must_use]
    pub const fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// The epoch of this run's takeover.
    #[must_use]
    pub const fn epoch(&self) -> i64 {
        self.epoch
    }

    /// The run.
    #[must_use]
    pub const fn run(&self) -> Uuid {
        self.run
    }

    /// A cheap look, without any lock: fails as [`Fence::assert`] does when somebody took over already. Proves nothing
    /// for later, but spares work that would be refused.
    #[must_use]
    pub fn glance(&self) -> Command {
        self.look(false)
    }

    /// The last statement before COMMIT: a share-locking read of epoch and run that raises when it finds nothing. From
    /// then until the COMMIT nobody can take over.
    #[must_use]
    pub fn assert(&self) -> Command {
        self.look(true)
    }

    fn look(&self, share: bool) -> Command {
        match self.dialect {
            Dialect::Postgres => Command::with(postgres(1, share), self.parameters()).recurring(),
            // BEGIN IMMEDIATE locked the whole file already.
            Dialect::Sqlite => Command::with(
                "SELECT 1 FROM whimbrel_lock WHERE epoch = $1 AND run = $2",
                self.parameters(),
            )
            .guarded(FENCED, "another run took over this database"),
        }
    }

    /// What [`postgres`] has places for.
    pub(crate) fn parameters(&self) -> Vec<Value> {
        vec![
            Value::Integer(self.epoch),
            Value::Text(self.run.to_string()),
        ]
    }
}

/// The look at the fence on PostgreSQL, with epoch and run in two places from `first` on.
///
/// The row is read, and locked, by plain SQL. Only when it isn't found, the function looks again, and raises: a server
/// process that never meets a lost fence doesn't have to load the function's language. The operators are named with
/// their schema, as a `search_path` may put others before them.
pub(crate) fn postgres(first: usize, share: bool) -> String {
    let (epoch, run) = (first, first + 1);
    let lock = if share { " FOR SHARE" } else { "" };
    format!(
        "SELECT whimbrel.assert_fence(${epoch}, ${run}, {share}) WHERE NOT EXISTS (\
         SELECT 1 FROM whimbrel.lock WHERE epoch OPERATOR(pg_catalog.=) ${epoch} \
         AND run OPERATOR(pg_catalog.=) ${run}{lock})"
    )
}
