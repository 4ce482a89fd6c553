//! What a run has done to a target, over all its connections: also what was committed and whose answer was lost.

use std::sync::Arc;
use std::time::Instant;

use whimbrel_core::history::{Direction, EventKind};
use whimbrel_core::name::MigrationName;
use whimbrel_core::plan::{Change, Prepared};
use whimbrel_database::history::has_recorded;
use whimbrel_signal::Signal;

use crate::RunError;
use crate::change::{Completed, milliseconds};
use crate::held::Held;
use crate::target::TargetRun;

/// What was done to a migration of a target.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Done {
    /// The migration.
    pub migration: MigrationName,
    /// Which way.
    pub direction: Direction,
    /// How long it took, in milliseconds.
    pub milliseconds: u64,
    /// Rows that plugin steps reported.
    pub rows: u64,
}

/// How far a target's run has come.
#[derive(Default)]
pub(crate) struct Progress {
    done: Vec<Done>,
    /// How much of it was done before the connection at hand.
    earlier: usize,
    at_hand: Option<AtHand>,
}

/// A change that was begun and of which nobody has heard that it is committed.
#[derive(Clone)]
struct AtHand {
    migration: MigrationName,
    prepared: Arc<Prepared>,
    direction: Direction,
    begun: Instant,
}

impl Progress {
    /// A new connection begins.
    pub(crate) const fn connected(&mut self) {
        self.earlier = self.done.len();
    }

    /// Whether the connection at hand has brought it forward.
    pub(crate) const fn moved(&self) -> bool {
        self.done.len() > self.earlier
    }

    /// Whether this was reverted since the connection at hand was made, and so since its history was read.
    pub(crate) fn has_just_reverted(&self, migration: &MigrationName) -> bool {
        let mut latest = self.done.iter().skip(self.earlier);
        latest.any(|item| &item.migration == migration && item.direction == Direction::Revert)
    }

    /// A change is begun.
    pub(crate) fn begin(&mut self, direction: Direction, change: &Change) {
        self.at_hand = Some(AtHand {
            migration: change.migration.clone(),
            prepared: Arc::clone(&change.prepared),
            direction,
            begun: Instant::now(),
        });
    }

    /// The change at hand is committed.
    pub(crate) fn finish(&mut self, completed: &Completed) {
        self.done.extend(self.at_hand.take().map(|at_hand| Done {
            migration: at_hand.migration,
            direction: at_hand.direction,
            milliseconds: completed.milliseconds,
            rows: completed.rows,
        }));
    }

    /// Everything that was done.
    pub(crate) fn into_done(self) -> Vec<Done> {
        self.done
    }
}

impl TargetRun<'_> {
    /// Asks the history of what was at hand when the connection was lost: a COMMIT may have been carried out though its answer
    /// never came. The event tells, which is committed with the last of it.
    pub(crate) async fn settle(
        &self,
        held: &Held,
        progress: &mut Progress,
    ) -> Result<(), RunError> {
        let Some(AtHand {
            migration,
            prepared,
            direction,
            begun,
        }) = progress.at_hand.clone()
        else {
            return Ok(());
        };
        let kind = match direction {
            Direction::Apply => EventKind::Applied,
            Direction::Revert => EventKind::Reverted,
        };
        let is_committed = {
            let mut session = held.writer.session().await;
            let run = self.run.to_string();
            has_recorded(session.as_mut(), &run, kind, &migration).await?
        };
        if !is_committed {
            return Ok(());
        }
        let recorded = held.history.record(&migration);
        let completed = Completed {
            milliseconds: milliseconds(begun),
            rows: recorded.map_or(0, |record| u64::try_from(record.rows).unwrap_or_default()),
        };
        self.request.access.bus.emit(Signal::MigrationFinished {
            target: self.target.clone(),
            migration: migration.clone(),
            direction,
            milliseconds: completed.milliseconds,
            rows: completed.rows,
        });
        progress.finish(&completed);
        self.committed(held, direction, &migration, &prepared).await;
        Ok(())
    }
}
