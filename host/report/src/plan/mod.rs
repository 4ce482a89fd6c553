//! Plans, with what the gates would say of them.

mod json;
mod markdown;
mod obstacles;
mod text;

use serde::Serialize;
use whimbrel_core::finding::{Finding, Severity};
use whimbrel_core::gate::{Gate, Refusal};
use whimbrel_core::name::{MigrationName, TargetName};
use whimbrel_core::plan::{Change, Plan, TargetPlan, Work};
use whimbrel_core::policy::Policy;

use crate::findings::Notes;

/// A plan and what stands beside it.
#[derive(Clone, Copy, Debug)]
pub struct PlanView<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// What the gates would say.
    pub refusals: &'a [Refusal],
    /// What plugins expect of their steps. Never part of the digest.
    pub estimates: &'a [Estimate],
    /// What becomes of notes in the text.
    pub notes: Notes,
}

/// What a plugin expects of one of its steps.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Estimate {
    /// The target.
    #[serde(serialize_with = "crate::target::serialize")]
    pub target: TargetName,
    /// The migration.
    pub migration: MigrationName,
    /// The step's place among the migration's operations, from 0.
    pub position: u32,
    /// Rows that it would touch, if it can tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
    /// Whatever else it says.
    #[serde(skip_serializing_if = "serde_json::Value::is_null")]
    pub details: serde_json::Value,
}

impl PlanView<'_> {
    /// For people on a terminal.
    #[must_use]
    pub fn text(&self) -> String {
        text::render(self, true)
    }

    /// The same where a database couldn't be read, of which it says nothing.
    #[must_use]
    pub fn text_of_some(&self) -> String {
        text::render(self, false)
    }

    /// For programs.
    #[must_use]
    pub fn json(&self) -> String {
        json::render(self)
    }

    /// For pull requests.
    #[must_use]
    pub fn markdown(&self) -> String {
        markdown::render(self)
    }

    /// What lint found, and what stands in the plan's way: what blocks it, and what a gate says of its migrations. There is an
    /// error among them exactly where [`Refusal::stops`] or a blocker keeps the plan from being run as it is.
    #[must_use]
    pub fn verdict(&self, policy: &Policy) -> Vec<Finding> {
        let mut all = self.findings();
        if self.passes_lint() {
            for finding in &mut all {
                finding.severity = finding.severity.min(Severity::Warning);
            }
        }
        all.extend(obstacles::obstacles(self, policy));
        all
    }

    /// Whether the gate was asked and lets every finding pass.
    fn passes_lint(&self) -> bool {
        let mut refusals = self.refusals.iter();
        !self.plan.is_empty() && refusals.all(|refusal| refusal.gate != Gate::Lint)
    }

    /// Everything that lint found, each finding with its target.
    #[must_use]
    pub fn findings(&self) -> Vec<Finding> {
        let mut all = Vec::new();
        for target in &self.plan.targets {
            for finding in &target.findings {
                let mut finding = finding.clone();
                finding.target.get_or_insert_with(|| target.target.clone());
                all.push(finding);
            }
        }
        all
    }

    fn estimate(&self, target: &TargetName, change: &Change, position: u32) -> Option<u64> {
        let found = self.estimates.iter().find(|estimate| {
            &estimate.target == target
                && estimate.migration == change.migration
                && estimate.position == position
        });
        found.and_then(|estimate| estimate.rows)
    }
}

/// `2 to apply, 1 to revert`, or that there is nothing to do.
fn summary(target: &TargetPlan) -> String {
    let renames = target
        .work
        .iter()
        .filter(|work| matches!(work, Work::Rename { .. }))
        .count();
    let counts = [
        (target.applies().count(), "to apply"),
        (target.reverts().count(), "to revert"),
        (renames, "to rename"),
    ];
    let parts: Vec<String> = counts
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    if parts.is_empty() {
        "nothing to do".to_owned()
    } else {
        parts.join(", ")
    }
}

/// Why a migration is where it is in the plan; none when it is simply next.
fn remark(change: &Change) -> Option<String> {
    use whimbrel_core::plan::RevertReason;

    let mut remarks = Vec::new();
    match change.reason {
        Some(RevertReason::Removed) => remarks.push("its definition was removed in Git"),
        Some(RevertReason::Requested) => remarks.push("asked for by name"),
        Some(RevertReason::Unfinished) => remarks.push("an earlier revert was not finished"),
        None => {}
    }
    if change.resumed {
        remarks.push("goes on where an earlier run stopped");
    }
    if change.out_of_order {
        remarks.push("out of order: a later one is applied already");
    }
    (!remarks.is_empty()).then(|| remarks.join("; "))
}

#[cfg(test)]
pub(crate) mod tests;
