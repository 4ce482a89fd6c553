//! Gates: may this plan be run? A gate that says no leaves everything as it was and says what would make it yes.

mod promotion;
mod stopping;

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::approval::Approval;
use crate::finding::Severity;
use crate::lineage::{OffBranch, Revision};
use crate::name::{EnvironmentName, TargetName};
use crate::plan::{Plan, RevertReason, TargetPlan, Work};
use crate::policy::{ApplyRule, DestructiveRule, OutOfOrderRule, Policy, RevertRule};
use crate::promotion::Promotions;

/// The gates, by the names that `--override` takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Gate {
    /// The environment's `branch`.
    Branch,
    /// `policy.destructive`.
    Destructive,
    /// `policy.outOfOrder`.
    OutOfOrder,
    /// `policy.window`.
    Window,
    /// `policy.onRevert`.
    Revert,
    /// The environment's `after`.
    Promotion,
    /// Findings at error level.
    Lint,
    /// `policy.apply`.
    Approval,
}

impl Gate {
    /// Every gate.
    pub const ALL: [Self; 8] = [
        Self::Branch,
        Self::Destructive,
        Self::OutOfOrder,
        Self::Window,
        Self::Revert,
        Self::Promotion,
        Self::Lint,
        Self::Approval,
    ];

    /// The word that `--override` takes.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Branch => "branch",
            Self::Destructive => "destructive",
            Self::OutOfOrder => "out-of-order",
            Self::Window => "window",
            Self::Revert => "revert",
            Self::Promotion => "promotion",
            Self::Lint => "lint",
            Self::Approval => "approval",
        }
    }
}

impl fmt::Display for Gate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// The word names no gate.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "expected one of branch, destructive, out-of-order, window, revert, promotion, lint, approval"
)]
pub struct GateError;

impl FromStr for Gate {
    type Err = GateError;

    fn from_str(text: &str) -> Result<Self, GateError> {
        Self::ALL
            .into_iter()
            .find(|gate| gate.as_str() == text)
            .ok_or(GateError)
    }
}

/// A gate's no.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Refusal {
    /// The gate.
    pub gate: Gate,
    /// Why not.
    pub message: String,
    /// What would make it yes.
    pub hint: String,
}

/// Everything that the gates look at besides the plan.
#[derive(Clone, Debug)]
pub struct GateInput {
    /// The environment's policy.
    pub policy: Policy,
    /// Now, by the caller's clock.
    pub now: Timestamp,
    /// The branch, or pattern of tags, that the environment follows, when what is at hand isn't on it.
    pub branch: Option<(String, OffBranch)>,
    /// The environment before, and what it has published; none when nothing comes before.
    pub promotion: Option<(EnvironmentName, Promotions)>,
    /// The approvals that each target holds.
    pub approvals: BTreeMap<TargetName, Vec<Approval>>,
    /// The author of the revision at hand, who may not approve it.
    pub author: Option<String>,
    /// Whether a person confirmed destructive statements for this run.
    pub destructive_confirmed: bool,
    /// Gates that are passed for this run, audited.
    pub overridden: Vec<Gate>,
}

/// Every gate that says no to the plan, overridden ones left out.
#[must_use]
pub fn evaluate(plan: &Plan, input: &GateInput) -> Vec<Refusal> {
    if plan.is_empty() {
        return Vec::new();
    }
    [
        branch,
        destructive,
        out_of_order,
        window,
        revert,
        promotion::promotion,
        lint,
        approval,
    ]
    .into_iter()
    .filter_map(|gate| gate(plan, input))
    .filter(|refusal| !input.overridden.contains(&refusal.gate))
    .collect()
}

