//! Rows of the append-only table `event`.

use serde_json::Value as Json;
use whimbrel_core::digest::Digest;
use whimbrel_core::history::EventKind;
use whimbrel_core::lineage::Revision;
use whimbrel_core::name::MigrationName;
use whimbrel_core::statement::Dialect;
use whimbrel_core::value::Value;

use super::sql::{json, optional, places, table, text};
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
pub fn event_insert(dialect: Dialect, event: &NewEvent) -> Command {
    Command::with(insert(dialect, 1), parameters(event))
}

/// How many parameters an event takes.
pub(super) const PARAMETERS: usize = 7;

pub(super) fn insert(dialect: Dialect, first: usize) -> String {
    let table = table(dialect, "event");
    let places = places(first, PARAMETERS);
    format!(
        "INSERT INTO {table} (kind, migration, run, actor, revision, plan, details) VALUES ({places})"
    )
}

pub(super) fn parameters(event: &NewEvent) -> Vec<Value> {
    vec![
        Value::Text(event.kind.as_str().to_owned()),
        optional(event.migration.as_ref()),
        text(&event.run),
        text(&event.actor),
        optional(event.revision.as_ref()),
        optional(event.plan.as_ref()),
        json(&event.details),
    ]
}
