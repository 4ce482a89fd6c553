//! The first half of planning: names and checksums against a target's history.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Blocker, BlockerCode};
use crate::checksum::Checksum;
use crate::definition::Migration;
use crate::history::{History, MigrationState, Owner, Record};
use crate::lineage::{Absence, Lineage};
use crate::name::MigrationName;

/// A migration that a target should have.
#[derive(Clone, Debug, PartialEq)]
pub struct DesiredMigration {
    /// The definition.
    pub migration: Arc<Migration>,
    /// Its checksum.
    pub checksum: Checksum,
}

/// What a plan is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Goal {
    /// Bring the target to the definitions, reverting what Git removed.
    Apply,
    /// Bring the target to have the definitions beside whatever else it has.
    Add,
    /// Revert these, newest first.
    Revert(Vec<MigrationName>),
}

/// Why a migration is reverted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum RevertReason {
    /// A commit removed its definition.
    Removed,
    /// Somebody asked for it by name.
    Requested,
    /// An earlier run began to revert it and did not finish.
    Unfinished,
}

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The same definition has another name now.
    Rename {
        /// The name that the history has.
        from: MigrationName,
        /// The name that it gets.
        to: MigrationName,
    },
    /// Run the stored down.
    Revert {
        /// The migration.
        name: MigrationName,
        /// Why.
        reason: RevertReason,
    },
    /// Run the definition, or the rest of it.
    Apply {
        /// The migration.
        name: MigrationName,
        /// Whether an earlier run began it.
        resumed: bool,
        /// Whether a later one is applied already.
        out_of_order: bool,
    },
}

/// What to do, and why it may not be done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decisions {
    /// In order: renames, reverts from the newest to the oldest, applies.
    pub decisions: Vec<Decision>,
    /// Reasons against any of it.
    pub blockers: Vec<Blocker>,
}

/// Compares what a target should have with what it has. `desired` is in the order in which it would be applied.
#[must_use]
pub fn decide(
    desired: &[DesiredMigration],
    history: &History,
    lineage: &Lineage,
    owner: &Owner,
    goal: &Goal,
) -> Decisions {
    let mut out = Decisions::default();
    if let Some(other) = &history.owner
        && other != owner
    {
        out.blockers.push(Blocker {
            code: BlockerCode::Owner,
            migration: None,
            place: None,
            message: format!(
                "this database belongs to environment `{}` of project `{}` (manager `{}`)",
                other.environment, other.project, other.manager
            ),
            hint: "point the environment at its own database, or take this one over with `whimbrel adopt`".to_owned(),
        });
    }
    match goal {
        Goal::Apply => {
            let gone = absences(desired, history, lineage, &mut out);
            if let Some(gone) = gone {
                towards(desired, history, &gone, &mut out);
            }
        }
        Goal::Add => towards(desired, history, &Gone::default(), &mut out),
        Goal::Revert(names) => requested(names, history, &mut out),
    }
    keep_dependencies(desired, history, &mut out);
    out
}

/// What becomes of migrations that the definitions lack.
#[derive(Default)]
struct Gone<'a> {
    /// New names of what has another one now.
    renamed: BTreeSet<&'a MigrationName>,
    reverts: Vec<(&'a Record, RevertReason)>,
}

/// Decides on what the definitions lack; none when they can't be meant.
fn absences<'a>(
    desired: &'a [DesiredMigration],
    history: &'a History,
    lineage: &Lineage,
    out: &mut Decisions,
) -> Option<Gone<'a>> {
    let wanted: HashSet<_> = desired.iter().map(|item| &item.migration.name).collect();
    let known: HashSet<_> = history.records.iter().map(|record| &record.name).collect();
    let absence = |record: &Record| {
        let known = lineage.absences.get(&record.name);
        known.unwrap_or(&Absence::NoHistory)
    };
    let is_kept = |record: &Record| record.state.is_complete() && *absence(record) == Absence::Kept;
    if desired.is_empty() && !history.records.iter().all(is_kept) {
        out.blockers.push(Blocker {
            code: BlockerCode::EmptyTree,
            migration: None,
            place: None,
            message: format!(
                "the definitions hold no migration for this database, which has {} applied",
                history.records.len()
            ),
            hint: "an empty tree never reverts everything; check the project's folder and revision, or use `whimbrel revert`"
                .to_owned(),
        });
        return None;
    }
    let mut gone = Gone::default();
    for record in history
        .records
        .iter()
        .filter(|record| !wanted.contains(&record.name))
    {
        let absence = absence(record);
        let twin = desired
            .iter()
            .map(|item| (&item.migration.name, &item.checksum))
            .find(|(name, checksum)| {
                !known.contains(name)
                    && !gone.renamed.contains(name)
                    && **checksum == record.checksum
            });
        match (twin, absence) {
            (Some((name, _)), absence)
                if record.state.is_complete() && *absence != Absence::NotDescendant =>
            {
                gone.renamed.insert(name);
                out.decisions.push(Decision::Rename {
                    from: record.name.clone(),
                    to: name.clone(),
                });
            }
            (_, Absence::Removed { .. }) => gone.reverts.push((record, RevertReason::Removed)),
            _ if is_kept(record) => {}
            (_, absence) => out.blockers.push(absent(record, absence)),
        }
    }
    Some(gone)
}

