//! The second half of planning: the prepared operations of what was decided, with what is done already.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{
    Blocker, BlockerCode, Change, Decision, Decisions, Mistake, OperationAction, PlannedOperation,
    PrepareError, Prepared, RevertReason, TargetPlan, Where, Work,
};
use crate::history::{Direction, History, JournalEntry, JournalState};
use crate::name::{MigrationName, TargetName};
use crate::statement::Dialect;

/// Migrations made ready, or why they can't be.
pub type PreparedMigrations = BTreeMap<MigrationName, Result<Arc<Prepared>, PrepareError>>;

/// Puts a target's plan together. `desired` holds what is applied, prepared from the definitions at hand; `stored`
/// what is reverted, prepared from the definitions in the history.
#[must_use]
pub fn assemble(
    target: TargetName,
    dialect: Dialect,
    decisions: Decisions,
    mut desired: PreparedMigrations,
    mut stored: PreparedMigrations,
    history: &History,
) -> TargetPlan {
    let mut plan = TargetPlan {
        target,
        dialect,
        work: Vec::new(),
        blockers: decisions.blockers,
        findings: Vec::new(),
    };
    let mut mistakes = Vec::new();
    for decision in decisions.decisions {
        match decision {
            Decision::Rename { from, to } => plan.work.push(Work::Rename { from, to }),
            Decision::Revert { name, reason } => match take(&mut stored, &name) {
                Ok(prepared) => revert(prepared, reason, history, &mut plan),
                Err(error) => mistakes.push((name, error)),
            },
            Decision::Apply {
                name,
                resumed,
                out_of_order,
            } => match take(&mut desired, &name) {
                Ok(prepared) => apply(prepared, resumed, out_of_order, history, &mut plan),
                Err(error) => mistakes.push((name, error)),
            },
        }
    }
    plan.blockers.extend(unrunnable(mistakes));
    plan
}

fn take(
    from: &mut PreparedMigrations,
    name: &MigrationName,
) -> Result<Arc<Prepared>, PrepareError> {
    from.remove(name).unwrap_or_else(|| {
        Err(PrepareError::from(Mistake {
            at: Where::NoFile,
            message: "it was decided on but not prepared".to_owned(),
            hint: "this is a bug of Whimbrel; please report it".to_owned(),
        }))
    })
}

/// Everything that is wrong with the migrations of a target, in the order of their files.
fn unrunnable(migrations: Vec<(MigrationName, PrepareError)>) -> impl Iterator<Item = Blocker> {
    let mut mistakes: Vec<(Mistake, MigrationName)> = Vec::new();
    for (name, error) in migrations {
        let found = error.into_mistakes().into_iter();
        mistakes.extend(found.map(|mistake| (mistake, name.clone())));
    }
    mistakes.sort_by(|(one, _), (other, _)| one.at.cmp(&other.at));
    mistakes.into_iter().map(|(mistake, name)| Blocker {
        code: BlockerCode::Unrunnable,
        migration: Some(name),
        place: mistake.at.place(),
        message: mistake.message,
        hint: mistake.hint,
    })
}

fn apply(
    prepared: Arc<Prepared>,
    resumed: bool,
    out_of_order: bool,
    history: &History,
    plan: &mut TargetPlan,
) {
    let journal: BTreeMap<u32, &JournalEntry> = history
        .journal_of(&prepared.name, Direction::Apply)
        .map(|entry| (entry.position, entry))
        .collect();
    let mut operations = Vec::with_capacity(prepared.up.len());
    for (position, operation) in (0u32..).zip(&prepared.up) {
        let entry = journal.get(&position).filter(|_| resumed);
        if let Some(entry) = entry
            && entry.hash != operation.hash
        {
            plan.blockers.push(Blocker {
                code: BlockerCode::Edited,
                migration: Some(prepared.name.clone()),
                place: None,
                message: format!(
                    "{} was edited after an unfinished run had begun it",
                    operation.title
                ),
                hint: "restore what has been run already; only what was not begun may be edited"
                    .to_owned(),
            });
        }
        let done = entry.is_some_and(|entry| entry.state == JournalState::Done);
        operations.push(PlannedOperation {
            position,
            done,
            operation: operation.clone(),
        });
    }
    let beyond = u32::try_from(prepared.up.len()).unwrap_or(u32::MAX);
    if resumed && journal.keys().any(|position| *position >= beyond) {
        plan.blockers.push(Blocker {
            code: BlockerCode::Edited,
            migration: Some(prepared.name.clone()),
            place: None,
            message: "statements that an unfinished run has begun are no longer in the definition"
                .to_owned(),
            hint: "restore what has been run already; only what was not begun may be edited"
                .to_owned(),
        });
    }
    plan.work.push(Work::Apply(Change {
        migration: prepared.name.clone(),
        checksum: prepared.checksum.clone(),
        reason: None,
        resumed,
        out_of_order,
        operations,
        prepared,
    }));
}