/// A revert by name runs what the target itself stores, so it may be asked for from anywhere.
fn branch(plan: &Plan, input: &GateInput) -> Option<Refusal> {
    let (branch, why) = input.branch.as_ref()?;
    let by_name = plan.changes().all(|(_, work)| {
        matches!(work, Work::Revert(change) if change.reason == Some(RevertReason::Requested))
    });
    if by_name {
        return None;
    }
    let revision = describe_revision(plan.revision.as_ref());
    let environment = &plan.environment;
    let back = || {
        format!("put that commit back into `{branch}` (a revert on top of it undoes what it did)")
    };
    let (why, hint) = match why {
        OffBranch::NoCommit => (
            "what is here is no commit of a Git repository".to_owned(),
            "run it from a clone".to_owned(),
        ),
        OffBranch::NoBranch => (
            "this clone has no such branch or tag".to_owned(),
            format!("`git fetch origin {branch}`, or correct `branch`"),
        ),
        OffBranch::Elsewhere => (
            format!("{revision} isn't on it"),
            format!("merge and push it to `{branch}`, or use `--project DIR@{branch}`"),
        ),
        OffBranch::Uncommitted => (
            "the work tree has changes that no commit has".to_owned(),
            format!("commit and push them, or use `--project DIR@{branch}`"),
        ),
        OffBranch::Rewritten { applied } => (
            format!(
                "{}, which was applied, is no longer on it: it was pushed away by force",
                applied.short()
            ),
            back(),
        ),
        OffBranch::Apart { applied } => (
            format!(
                "{}, which was applied, isn't on it: it was pushed away by force, or is of another branch",
                applied.short()
            ),
            back(),
        ),
    };
    Some(Refusal {
        gate: Gate::Branch,
        message: format!("`{environment}` follows `{branch}`, and {why}"),
        hint: format!("{hint}; `--override branch --reason TEXT` passes it"),
    })
}

fn destructive(plan: &Plan, input: &GateInput) -> Option<Refusal> {
    let hint = match input.policy.destructive {
        DestructiveRule::Allow => return None,
        DestructiveRule::Confirm if input.destructive_confirmed => return None,
        DestructiveRule::Confirm => "look at the plan, then pass `--allow-destructive`",
        DestructiveRule::Forbid => {
            "set `policy.destructive` to `Confirm` or `Allow`, or pass `--override destructive --reason TEXT`"
        }
    };
    let reasons: Vec<String> = plan
        .changes()
        .filter_map(|(_, work)| work.change())
        .flat_map(|change| {
            change
                .destructive()
                .map(move |reason| format!("{} {reason}", change.migration))
        })
        .collect();
    (!reasons.is_empty()).then(|| Refusal {
        gate: Gate::Destructive,
        message: format!("data would be lost: {}", list(&reasons)),
        hint: hint.to_owned(),
    })
}

fn out_of_order(plan: &Plan, input: &GateInput) -> Option<Refusal> {
    if input.policy.out_of_order == OutOfOrderRule::Allow {
        return None;
    }
    let late: Vec<String> = plan
        .targets
        .iter()
        .flat_map(TargetPlan::applies)
        .filter(|change| change.out_of_order)
        .map(|change| change.migration.to_string())
        .collect();
    (!late.is_empty()).then(|| Refusal {
        gate: Gate::OutOfOrder,
        message: format!("a later migration is applied already: {}", list(&late)),
        hint: "rename it so that it comes last, or set `policy.outOfOrder: Allow`".to_owned(),
    })
}

fn window(_: &Plan, input: &GateInput) -> Option<Refusal> {
    let window = input.policy.window.as_ref()?;
    if window.contains(input.now) {
        return None;
    }
    let next = window
        .next_opening(input.now)
        .map_or_else(String::new, |at| format!("it opens next at {at}"));
    Some(Refusal {
        gate: Gate::Window,
        message: format!("now is outside the window {window}"),
        hint: format!("{next}; `--override window --reason TEXT` passes it"),
    })
}

fn revert(plan: &Plan, input: &GateInput) -> Option<Refusal> {
    if input.policy.on_revert != RevertRule::Refuse {
        return None;
    }
    let names: Vec<String> = removed(plan).collect();
    (!names.is_empty()).then(|| Refusal {
        gate: Gate::Revert,
        message: format!(
            "`policy.onRevert` is Refuse, and Git removed {}",
            list(&names)
        ),
        hint: "revert by name with `whimbrel revert`, or set `policy.onRevert`".to_owned(),
    })
}

