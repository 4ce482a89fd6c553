//! A plan and a status in short, as programs keep them: documents of a few fields, the same for whoever asks.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value as Json, json};
use whimbrel_core::finding::Severity;
use whimbrel_core::history::History;
use whimbrel_core::name::{MigrationName, TargetName};
use whimbrel_core::plan::Work;
use whimbrel_report::findings::Notes;
use whimbrel_report::{MigrationStanding, PlanView};

use crate::error::EngineError;
use crate::opened::Opened;
use crate::prepared::Prepared;
use crate::stand::Stand;
use crate::status::standings;

/// What would be run.
#[must_use]
pub fn plan_summary(opened: &Opened, prepared: &Prepared) -> Json {
    let plan = prepared.plan();
    let refusals = prepared.refusals();
    let view = PlanView {
        plan,
        refusals: &refusals,
        estimates: &[],
        notes: Notes::Counted,
    };
    let changes = plan.changes().filter_map(|(target, work)| {
        let change = work.change()?;
        Some(format!("{}/{}", target.target, change.migration))
    });
    let findings = view.findings();
    let told = findings
        .iter()
        .filter(|finding| finding.severity >= Severity::Warning);
    let (stand, message, hint) = stand(prepared);
    json!({
        "revision": revision(opened),
        "digest": plan.digest().to_string(),
        "stand": stand,
        "message": message,
        "hint": hint,
        "refusals": refusals.iter().map(|refusal| format!("{}: {}", refusal.gate, refusal.message)).collect::<Vec<_>>(),
        "pending": changes.collect::<Vec<_>>(),
        "findings": told.map(|finding| finding.message.clone()).collect::<Vec<_>>(),
        "text": view.text(),
        "after": after(prepared),
    })
}

/// How an environment stands.
#[derive(Debug)]
pub struct StatusSummary {
    revision: Option<String>,
    recorded: Option<String>,
    migrations: Vec<MigrationName>,
    applied: usize,
    pending: usize,
    failed: usize,
    drift: usize,
    absent: usize,
}

impl StatusSummary {
    /// By what the targets record.
    ///
    /// # Errors
    /// A target vanished meanwhile.
    pub fn of(
        opened: &Opened,
        histories: &BTreeMap<TargetName, History>,
    ) -> Result<Self, EngineError> {
        let mut standing = Self {
            revision: revision(opened),
            recorded: recorded(histories),
            migrations: applied(histories.values()),
            applied: 0,
            pending: 0,
            failed: 0,
            drift: 0,
            absent: 0,
        };
        for target in standings(opened, histories)? {
            for line in &target.migrations {
                match line.state {
                    MigrationStanding::Applied | MigrationStanding::Baselined => {
                        standing.applied += 1;
                        standing.absent += usize::from(line.absent);
                    }
                    MigrationStanding::Edited => {
                        standing.applied += 1;
                        standing.drift += 1;
                    }
                    MigrationStanding::Failed => standing.failed += 1,
                    MigrationStanding::Applying
                    | MigrationStanding::Reverting
                    | MigrationStanding::Pending => standing.pending += 1,
                }
            }
        }
        Ok(standing)
    }

    /// As a document. The revision is the one that was asked about where the targets have just what it defines, else
    /// the one that was recorded last.
    #[must_use]
    pub fn json(&self) -> Json {
        let is_there = self.pending + self.failed + self.absent == 0;
        let revision = if is_there {
            &self.revision
        } else {
            &self.recorded
        };
        json!({
            "revision": revision,
            "migrations": self.migrations,
            "applied": self.applied,
            "pending": self.pending + self.failed,
            "failed": self.failed,
            "drift": self.drift,
        })
    }
}

fn stand(prepared: &Prepared) -> (&'static str, Option<String>, Option<String>) {
    if let Some(error) = prepared.survey.failures.values().next() {
        return ("unread", Some(error.to_string()), error.hint());
    }
    match prepared.stand() {
        Stand::Current => ("current", None, None),
        Stand::Pending => ("pending", None, None),
        Stand::Unread { error, hint } => ("unread", Some(error), hint),
        Stand::Waiting(refusals) => {
            let hint = refusals.first().map(|refusal| refusal.hint.clone());
            ("waiting", None, hint)
        }
        Stand::Blocked(error) => {
            let hint = error.hints().into_iter().next();
            ("blocked", Some(error.to_string()), hint)
        }
    }
}

/// What will be applied when the plan has been run.
fn after(prepared: &Prepared) -> Json {
    let mut names = applied(prepared.survey.histories.values());
    let mut count: usize = 0;
    let plan = prepared.plan();
    for target in &plan.targets {
        let history = prepared.survey.histories.get(&target.target);
        let records = history.map(|history| history.records.as_slice());
        let records = records.unwrap_or_default().iter();
        let mut there: BTreeSet<&MigrationName> = records
            .filter(|record| record.state.is_complete())
            .map(|record| &record.name)
            .collect();
        for work in &target.work {
            match work {
                Work::Apply(change) => {
                    there.insert(&change.migration);
                    names.push(change.migration.clone());
                }
                Work::Revert(change) => {
                    there.remove(&change.migration);
                    names.retain(|name| name != &change.migration);
                }
                Work::Rename { from, to } => {
                    there.remove(from);
                    there.insert(to);
                    for name in names.iter_mut().filter(|name| *name == from) {
                        name.clone_from(to);
                    }
                }
            }
        }
        count += there.len();
    }
    let mut seen = BTreeSet::new();
    names.retain(|name| seen.insert(name.clone()));
    json!({ "migrations": names, "applied": count })
}

/// What is applied anywhere, in the order of it.
fn applied<'h>(histories: impl Iterator<Item = &'h History>) -> Vec<MigrationName> {
    let mut records: Vec<_> = histories
        .flat_map(|history| &history.records)
        .filter(|record| record.state.is_complete())
        .collect();
    records.sort_by_key(|record| record.sequence);
    let mut seen = BTreeSet::new();
    records.retain(|record| seen.insert(&record.name));
    records
        .into_iter()
        .map(|record| record.name.clone())
        .collect()
}

/// The commit of what was applied last.
fn recorded(histories: &BTreeMap<TargetName, History>) -> Option<String> {
    let records = histories.values().flat_map(|history| &history.records);
    let last = records.max_by_key(|record| record.sequence)?;
    last.revision
        .as_ref()
        .map(|revision| revision.commit.clone())
}

/// The commit that is meant; none when it is in a work tree with changes, or in no repository.
fn revision(opened: &Opened) -> Option<String> {
    let revision = opened.project.revision()?;
    (!revision.dirty).then(|| revision.commit.clone())
}