fn revert(prepared: Arc<Prepared>, reason: RevertReason, history: &History, plan: &mut TargetPlan) {
    let complete = history
        .record(&prepared.name)
        .is_some_and(|record| record.state.is_complete());
    let begun: Vec<&JournalEntry> = history
        .journal_of(&prepared.name, Direction::Revert)
        .collect();
    let steps = match reached(&prepared, history, complete) {
        Ok(steps) => steps,
        Err(blocker) => {
            plan.blockers.push(*blocker);
            return;
        }
    };
    for (step, title) in prepared
        .irreversible
        .iter()
        .filter(|(step, _)| steps.contains(step))
    {
        plan.blockers.push(Blocker {
            code: BlockerCode::Irreversible,
            migration: Some(prepared.name.clone()),
            place: None,
            message: format!("{title} (step {}) has no down, so the migration can't be reverted", step + 1),
            hint: "write a new migration that undoes it; `revert: \"\"` in a definition says that nothing needs undoing"
                .to_owned(),
        });
    }
    let done: BTreeSet<u32> = begun
        .iter()
        .filter(|entry| entry.state == JournalState::Done)
        .map(|entry| entry.position)
        .collect();
    let operations = (0u32..)
        .zip(&prepared.down)
        .filter(|(_, operation)| steps.contains(&operation.step))
        .map(|(position, operation)| PlannedOperation {
            position,
            done: done.contains(&position),
            operation: operation.clone(),
        })
        .collect();
    plan.work.push(Work::Revert(Change {
        migration: prepared.name.clone(),
        checksum: prepared.checksum.clone(),
        reason: Some(reason),
        resumed: !begun.is_empty(),
        out_of_order: false,
        operations,
        prepared,
    }));
}

/// The steps whose effect is there: all of a complete migration's, and of an unfinished one exactly those that the
/// journal knows to be done. A plugin step counts from its first batch on.
fn reached(
    prepared: &Prepared,
    history: &History,
    complete: bool,
) -> Result<BTreeSet<usize>, Box<Blocker>> {
    let all: BTreeSet<usize> = prepared.up.iter().map(|operation| operation.step).collect();
    if complete {
        return Ok(all);
    }
    let journal: BTreeMap<u32, &JournalEntry> = history
        .journal_of(&prepared.name, Direction::Apply)
        .map(|entry| (entry.position, entry))
        .collect();
    if journal.is_empty()
        && history
            .journal_of(&prepared.name, Direction::Revert)
            .next()
            .is_some()
    {
        // A complete migration whose revert began: its apply journal was cleared when it was done.
        return Ok(all);
    }
    let mut steps = BTreeSet::new();
    for step in all {
        let of_step = || {
            (0u32..)
                .zip(&prepared.up)
                .filter(|(_, operation)| operation.step == step)
        };
        let begun = of_step()
            .filter(|(position, _)| journal.contains_key(position))
            .count();
        let done = of_step()
            .filter(|(position, operation)| {
                journal.get(position).is_some_and(|entry| {
                    entry.state == JournalState::Done
                        || (matches!(operation.action, OperationAction::Plugin { .. })
                            && entry.batch > 0)
                })
            })
            .count();
        if done == of_step().count() {
            steps.insert(step);
        } else if done > 0 || (begun > 0 && !only_untouched_plugin(&of_step, &journal)) {
            let title = of_step()
                .next()
                .map_or_else(String::new, |(_, operation)| operation.title.clone());
            return Err(Box::new(Blocker {
                code: BlockerCode::HalfDone,
                migration: Some(prepared.name.clone()),
                place: None,
                message: format!("{title} was left half done, so its down can't be known to fit"),
                hint: "apply it to its end first, or undo the rest by hand and say so with `whimbrel verify --accept`"
                    .to_owned(),
            }));
        }
    }
    Ok(steps)
}

/// A plugin step that was begun and has committed nothing left no trace.
fn only_untouched_plugin<'a, F, I>(of_step: &F, journal: &BTreeMap<u32, &JournalEntry>) -> bool
where
    F: Fn() -> I,
    I: Iterator<Item = (u32, &'a super::Operation)>,
{
    of_step().all(|(position, operation)| {
        matches!(operation.action, OperationAction::Plugin { .. })
            && journal
                .get(&position)
                .is_none_or(|entry| entry.batch == 0 && entry.state == JournalState::Intent)
    })
}
