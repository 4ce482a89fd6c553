//! With `--database`, what is planned may depend on migrations of databases that were not asked for: they must be
//! applied there already.

use std::collections::BTreeMap;

use whimbrel_core::name::{DatabaseName, MigrationName};
use whimbrel_core::plan::{Plan, TargetPlan};
use whimbrel_database::history::read_without_definitions;
use whimbrel_project::{ProjectError, Targets};

use crate::error::EngineError;
use crate::opened::Opened;

/// By database that isn't among the targets: what is needed of it, and by which migration.
type Needed = BTreeMap<DatabaseName, Vec<(MigrationName, MigrationName)>>;

/// Refuses a plan that depends on what isn't applied elsewhere.
///
/// # Errors
/// It does, or nobody can tell because a target can't be read.
pub async fn require_dependencies(opened: &Opened, plan: &Plan) -> Result<(), EngineError> {
    if opened.targets.is_complete() {
        return Ok(());
    }
    for (database, needed) in needed(opened, plan) {
        let resolver = opened.targets.resolver().clone();
        let only = std::slice::from_ref(&database);
        let folder = opened.project.folder();
        let targets = Targets::list(opened.environment(), folder, resolver, only).await;
        let located = |error| opened.project.located(&opened.environment().name, error);
        let targets = targets.map_err(located)?;
        for target in targets.iter() {
            let (_, mut session) = targets.connect_read_only(&target.name).await?;
            let history = read_without_definitions(session.as_mut()).await;
            let history =
                history.map_err(|source| ProjectError::unreadable(&target.name, source))?;
            let missing = needed.iter().find(|(name, _)| {
                let record = history.record(name);
                !record.is_some_and(|record| record.state.is_complete())
            });
            if let Some((name, by)) = missing {
                return Err(EngineError::Dependency {
                    migration: by.clone(),
                    needed: name.clone(),
                    target: target.name.clone(),
                });
            }
        }
    }
    Ok(())
}

fn needed(opened: &Opened, plan: &Plan) -> Needed {
    let mut needed = Needed::new();
    for change in plan.targets.iter().flat_map(TargetPlan::applies) {
        for name in &change.prepared.depends_on {
            let mut migrations = opened.project.definitions().migrations.iter();
            let Some(migration) = migrations.find(|migration| &migration.name == name) else {
                continue;
            };
            let is_target = |database: &DatabaseName| {
                opened
                    .targets
                    .iter()
                    .any(|target| &target.name.database == database)
            };
            if !is_target(&migration.database) {
                needed
                    .entry(migration.database.clone())
                    .or_default()
                    .push((name.clone(), change.migration.clone()));
            }
        }
    }
    needed
}
