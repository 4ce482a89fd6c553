//! Plans: what would be done to each target, computed and not yet run.
//!
//! Planning has two pure halves, so that only what is needed gets parsed: [`decide`] compares names and checksums
//! with a target's history, and [`assemble`] puts the prepared statements of what was decided into a [`TargetPlan`].

mod assemble;
mod decide;
mod mistake;
mod prepared;

pub use assemble::{PreparedMigrations, assemble};
pub use decide::{Decision, Decisions, DesiredMigration, Goal, RevertReason, decide};
pub use mistake::{Mistake, PrepareError, Where};
pub use prepared::{Operation, OperationAction, Prepared};

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::checksum::Checksum;
use crate::digest::Digest;
use crate::finding::Finding;
use crate::lineage::Revision;
use crate::name::{EnvironmentName, MigrationName, TargetName};
use crate::place::Place;
use crate::statement::Dialect;

/// What would be done to every target of an environment.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// The environment.
    pub environment: EnvironmentName,
    /// Where the definitions came from. Not part of the digest: the effects are.
    pub revision: Option<Revision>,
    /// Every target, also those with nothing to do.
    pub targets: Vec<TargetPlan>,
}

/// What would be done to one target.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TargetPlan {
    /// The target.
    pub target: TargetName,
    /// Its dialect.
    pub dialect: Dialect,
    /// What to do, in order.
    pub work: Vec<Work>,
    /// Why nothing of it may be done.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub blockers: Vec<Blocker>,
    /// What lint and policies say of the pending migrations. Not part of the digest.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Finding>,
}

/// One piece of work on a target.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", tag = "action")]
pub enum Work {
    /// The same definition under a new name: only the history changes.
    Rename {
        /// The name that the history has.
        from: MigrationName,
        /// The name that it gets.
        to: MigrationName,
    },
    /// Run the stored down.
    Revert(Change),
    /// Run the definition.
    Apply(Change),
}

/// A migration's operations in one direction.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    /// The migration.
    pub migration: MigrationName,
    /// Of the definition that is run.
    pub checksum: Checksum,
    /// Why it is reverted; none when it is applied.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<RevertReason>,
    /// Whether it goes on where an earlier run stopped.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub resumed: bool,
    /// Whether a later one is applied already.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub out_of_order: bool,
    /// What is run, in order.
    pub operations: Vec<PlannedOperation>,
    /// The whole migration, for whoever runs it; the checksum stands for it in the digest. Shared, since a plan is made and
    /// copied several times for one run.
    #[serde(skip)]
    pub prepared: Arc<Prepared>,
}

/// An operation in its place.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PlannedOperation {
    /// Its place among all operations of that direction, from 0: the journal's key.
    pub position: u32,
    /// Whether an earlier run has done it already.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub done: bool,
    /// What it does.
    #[serde(flatten)]
    pub operation: Operation,
}

/// A reason why a target's plan can't be run at all.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Blocker {
    /// A stable name.
    pub code: BlockerCode,
    /// The migration that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub migration: Option<MigrationName>,
    /// Where it stands, if it is in a file.
    #[serde(default, flatten, skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// What is wrong, without its place.
    pub message: String,
    /// What would make it right.
    pub hint: String,
}

impl Blocker {
    /// The line that it is about with a caret, for a person.
    #[must_use]
    pub fn excerpt(&self) -> Option<&str> {
        self.place.as_ref()?.excerpt.as_deref()
    }
}

impl fmt::Display for Blocker {
    /// What is wrong, with its place.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            write!(formatter, "{place}: ")?;
        }
        formatter.write_str(&self.message)
    }
}

/// Stable names of blockers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum BlockerCode {
    /// The target belongs to another project or environment.
    Owner,
    /// An applied migration's definition was changed.
    Edited,
    /// The revision is older than, or has diverged from, what is applied.
    NotDescendant,
    /// It is absent, but nothing in Git says that it was removed.
    Absent,
    /// There are no definitions at all.
    EmptyTree,
    /// There is no down.
    Irreversible,
    /// Something applied depends on what would be reverted.
    DependedOn,
    /// What should be reverted isn't applied.
    NotApplied,
    /// The definition can't be run: bad SQL, a plugin that is missing or refused.
    Unrunnable,
    /// A step was left half done, and its down can't be known to fit.
    HalfDone,
}

impl Plan {
    /// The digest of every target's effects: what an approval names and `apply --plan` compares.
    #[must_use]
    pub fn digest(&self) -> Digest {
        let targets: Vec<_> = self
            .targets
            .iter()
            .map(|target| target.digest().to_string())
            .collect();
        let content = json!({"version": 1, "environment": self.environment, "targets": targets});
        Digest::of(crate::canonical::text(&content).as_bytes())
    }

    /// Whether there is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.targets.iter().all(|target| target.work.is_empty())
    }

    /// All blockers, each with its target.
    pub fn blockers(&self) -> impl Iterator<Item = (&TargetName, &Blocker)> {
        self.targets.iter().flat_map(|target| {
            target
                .blockers
                .iter()
                .map(move |blocker| (&target.target, blocker))
        })
    }

    /// All changes, each with its target.
    pub fn changes(&self) -> impl Iterator<Item = (&TargetPlan, &Work)> {
        self.targets
            .iter()
            .flat_map(|target| target.work.iter().map(move |work| (target, work)))
    }
}

impl TargetPlan {
    /// The digest of this target's effects.
    #[must_use]
    pub fn digest(&self) -> Digest {
        let content = json!({
            "target": self.target,
            "dialect": self.dialect,
            "work": self.work,
            "blockers": self.blockers,
        });
        Digest::of(crate::canonical::text(&content).as_bytes())
    }

    /// Migrations that would be applied.
    pub fn applies(&self) -> impl Iterator<Item = &Change> {
        self.work.iter().filter_map(|work| match work {
            Work::Apply(change) => Some(change),
            _ => None,
        })
    }

    /// Migrations that would be reverted.
    pub fn reverts(&self) -> impl Iterator<Item = &Change> {
        self.work.iter().filter_map(|work| match work {
            Work::Revert(change) => Some(change),
            _ => None,
        })
    }
}

impl Work {
    /// The change, unless it is a rename.
    #[must_use]
    pub const fn change(&self) -> Option<&Change> {
        match self {
            Self::Rename { .. } => None,
            Self::Revert(change) | Self::Apply(change) => Some(change),
        }
    }
}

impl Change {
    /// Why its statements lose data, those that are still to be run.
    pub fn destructive(&self) -> impl Iterator<Item = &str> {
        self.operations
            .iter()
            .filter(|planned| !planned.done)
            .flat_map(|planned| {
                let reasons = match &planned.operation.action {
                    OperationAction::Statement(statement) => statement.destructive.as_slice(),
                    OperationAction::Plugin { .. } => &[],
                };
                reasons.iter().map(String::as_str)
            })
    }
}
