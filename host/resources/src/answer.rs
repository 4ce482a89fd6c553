//! What a plugin is told of a migration: a document of a few fields.

use serde_json::{Value as Json, json};
use whimbrel_core::history::History;
use whimbrel_engine::Opened;

use crate::request::MigrationRequest;

/// How one migration stands.
pub fn migration<'h>(
    opened: &Opened,
    asked: &MigrationRequest,
    histories: impl Iterator<Item = &'h History>,
) -> Json {
    let desired = opened.project.desired(&asked.database);
    let desired = desired
        .iter()
        .find(|item| item.migration.name == asked.name);
    let mut records = histories.flat_map(|history| &history.records);
    let record = records.find(|record| record.name == asked.name);
    let state = record.map_or("pending", |record| record.state.as_str());
    let complete = record.filter(|record| record.state.is_complete());
    let checksum = complete.map(|record| record.checksum.to_string());
    json!({
        "state": if complete.is_some() { "applied" } else { state },
        "checksum": checksum.or_else(|| desired.map(|item| item.checksum.to_string())),
        "appliedAt": complete.and_then(|record| record.finished.clone()),
    })
}
