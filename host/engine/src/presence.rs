//! Whether what somebody waits for is applied: a migration, or all that a revision defines.

use std::collections::BTreeMap;

use whimbrel_core::checksum::Checksum;
use whimbrel_core::history::History;
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
    /// See [`Opened::defined`].
    pub fn migration(opened: &Opened, text: &str) -> Result<Self, EngineError> {
        let migration = opened.defined(text)?;
        let wanted = Migrations::from([(migration.name.clone(), None)]);
        Ok(Self([(migration.database.clone(), wanted)].into()))
    }

    /// A migration of these databases, whether it is defined or not.
    #[must_use]
    pub fn named(name: &MigrationName, databases: impl IntoIterator<Item = DatabaseName>) -> Self {
        let of = |database| (database, Migrations::from([(name.clone(), None)]));
        Self(databases.into_iter().map(of).collect())
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

    /// Whether anything is wanted of a database.
    #[must_use]
    pub fn concerns(&self, database: &DatabaseName) -> bool {
        self.0.contains_key(database)
    }

    /// The first migration that a target's history lacks; none when it has all that is wanted.
    #[must_use]
    pub fn lacking(&self, target: &TargetName, history: &History) -> Option<&MigrationName> {
        let wanted = self.0.get(&target.database)?;
        let is_there = |name: &MigrationName, checksum: &Option<Checksum>| {
            history.record(name).is_some_and(|record| {
                record.state.is_complete()
                    && checksum
                        .as_ref()
                        .is_none_or(|wanted| *wanted == record.checksum)
            })
        };
        wanted
            .iter()
            .find(|(name, checksum)| !is_there(name, checksum))
            .map(|(name, _)| name)
    }

    /// What is still missing somewhere, in words; none when nothing is.
    ///
    /// # Errors
    /// A target can't be read.
    pub async fn missing(&self, opened: &Opened) -> Result<Option<String>, ProjectError> {
        for target in opened.names() {
            if !self.concerns(&target.database) {
                continue;
            }
            let history = opened.history(&target).await?;
            if let Some(name) = self.lacking(&target, &history) {
                return Ok(Some(format!("{name} is not applied on {target}")));
            }
        }
        Ok(None)
    }
}
