//! `whimbrel revert`: the stored down of what is applied, newest first.

use std::collections::BTreeSet;

use whimbrel_core::history::History;
use whimbrel_core::name::MigrationName;
use whimbrel_core::plan::Goal;
use whimbrel_project::{Location, OpenOptions, OpenProject};

use crate::apply::{Prepared, run as run_plan};
use crate::arguments::{Global, Revert};
use crate::command::plan::show;
use crate::error::CliError;
use crate::exit::Exit;
use crate::opened::Opened;
use crate::output::Output;

pub(crate) async fn run(
    arguments: &Revert,
    global: &Global,
    output: &Output,
) -> Result<Exit, CliError> {
    let opened = Opened::open(global, output).await?;
    let names = match &arguments.to {
        Some(revision) => absent_at(&opened, revision).await?,
        None => named(&opened, &arguments.names).await?,
    };
    if names.is_empty() {
        output.answer("nothing to revert\n");
        return Ok(Exit::Success);
    }
    let prepared = prepare(&opened, names, Some(&arguments.passing)).await?;
    if arguments.dry_run {
        show(&opened, &prepared).await?;
        return Ok(Exit::Success);
    }
    run_plan(&opened, prepared, arguments.plan.as_deref()).await
}

/// The plan that reverts these. A target that has none of them has nothing to do with it.
pub(crate) async fn prepare(
    opened: &Opened,
    names: Vec<MigrationName>,
    passing: Option<&crate::arguments::Passing>,
) -> Result<Prepared, CliError> {
    let mut prepared = Prepared::new(opened, Goal::Revert(names), passing).await?;
    let targets = &mut prepared.survey.plan.targets;
    let is_somewhere = targets.iter().any(|target| !target.work.is_empty());
    if is_somewhere {
        for target in targets {
            use whimbrel_core::plan::BlockerCode::NotApplied;
            target.blockers.retain(|blocker| blocker.code != NotApplied);
        }
    }
    Ok(prepared)
}

/// The migrations that a person means.
pub(crate) async fn named(
    opened: &Opened,
    texts: &[String],
) -> Result<Vec<MigrationName>, CliError> {
    let histories = histories(opened).await?;
    let applied: BTreeSet<&MigrationName> = applied(&histories).collect();
    let known: Vec<&MigrationName> = applied.into_iter().collect();
    texts
        .iter()
        .map(|text| opened.meant(text, &known))
        .collect()
}

/// What is applied and isn't defined at a revision.
async fn absent_at(opened: &Opened, revision: &str) -> Result<Vec<MigrationName>, CliError> {
    let location = Location {
        folder: opened.project.folder().to_path_buf(),
        reference: Some(revision.to_owned()),
    };
    let then = OpenProject::open(&location, &OpenOptions::default())?;
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

async fn histories(opened: &Opened) -> Result<Vec<History>, CliError> {
    let mut all = Vec::new();
    for target in opened.names() {
        all.push(opened.history(&target).await?);
    }
    Ok(all)
}
