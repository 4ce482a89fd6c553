//! Migrations as their authors define them, with placeholders, and as history keeps them.

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::checksum::Checksum;
use crate::duration::Duration;
use crate::name::{DatabaseName, MigrationName, PluginName};

/// One named change of one database.
///
/// Serialized, it is the canonical definition: what the checksum covers and what a target's history keeps, so that
/// it can be reverted from any machine without the file. Everything absent stays absent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Migration {
    /// Its name, unique in the project; not part of the checksum, so that a rename can be followed.
    #[serde(skip, default = "unnamed")]
    pub name: MigrationName,
    /// The logical database that it changes.
    pub database: DatabaseName,
    /// Migrations that must be applied before it, besides the order of names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub depends_on: Vec<MigrationName>,
    /// What it does, in order.
    pub steps: Vec<Step>,
    /// What must be true before and after.
    #[serde(default, skip_serializing_if = "Checks::is_empty")]
    pub checks: Checks,
    /// Business metrics read after it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub metrics: Vec<MetricQuery>,
    /// Where it was read; never part of the checksum.
    #[serde(skip)]
    pub origin: Origin,
}

fn unnamed() -> MigrationName {
    // A fixed name that is valid by construction; the reader of history sets the real one.
    #[allow(clippy::expect_used)]
    "unnamed".parse().expect("a constant valid name")
}

/// Where a definition was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// Path of the document from the project's root, with `/`.
    pub path: String,
    /// Line of the document's name, from 1.
    pub line: u32,
}

/// One part of a migration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// What a person calls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What it does.
    #[serde(flatten)]
    pub action: Action,
    /// How long it may take; the policy's `statementTimeout` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Duration>,
}

/// What a step does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Action {
    /// SQL, perhaps with the SQL that undoes it.
    Sql(SqlAction),
    /// A plugin's work.
    Plugin(PluginAction),
}

/// SQL up and down.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SqlAction {
    /// The statements to apply, with placeholders, LF line ends and no byte order mark.
    pub sql: String,
    /// The statements to revert. None: can't be reverted. Empty: nothing needs to be undone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revert: Option<String>,
    /// The file that `sql` came from, from the project's root; not covered by the checksum.
    #[serde(skip)]
    pub file: Option<Origin>,
    /// The file that `revert` came from; not covered by the checksum.
    #[serde(skip)]
    pub revert_file: Option<Origin>,
}

/// A step done by a plugin.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PluginAction {
    /// The plugin, as `whimbrel.yaml` or the binary names it.
    pub uses: PluginName,
    /// Its configuration, validated against the plugin's own schema.
    #[serde(default, skip_serializing_if = "Json::is_null")]
    pub with: Json,
    /// Other databases of the environment that it may read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reads: Vec<DatabaseName>,
}

/// Checks around a migration.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Checks {
    /// Must hold before anything is done.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub before: Vec<Check>,
    /// Must hold before the migration counts as applied.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<Check>,
}

impl Checks {
    /// Whether there is nothing to check.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.before.is_empty() && self.after.is_empty()
    }
}

/// A query whose single value must be as expected.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Check {
    /// What a person calls it.
    pub name: String,
    /// A query that gives one value.
    pub query: String,
    /// The value that it must give; compared as text when it is text, as a number when it is a number.
    pub equals: Json,
}

/// A business metric read after a migration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MetricQuery {
    /// The metric's name, without the prefix.
    pub name: String,
    /// A query that gives one number.
    pub query: String,
    /// `gauge` or `counter`.
    pub r#type: String,
}

impl Migration {
    /// The canonical definition: a JSON object with sorted keys.
    ///
    /// # Errors
    /// A number that canonical JSON can't say (NaN, infinite, out of range).
    pub fn canonical(&self) -> Result<Json, crate::canonical::CanonicalError> {
        crate::canonical::canonical(self)
    }

    /// The `w1` checksum of the canonical definition.
    ///
    /// # Errors
    /// As for [`Migration::canonical`].
    pub fn checksum(&self) -> Result<Checksum, crate::canonical::CanonicalError> {
        Ok(Checksum::w1(&self.canonical()?))
    }

    /// Reads back what [`Migration::canonical`] gave, as a history keeps it.
    ///
    /// # Errors
    /// The JSON is no definition of this or an earlier release.
    pub fn from_canonical(
        name: MigrationName,
        definition: &Json,
    ) -> Result<Self, serde_json::Error> {
        let mut migration: Self = serde_json::from_value(definition.clone())?;
        migration.name = name;
        Ok(migration)
    }

    /// The plugins that its steps use, in order of first use.
    #[must_use]
    pub fn plugins(&self) -> Vec<&PluginName> {
        let mut names = Vec::new();
        for step in &self.steps {
            if let Action::Plugin(action) = &step.action
                && !names.contains(&&action.uses)
            {
                names.push(&action.uses);
            }
        }
        names
    }
}

impl Step {
    /// Its name, or what it is when it has none, with its number from 1.
    #[must_use]
    pub fn title(&self, index: usize) -> String {
        match (&self.name, &self.action) {
            (Some(name), _) => name.clone(),
            (None, Action::Plugin(action)) => format!("step {} ({})", index + 1, action.uses),
            (
                None,
                Action::Sql(SqlAction {
                    file: Some(origin), ..
                }),
            ) => {
                format!("step {} ({})", index + 1, origin.path)
            }
            (None, Action::Sql(_)) => format!("step {}", index + 1),
        }
    }
}
