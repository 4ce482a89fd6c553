//! The stored down of what is applied, newest first: which migrations are meant, and their plan.

use std::collections::BTreeSet;

use whimbrel_core::history::History;
use whimbrel_core::name::MigrationName;
use whimbrel_core::plan::{BlockerCode, Goal};

use crate::error::EngineError;
use crate::opened::Opened;
use crate::prepared::{Passing, Prepared};

/// The plan that reverts these. A target that has none of them has nothing to do with it.
///
/// # Errors
/// See [`Prepared::new`].
pub async fn prepare_revert(
    opened: &Opened,
    names: Vec<MigrationName>,
    passing: Passing,
) -> Result<Prepared, EngineError> {
    let mut prepared = Prepared::new(opened, Goal::Revert(names), passing).await?;
    let targets = &mut prepared.survey.plan.targets;
    let is_somewhere = targets.iter().any(|target| !target.work.is_empty());
    if is_somewhere {
        for target in targets {
            target
                .blockers
                .retain(|blocker| blocker.code != BlockerCode::NotApplied);
        }
    }
    Ok(prepared)
}

/// The migrations that a person means.
///
/// # Errors
/// A name fits several, or can be none; or a target can't be read.
pub async fn named(opened: &Opened, texts: &[String]) -> Result<Vec<MigrationName>, EngineError> {
    let histories = histories(opened).await?;
    let applied: BTreeSet<&MigrationName> = applied(&histories).collect();
    let known: Vec<&MigrationName> = applied.into_iter().collect();
    texts
        .iter()
        .map(|text| opened.meant(text, &known))
        .collect()
}

/// What is applied and isn't defined at a revision.
///
/// # Errors
/// There is no such revision, its definitions are wrong, or a target can't be read.
pub async fn absent_at(opened: &Opened, revision: &str) -> Result<Vec<MigrationName>, EngineError> {
    let then = opened.project.at(revision)?;
    let defined: BTreeSet<&MigrationName> = then
        .definitions()
        .migrations
        .iter()
        .map(|migration| &migration.name)
        .collect();
    let histories = histories(opened).await?;
    let gone: BTreeSet<&MigrationName> = applied(&histories)
        .filter(|name| !defined.contains(name))
        .collect();
    Ok(gone.into_iter().cloned().collect())
}

fn applied(histories: &[History]) -> impl Iterator<Item = &MigrationName> {
    histories
        .iter()
        .flat_map(|history| history.records.iter().map(|record| &record.name))
}

async fn histories(opened: &Opened) -> Result<Vec<History>, EngineError> {
    let mut all = Vec::new();
    for target in opened.names() {
        all.push(opened.history(&target).await?);
    }
    Ok(all)
}
