//! Where every migration of an environment stands. Quick with a thousand of them: one read per target, no plugin.

use std::collections::{HashMap, HashSet};

use whimbrel_core::checksum::Checksum;
use whimbrel_core::history::History;
use whimbrel_core::name::{MigrationName, TargetName};
use whimbrel_core::plan::DesiredMigration;
use whimbrel_project::{ProjectError, Target};
use whimbrel_report::{MigrationLine, StatusView, TargetStatus};

use crate::error::EngineError;
use crate::opened::Opened;

/// Where an environment stands.
#[derive(Debug)]
pub struct Status {
    /// As it is shown.
    pub view: StatusView,
    /// Why targets could not be asked, in the order of their names; the view tells it too.
    pub failures: Vec<ProjectError>,
}

/// Asks every target where it stands.
///
/// # Errors
/// A target vanished meanwhile; one that can't be asked is told with the others.
pub async fn status(opened: &Opened) -> Result<Status, EngineError> {
    let read = opened.histories().await;
    let mut view = StatusView {
        environment: opened.environment().name.clone(),
        revision: opened.project.revision().cloned(),
        targets: Vec::with_capacity(read.len()),
    };
    let mut failures = Vec::new();
    for (name, history) in read {
        let target = opened.targets.get(&name)?;
        let status = match history {
            Ok(history) => {
                let desired = opened.project.desired(&name.database);
                standing(target, &desired, &history)
            }
            Err(error) => {
                let (text, hint) = (error.to_string(), error.hint());
                failures.push(error);
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
    Ok(Status { view, failures })
}

/// Where every migration stands on the targets whose histories are known already.
///
/// # Errors
/// A target vanished meanwhile.
pub fn standings<'h>(
    opened: &Opened,
    histories: impl IntoIterator<Item = (&'h TargetName, &'h History)>,
) -> Result<Vec<TargetStatus>, EngineError> {
    histories
        .into_iter()
        .map(|(name, history)| {
            let desired = opened.project.desired(&name.database);
            Ok(standing(opened.targets.get(name)?, &desired, history))
        })
        .collect()
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
    for line in &mut migrations {
        line.told = history.told.get(&line.name).cloned();
    }
    TargetStatus {
        target: target.name.clone(),
        location: target.address.clone(),
        migrations,
        error: None,
    }
}
