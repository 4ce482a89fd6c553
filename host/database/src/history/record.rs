//! Rows of the table `migration`.

use std::collections::BTreeMap;

use serde_json::Value as Json;
use whimbrel_core::checksum::Checksum;
use whimbrel_core::digest::Digest;
use whimbrel_core::history::MigrationState;
use whimbrel_core::lineage::Revision;
use whimbrel_core::name::{MigrationName, PluginName};
use whimbrel_core::statement::Dialect;

use super::NewEvent;
use crate::lock::Fence;
use crate::session::Command;

/// A migration's row at its first commit. A state that is complete sets the finishing time and, unless it is given, the
/// duration since the transaction began.
#[derive(Clone, Debug, PartialEq)]
pub struct NewRecord {
    /// The migration.
    pub name: MigrationName,
    /// Where it stands after this commit.
    pub state: MigrationState,
    /// Of the definition.
    pub checksum: Checksum,
    /// The whole canonical definition, placeholders kept.
    pub definition: Json,
    /// The resolved non-secret parameters.
    pub parameters: BTreeMap<String, String>,
    /// The digests of the plugins that its steps use.
    pub plugins: BTreeMap<PluginName, Digest>,
    /// The source revision.
    pub revision: Option<Revision>,
    /// The run.
    pub run: String,
    /// Who runs it.
    pub actor: String,
    /// How long it took, if the caller knows better than the transaction's own time.
    pub duration_milliseconds: Option<i64>,
    /// Rows that its plugin steps reported.
    pub rows: i64,
    /// What its plugin steps need to be reverted, by position: base64.
    pub undo: BTreeMap<u32, String>,
}

/// How a migration ended well.
#[derive(Clone, Debug, PartialEq)]
pub struct Finished {
    /// `applied`, usually.
    pub state: MigrationState,
    /// The run.
    pub run: String,
    /// How long it took; none takes the time since it began, by the target's clock.
    pub duration_milliseconds: Option<i64>,
    /// Rows that its plugin steps reported.
    pub rows: i64,
    /// What its plugin steps need to be reverted, by position: base64.
    pub undo: BTreeMap<u32, String>,
}

/// Inserts a migration's row; its sequence is the next one.
#[must_use]
pub fn record_insert(_dialect: Dialect, _record: &NewRecord) -> Command {
    Command::text("SELECT 1")
}

/// Inserts a migration's row and its event and asserts the fence, in as few commands as the dialect allows: the end of a
/// small migration's only transaction.
#[must_use]
pub fn record_insert_with_event(
    _record: &NewRecord,
    _event: &NewEvent,
    _fence: &Fence,
) -> Vec<Command> {
    Vec::new()
}

/// Writes all of a row anew except its sequence: a failed migration whose definition was edited starts over.
#[must_use]
pub fn record_replace(_dialect: Dialect, _record: &NewRecord) -> Command {
    Command::text("SELECT 1")
}

/// Marks it as done.
#[must_use]
pub fn record_finish(_dialect: Dialect, _name: &MigrationName, _finished: &Finished) -> Command {
    Command::text("SELECT 1")
}

/// Changes where it stands, and clears its error.
#[must_use]
pub fn record_state(
    _dialect: Dialect,
    _name: &MigrationName,
    _state: MigrationState,
    _run: &str,
) -> Command {
    Command::text("SELECT 1")
}

/// Marks it as failed, with the error.
#[must_use]
pub fn record_fail(_dialect: Dialect, _name: &MigrationName, _run: &str, _error: &str) -> Command {
    Command::text("SELECT 1")
}

/// Removes it: the end of a revert.
#[must_use]
pub fn record_delete(_dialect: Dialect, _name: &MigrationName) -> Command {
    Command::text("SELECT 1")
}

/// Renames it, and its journal with it.
#[must_use]
pub fn record_rename(_dialect: Dialect, _from: &MigrationName, _to: &MigrationName) -> Command {
    Command::text("SELECT 1")
}

/// Accepts an edited definition in place of the applied one.
#[must_use]
pub fn record_accept(
    _dialect: Dialect,
    _name: &MigrationName,
    _checksum: &Checksum,
    _definition: &Json,
) -> Command {
    Command::text("SELECT 1")
}
