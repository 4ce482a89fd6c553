//! What isn't as it was applied: histories against definitions, and the checks after migrations run again.

use whimbrel_core::history::{MigrationState, Record};
use whimbrel_core::name::{MigrationName, TargetName};
use whimbrel_core::plan::DesiredMigration;
use whimbrel_core::template::expand_sql;
use whimbrel_database::history::read_without_definitions;
use whimbrel_database::{Session, split_query};
use whimbrel_git::Relation;
use whimbrel_project::ProjectError;
use whimbrel_run::failing_check;

use crate::opened::Opened;

/// One thing that isn't as it was applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Where.
    pub target: TargetName,
    /// The migration.
    pub migration: MigrationName,
    /// `unfinished`, `absent`, `edited` or `check`.
    pub kind: &'static str,
    /// What is wrong.
    pub message: String,
}

/// What was found on one target.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// How many migrations were compared.
    pub compared: usize,
    /// What differs.
    pub differences: Vec<Difference>,
    /// Whether a migration was begun there and isn't over: a run may be going on.
    pub is_moving: bool,
    /// Whether something was applied there from a commit that is newer than the one at hand, or isn't known here.
    pub is_ahead: bool,
}

/// Compares a target's history with the definitions, and runs the checks after its migrations again, read only.
///
/// # Errors
/// The target can't be read.
pub async fn compare(opened: &Opened, target: &TargetName) -> Result<Comparison, ProjectError> {
    let mut session = opened.read_only(target).await?;
    let history = read_without_definitions(session.as_mut()).await;
    let history = history.map_err(|source| ProjectError::unreadable(target, source))?;
    let desired = opened.project.desired(&target.database);
    let mut found = Comparison {
        compared: history.records.len(),
        ..Comparison::default()
    };
    for record in &history.records {
        found.is_moving |= matches!(
            record.state,
            MigrationState::Applying | MigrationState::Reverting
        );
        let item = desired
            .iter()
            .find(|item| item.migration.name == record.name);
        if item.is_none() && !found.is_ahead {
            found.is_ahead = is_ahead(opened, record);
        }
        let difference = different(session.as_mut(), record, item).await;
        if let Some((kind, message)) = difference {
            found.differences.push(Difference {
                target: target.clone(),
                migration: record.name.clone(),
                kind,
                message,
            });
        }
    }
    Ok(found)
}

fn is_ahead(opened: &Opened, record: &Record) -> bool {
    let project = &opened.project;
    let (Some(repository), Some(now)) = (project.repository(), project.revision()) else {
        return false;
    };
    let applied = record.revision.as_ref();
    let relation = applied.map(|applied| repository.relation(applied, now));
    matches!(
        relation,
        Some(Ok(Relation::Ancestor | Relation::UnknownRevision))
    )
}

async fn different(
    session: &mut dyn Session,
    record: &Record,
    item: Option<&DesiredMigration>,
) -> Option<(&'static str, String)> {
    if !record.state.is_complete() {
        return Some(("unfinished", format!("it is {}", record.state.as_str())));
    }
    match item {
        None => Some(("absent", "it is applied, and nothing defines it".to_owned())),
        Some(item) if item.checksum != record.checksum => Some((
            "edited",
            format!(
                "{} was edited: applied as {}, now {}",
                item.migration.origin.path,
                record.checksum.short(),
                item.checksum.short()
            ),
        )),
        Some(item) => {
            let failed = failed_check(session, item, record).await;
            failed.map(|words| ("check", words))
        }
    }
}

/// Runs the checks after a migration again, with the parameters that it was applied with.
async fn failed_check(
    session: &mut dyn Session,
    item: &DesiredMigration,
    record: &Record,
) -> Option<String> {
    for check in &item.migration.checks.after {
        let mut check = check.clone();
        match expand_sql(session.dialect(), &check.query, &record.parameters) {
            Ok(query) => match split_query(session.dialect(), &query) {
                Ok(query) => check.query = query.text,
                Err(error) => return Some(format!("the check `{}`: {error}", check.name)),
            },
            Err(error) => return Some(format!("the check `{}`: {error}", check.name)),
        }
        match failing_check(session, std::slice::from_ref(&check)).await {
            Ok(None) => {}
            Ok(Some(words)) => return Some(words),
            Err(error) => return Some(error.to_string()),
        }
    }
    None
}