fn removed(plan: &Plan) -> impl Iterator<Item = String> {
    plan.targets
        .iter()
        .flat_map(TargetPlan::reverts)
        .filter(|change| change.reason == Some(RevertReason::Removed))
        .map(|change| change.migration.to_string())
}

fn lint(plan: &Plan, _: &GateInput) -> Option<Refusal> {
    let mut errors: Vec<String> = plan
        .targets
        .iter()
        .flat_map(|target| &target.findings)
        .filter(|finding| finding.severity == Severity::Error)
        .map(|finding| match (&finding.path, finding.line) {
            (Some(path), Some(line)) => format!("{} at {path}:{line}", finding.rule),
            (Some(path), None) => format!("{} in {path}", finding.rule),
            (None, _) => format!("{} ({})", finding.rule, finding.message),
        })
        .collect();
    errors.dedup();
    (!errors.is_empty()).then(|| Refusal {
        gate: Gate::Lint,
        message: format!("findings at error level: {}", list(&errors)),
        hint: "`whimbrel lint` explains them; `--override lint --reason TEXT` passes them"
            .to_owned(),
    })
}

fn approval(plan: &Plan, input: &GateInput) -> Option<Refusal> {
    let reverts = removed(plan).count();
    let why = if input.policy.apply == ApplyRule::Approve {
        "every plan needs approval".to_owned()
    } else if reverts > 0 && input.policy.on_revert == RevertRule::Approve {
        format!("it reverts {reverts} migration(s) that Git removed")
    } else if reverts > usize::try_from(input.policy.max_reverts).unwrap_or(usize::MAX) {
        format!(
            "it reverts {reverts} migrations, and `policy.maxReverts` is {}",
            input.policy.max_reverts
        )
    } else {
        return None;
    };
    let digest = plan.digest();
    let uncovered = plan
        .targets
        .iter()
        .filter(|target| !target.work.is_empty())
        .find(|target| {
            let held = input
                .approvals
                .get(&target.target)
                .map(Vec::as_slice)
                .unwrap_or_default();
            !held.iter().any(|approval| {
                approval.covers(digest, target, input.now) && may_approve(&approval.approver, input)
            })
        })?;
    Some(Refusal {
        gate: Gate::Approval,
        message: format!("{why}, and no approval covers it on {}", uncovered.target),
        hint: format!(
            "somebody who may approve runs `whimbrel approve --environment {} {digest}`",
            plan.environment
        ),
    })
}

/// Whether an approver counts: among the policy's approvers where it names any, and never the author of the commit
/// unless the policy lists `author`.
#[must_use]
pub fn may_approve(approver: &str, input: &GateInput) -> bool {
    let listed = |entry: &str| input.policy.approvers.iter().any(|other| other == entry);
    let is_author = input.author.as_deref().is_some_and(|author| {
        // `Name <address>`: the address is what identifies.
        author == approver || author.contains(&format!("<{approver}>"))
    });
    if is_author {
        return listed("author");
    }
    let people = input.policy.approvers.iter().any(|entry| entry != "author");
    // Groups are resolved when the approval is given, and recorded beside the name: `ann (group:dba)`.
    !people
        || listed(approver)
        || listed(&format!("user:{approver}"))
        || input
            .policy
            .approvers
            .iter()
            .any(|entry| approver.contains(&format!("({entry})")))
}

/// At most five, and how many more.
fn list(items: &[String]) -> String {
    const SHOWN: usize = 5;
    let shown = items
        .iter()
        .take(SHOWN)
        .cloned()
        .collect::<Vec<_>>()
        .join(", ");
    match items.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// What a plan was made from, for people.
#[must_use]
pub fn describe_revision(revision: Option<&Revision>) -> String {
    revision.map_or_else(|| "files outside Git".to_owned(), Revision::short)
}
