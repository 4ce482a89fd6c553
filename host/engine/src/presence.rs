//! Whether what somebody waits for is applied: a migration, or all that a revision defines.

use std::collections::BTreeMap;

use whimbrel_core::checksum::Checksum;
use whimbrel_core::name::{DatabaseName, MigrationName, TargetName};
use whimbrel_project::ProjectError;

use crate::error::EngineError;
use crate::opened::Opened;

/// Migrations of one database; a checksum where the content counts as well.
type Migrations = BTreeMap<MigrationName, Option<Checksum>>;

/// By database, what must be applied.
#[derive(Clone, Debug)]
pub struct Wanted(BTreeMap<DatabaseName, Migrations>);

impl Wanted {
    /// A migration, whatever it says.
    ///
    /// # Errors
    /// The project defines none of that name.
    pub fn migration(opened: &Opened, name: &MigrationName) -> Result<Self, EngineError> {
        let mut migrations = opened.project.definitions().migrations.iter();
        let Some(migration) = migrations.find(|migration| &migration.name == name) else {
            return Err(EngineError::UnknownMigration(name.clone()));
        };
        let wanted = Migrations::from([(name.clone(), None)]);
        Ok(Self([(migration.database.clone(), wanted)].into()))
    }

    /// Everything that a revision defines, as it defines it.
    ///
    /// # Errors
    /// There is no such revision, or its definitions are wrong.
    pub fn revision(opened: &Opened, revision: &str) -> Result<Self, EngineError> {
        let then = opened.project.at(revision)?;
        let mut all = BTreeMap::new();
        for database in opened.environment().databases.keys() {
            let of = then.desired(database);
            let of = of
                .iter()
                .map(|item| (item.migration.name.clone(), Some(item.checksum.clone())));
            all.insert(database.clone(), of.collect());
        }
        Ok(Self(all))
    }

    /// What is still missing somewhere, in words; none when nothing is.
    ///
    /// # Errors
    /// A target can't be read.
    pub async fn missing(&self, opened: &Opened) -> Result<Option<String>, ProjectError> {
        for target in opened.names() {
            let Some(wanted) = self.0.get(&target.database) else {
                continue;
            };
            if let Some(missing) = missing(opened, &target, wanted).await? {
                return Ok(Some(missing));
            }
        }
        Ok(None)
    }
}

async fn missing(
    opened: &Opened,
    target: &TargetName,
    wanted: &Migrations,
) -> Result<Option<String>, ProjectError> {
    let history = opened.history(target).await?;
    let is_there = |name: &MigrationName, checksum: &Option<Checksum>| {
        history.record(name).is_some_and(|record| {
            record.state.is_complete()
                && checksum
                    .as_ref()
                    .is_none_or(|wanted| *wanted == record.checksum)
        })
    };
    let first = wanted
        .iter()
        .find(|(name, checksum)| !is_there(name, checksum));
    Ok(first.map(|(name, _)| format!("{name} is not applied on {target}")))
}
