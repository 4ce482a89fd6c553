//! A migration made ready for one target: parameters filled in, statements split and classified.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value as Json;

use crate::checksum::Checksum;
use crate::definition::{Check, MetricQuery};
use crate::digest::Digest;
use crate::duration::Duration;
use crate::name::{DatabaseName, MigrationName, PluginName};
use crate::statement::Statement;

/// A migration as one target would run it.
#[derive(Clone, Debug, PartialEq)]
pub struct Prepared {
    /// Its name.
    pub name: MigrationName,
    /// Of its definition.
    pub checksum: Checksum,
    /// The canonical definition, placeholders kept: what the history stores.
    pub definition: Json,
    /// The parameters that its text uses.
    pub parameters: BTreeMap<String, String>,
    /// The plugins that it uses.
    pub plugins: BTreeMap<PluginName, Digest>,
    /// What it depends on.
    pub depends_on: Vec<MigrationName>,
    /// Statements and plugin steps, in order.
    pub up: Vec<Operation>,
    /// What undoes it: steps from the last to the first, each step's statements as written.
    pub down: Vec<Operation>,
    /// Titles of the steps that can't be reverted.
    pub irreversible: Vec<(usize, String)>,
    /// Must hold before, parameters filled in.
    pub before: Vec<Check>,
    /// Must hold after, parameters filled in.
    pub after: Vec<Check>,
    /// Business metrics to read afterwards.
    pub metrics: Vec<MetricQuery>,
}

impl Prepared {
    /// One that does nothing yet.
    #[must_use]
    pub const fn new(name: MigrationName, checksum: Checksum, definition: Json) -> Self {
        Self {
            name,
            checksum,
            definition,
            parameters: BTreeMap::new(),
            plugins: BTreeMap::new(),
            depends_on: Vec::new(),
            up: Vec::new(),
            down: Vec::new(),
            irreversible: Vec::new(),
            before: Vec::new(),
            after: Vec::new(),
            metrics: Vec::new(),
        }
    }
}

/// One statement, or one plugin step.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Operation {
    /// Index of its step in the definition.
    pub step: usize,
    /// The step's name, or what stands for it.
    pub title: String,
    /// Of the statement with its placeholders, or of the plugin step's canonical form.
    pub hash: Digest,
    /// How long it may take, if the step says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Duration>,
    /// What it does.
    #[serde(flatten)]
    pub action: OperationAction,
}

/// What an operation does.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", tag = "kind")]
pub enum OperationAction {
    /// Runs a statement.
    Statement(Statement),
    /// Calls a plugin.
    Plugin {
        /// The plugin.
        uses: PluginName,
        /// Its configuration.
        with: Json,
        /// Databases that it may read.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        reads: Vec<DatabaseName>,
        /// What it says it would do.
        effects: Vec<String>,
    },
}
