//! `whimbrel status`: where every migration stands. Quick with a thousand of them: one read per target, no plugin.

use std::collections::{HashMap, HashSet};

use whimbrel_core::checksum::Checksum;
use whimbrel_core::history::History;
use whimbrel_core::name::MigrationName;
use whimbrel_core::plan::DesiredMigration;
use whimbrel_project::Target;
use whimbrel_report::{MigrationLine, MigrationStanding, StatusView, TargetStatus};

use crate::arguments::{Format, Global, Status};
use crate::error::CliError;
use crate::exit::Exit;
use crate::opened::Opened;
use crate::output::Output;

pub(crate) async fn run(
    arguments: &Status,
    global: &Global,
    output: &Output,
) -> Result<Exit, CliError> {
    let format = output.format(&[Format::Text, Format::Json])?;
    let opened = Opened::open_and_read(global, output).await?;
    let read = opened.histories().await;
    let mut view = StatusView {
        environment: opened.environment().name.clone(),
        revision: opened.project.revision().cloned(),
        targets: Vec::with_capacity(read.len()),
    };
    let mut exit = Exit::Success;
    for (name, history) in read {
        let target = opened.targets.get(&name)?;
        let desired = opened.project.desired(&name.database);
        let status = match history {
            Ok(history) => standing(target, &desired, &history),
            Err(error) => {
                let (text, hint) = (error.to_string(), error.hint());
                exit = CliError::from(error).exit();
                TargetStatus {
                    target: name,
                    location: target.address.clone(),
                    migrations: Vec::new(),
                    error: Some(
                        hint.map_or_else(|| text.clone(), |hint| format!("{text} ({hint})")),
                    ),
                }
            }
        };
        view.targets.push(status);
    }
    output.data(&match format {
        Format::Json => view.json(),
        _ => view.text(),
    });
    Ok(match exit {
        Exit::Success if arguments.detailed.detailed_exitcode && is_pending(&view) => Exit::Pending,
        other => other,
    })
}

fn is_pending(view: &StatusView) -> bool {
    let settled = [MigrationStanding::Applied, MigrationStanding::Baselined];
    view.targets
        .iter()
        .flat_map(|target| &target.migrations)
        .any(|line| line.absent || !settled.contains(&line.state))
}

/// What is recorded in the order in which it was applied, then what is pending in the order in which it would be.
fn standing(target: &Target, desired: &[DesiredMigration], history: &History) -> TargetStatus {
    let defined: HashMap<&MigrationName, &Checksum> = desired
        .iter()
        .map(|item| (&item.migration.name, &item.checksum))
        .collect();
    let recorded: HashSet<&MigrationName> =
        history.records.iter().map(|record| &record.name).collect();
    let mut migrations: Vec<MigrationLine> = history
        .records
        .iter()
        .map(|record| MigrationLine::recorded(record, defined.get(&record.name).copied()))
        .collect();
    migrations.extend(
        desired
            .iter()
            .filter(|item| !recorded.contains(&item.migration.name))
            .map(|item| MigrationLine::pending(item.migration.name.clone(), item.checksum.clone())),
    );
    TargetStatus {
        target: target.name.clone(),
        location: target.address.clone(),
        migrations,
        error: None,
    }
}