fn towards(desired: &[DesiredMigration], history: &History, gone: &Gone<'_>, out: &mut Decisions) {
    let wanted: HashSet<_> = desired.iter().map(|item| &item.migration.name).collect();
    let known: HashMap<_, _> = history
        .records
        .iter()
        .map(|record| (&record.name, record))
        .collect();
    let mut reverts = gone.reverts.clone();
    let mut again = BTreeSet::new();
    for record in history
        .records
        .iter()
        .filter(|record| record.state == MigrationState::Reverting)
    {
        if wanted.contains(&record.name) {
            reverts.push((record, RevertReason::Unfinished));
            again.insert(&record.name);
        }
    }
    reverts.sort_by_key(|(record, _)| std::cmp::Reverse(record.sequence));
    out.decisions.extend(
        reverts
            .into_iter()
            .map(|(record, reason)| Decision::Revert {
                name: record.name.clone(),
                reason,
            }),
    );
    let newest = newest_applied(desired, history);
    for (place, item) in desired.iter().enumerate() {
        let name = &item.migration.name;
        if gone.renamed.contains(name) {
            continue;
        }
        let resumed = match known.get(name).copied() {
            None => false,
            Some(_) if again.contains(name) => false,
            Some(record) if record.state.is_complete() => {
                if record.checksum != item.checksum {
                    out.blockers.push(edited(record, item));
                }
                continue;
            }
            Some(_) => true,
        };
        let out_of_order = !resumed && newest.is_some_and(|newest| place < newest);
        out.decisions.push(Decision::Apply {
            name: name.clone(),
            resumed,
            out_of_order,
        });
    }
}

/// The place, in the order of definitions, of the last one that is applied.
fn newest_applied(desired: &[DesiredMigration], history: &History) -> Option<usize> {
    let complete: HashSet<_> = history
        .records
        .iter()
        .filter(|record| record.state.is_complete())
        .map(|record| &record.name)
        .collect();
    desired
        .iter()
        .rposition(|item| complete.contains(&item.migration.name))
}

fn edited(record: &Record, item: &DesiredMigration) -> Blocker {
    Blocker {
        code: BlockerCode::Edited,
        migration: Some(record.name.clone()),
        place: None,
        message: format!(
            "{} was edited after it was applied: applied as {}, now {}",
            item.migration.origin.path,
            record.checksum.short(),
            item.checksum.short()
        ),
        hint: format!(
            "restore the definition and put the change into a new migration, or record it as it is now with `whimbrel verify --accept {}`",
            record.name
        ),
    }
}

fn absent(record: &Record, absence: &Absence) -> Blocker {
    let revision = record
        .revision
        .as_ref()
        .map_or_else(|| "no commit".to_owned(), super::Revision::short);
    let stands = if record.state.is_complete() {
        "it is applied"
    } else {
        "it was begun here and not finished"
    };
    let (code, message, hint) = match absence {
        Absence::NotDescendant => (
            BlockerCode::NotDescendant,
            format!(
                "{stands} from {revision}, and the revision at hand does not descend from that"
            ),
            "use a revision that contains it (rebase the branch, put back what was pushed away by force, don't re-run an old pipeline), or revert it by name",
        ),
        Absence::Uncommitted => (
            BlockerCode::Absent,
            format!("{stands}, and its definition is missing from the work tree only"),
            "commit its removal (`git revert` of the commit that added it) to have it reverted, or restore the file",
        ),
        Absence::NeverCommitted => (
            BlockerCode::Absent,
            format!(
                "{stands} (from {revision}), and no commit since then ever held its definition"
            ),
            "commit its definition, or revert it by name with `whimbrel revert`",
        ),
        Absence::NoHistory | Absence::Kept | Absence::Removed { .. } => (
            BlockerCode::Absent,
            format!(
                "{stands}, its definition is missing, and there is no Git history that says it was removed"
            ),
            "restore the file, or revert it by name with `whimbrel revert`",
        ),
    };
    Blocker {
        code,
        migration: Some(record.name.clone()),
        place: None,
        message,
        hint: hint.to_owned(),
    }
}

fn requested(names: &[MigrationName], history: &History, out: &mut Decisions) {
    let mut found = Vec::new();
    for name in names.iter().collect::<BTreeSet<_>>() {
        match history.record(name) {
            Some(record) => found.push(record),
            None => out.blockers.push(Blocker {
                code: BlockerCode::NotApplied,
                migration: Some(name.clone()),
                place: None,
                message: "it is not applied here, so there is nothing to revert".to_owned(),
                hint: "`whimbrel status` lists what is applied".to_owned(),
            }),
        }
    }
    found.sort_by_key(|record| std::cmp::Reverse(record.sequence));
    out.decisions
        .extend(found.into_iter().map(|record| Decision::Revert {
            name: record.name.clone(),
            reason: RevertReason::Requested,
        }));
}

/// Nothing that stays may depend on something that goes.
fn keep_dependencies(desired: &[DesiredMigration], history: &History, out: &mut Decisions) {
    let going: BTreeSet<&MigrationName> = out
        .decisions
        .iter()
        .filter_map(|decision| match decision {
            Decision::Revert { name, reason } if *reason != RevertReason::Unfinished => Some(name),
            _ => None,
        })
        .collect();
    if going.is_empty() {
        return;
    }
    let mut blockers = Vec::new();
    for record in history
        .records
        .iter()
        .filter(|record| !going.contains(&record.name))
    {
        let now = desired
            .iter()
            .find(|item| item.migration.name == record.name);
        let stored = || Migration::from_canonical(record.name.clone(), &record.definition).ok();
        let depends_on = now
            .map(|item| item.migration.depends_on.clone())
            .or_else(|| stored().map(|m| m.depends_on));
        for needed in depends_on
            .unwrap_or_default()
            .iter()
            .filter(|needed| going.contains(needed))
        {
            blockers.push(Blocker {
                code: BlockerCode::DependedOn,
                migration: Some(needed.clone()),
                place: None,
                message: format!(
                    "it can't be reverted: `{}` depends on it and is applied",
                    record.name
                ),
                hint: format!("revert `{}` as well, or first", record.name),
            });
        }
    }
    out.blockers.append(&mut blockers);
}
