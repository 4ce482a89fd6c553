//! Approvals: a person's yes to one plan, kept as an event in every target that the plan touches.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::checksum::Checksum;
use crate::digest::Digest;
use crate::history::{Direction, Event, EventKind};
use crate::name::{MigrationName, TargetName};
use crate::plan::{Plan, TargetPlan, Work};

/// One approval of one plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approval {
    /// The plan.
    pub plan: Digest,
    /// Who approved it.
    pub approver: String,
    /// When it stops counting.
    pub expires: Timestamp,
    /// What the plan would do, so that the rest of an interrupted run is still covered.
    pub work: Vec<ApprovedWork>,
}

/// One change that an approval covers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ApprovedWork {
    /// The target.
    pub target: TargetName,
    /// Which way.
    pub direction: Direction,
    /// The migration.
    pub migration: MigrationName,
    /// Of its definition.
    pub checksum: Checksum,
    /// The values that its text uses: with another one it is another work.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, String>,
}

#[derive(Serialize, Deserialize)]
struct Details {
    expires: Timestamp,
    work: Vec<ApprovedWork>,
}

impl Approval {
    /// An approval of a plan as it stands.
    #[must_use]
    pub fn of(plan: &Plan, approver: impl Into<String>, expires: Timestamp) -> Self {
        let work = plan.targets.iter().flat_map(approved_work).collect();
        Self {
            plan: plan.digest(),
            approver: approver.into(),
            expires,
            work,
        }
    }

    /// Reads one back from a target's events; none when the event is something else or damaged.
    #[must_use]
    pub fn from_event(event: &Event) -> Option<Self> {
        if event.kind != EventKind::Approved {
            return None;
        }
        let details: Details = serde_json::from_value(event.details.clone()).ok()?;
        Some(Self {
            plan: event.plan?,
            approver: event.actor.clone(),
            expires: details.expires,
            work: details.work,
        })
    }

    /// What the event's details hold.
    ///
    /// # Errors
    /// Never for the types at hand; the signature is the serializer's.
    pub fn details(&self) -> Result<Json, serde_json::Error> {
        serde_json::to_value(Details {
            expires: self.expires,
            work: self.work.clone(),
        })
    }

    /// Whether it holds for one target's plan at a moment: the plan that was approved, or what is left of it.
    #[must_use]
    pub fn covers(&self, plan: Digest, target: &TargetPlan, now: Timestamp) -> bool {
        now < self.expires
            && (self.plan == plan
                || approved_work(target)
                    .iter()
                    .all(|work| self.work.contains(work)))
    }
}

/// What an approval of a target's plan would cover.
#[must_use]
pub fn approved_work(target: &TargetPlan) -> Vec<ApprovedWork> {
    target
        .work
        .iter()
        .filter_map(|work| {
            let (direction, change) = match work {
                Work::Rename { .. } => return None,
                Work::Apply(change) => (Direction::Apply, change),
                Work::Revert(change) => (Direction::Revert, change),
            };
            Some(ApprovedWork {
                target: target.target.clone(),
                direction,
                migration: change.migration.clone(),
                checksum: change.checksum.clone(),
                parameters: change.prepared.parameters.clone(),
            })
        })
        .collect()
}
