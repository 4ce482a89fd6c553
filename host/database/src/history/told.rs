//! What the table `event` tells of each migration: how often it was tried, and what came last.

use std::collections::BTreeMap;

use whimbrel_core::history::{EventKind, Told};
use whimbrel_core::name::MigrationName;
use whimbrel_core::statement::Dialect;
use whimbrel_core::value::{RowSet, Value};

use super::error::HistoryError;
use super::row::Row;
use super::sql::table;
use crate::session::Command;

/// Asks for it.
pub(super) fn select(dialect: Dialect) -> Command {
    let event = table(dialect, "event");
    let (applied, failed) = (EventKind::Applied.as_str(), EventKind::Failed.as_str());
    let sql = format!(
        "SELECT e.migration, e.kind, e.at, l.attempts FROM {event} e JOIN ( \
           SELECT max(id) AS id, count(*) FILTER (WHERE kind IN ('{applied}', '{failed}')) AS attempts \
           FROM {event} WHERE migration IS NOT NULL GROUP BY migration \
         ) l ON l.id = e.id"
    );
    Command::with(sql, Vec::new())
}

pub(super) fn told(rows: &RowSet) -> Result<BTreeMap<MigrationName, Told>, HistoryError> {
    rows.rows
        .iter()
        .map(|values: &Vec<Value>| {
            let row = Row::new("event", &rows.columns, values);
            let name = row.parsed("migration")?;
            let told = Told {
                last: row.owned("kind")?,
                at: row.owned("at")?,
                attempts: row.integer("attempts")?,
            };
            Ok((name, told))
        })
        .collect()
}
