//! Rows of the table `journal`. Its key is unique and inserts are plain, so a second insert fails.

use whimbrel_core::history::{Direction, JournalEntry};
use whimbrel_core::name::MigrationName;
use whimbrel_core::statement::Dialect;
use whimbrel_core::value::Value;

use super::sql::{exactly_one, json, now, optional_bytes, optional_integer, places, table, text};
use crate::session::Command;

/// Which row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JournalKey {
    /// The migration.
    pub migration: MigrationName,
    /// Which way.
    pub direction: Direction,
    /// The statement's or step's place, from 0.
    pub position: u32,
}

/// What a plugin step commits with its rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// How many batches were committed before this one: the row must say so, too.
    pub expected_batch: i64,
    /// What the step wants back when it resumes.
    pub bytes: Vec<u8>,
    /// Rows done so far.
    pub rows_done: i64,
    /// Rows in all, if known.
    pub rows_total: Option<i64>,
}

/// Inserts a row.
#[must_use]
pub fn journal_insert(dialect: Dialect, entry: &JournalEntry) -> Command {
    let sql = format!(
        "INSERT INTO {} (migration, direction, position, hash, state, batch, checkpoint, rows_done, rows_total, probe, \
         undo) VALUES ({})",
        table(dialect, "journal"),
        places(1, 11)
    );
    let parameters = vec![
        text(&entry.migration),
        Value::Text(entry.direction.as_str().to_owned()),
        Value::Integer(entry.position.into()),
        text(&entry.hash),
        Value::Text(entry.state.as_str().to_owned()),
        Value::Integer(entry.batch),
        optional_bytes(entry.checkpoint.as_deref()),
        Value::Integer(entry.rows_done),
        optional_integer(entry.rows_total),
        entry.probe.as_ref().map_or(Value::Null, json),
        optional_bytes(entry.undo.as_deref()),
    ];
    Command::with(sql, parameters)
}

/// Marks a row as done.
#[must_use]
pub fn journal_done(
    dialect: Dialect,
    key: &JournalKey,
    rows_done: i64,
    undo: Option<&[u8]>,
) -> Command {
    let change = format!(
        "UPDATE {} SET state = 'done', rows_done = $4, undo = $5, changed = {} WHERE {KEY}",
        table(dialect, "journal"),
        now(dialect)
    );
    let parameters = key.parameters_with(vec![Value::Integer(rows_done), optional_bytes(undo)]);
    exactly_one(dialect, &change, &key.describe(), parameters)
}

/// Raises a row's batch by one: a compare-and-set that raises an error unless it changes exactly one row, so that no
/// pipelined COMMIT passes it.
#[must_use]
pub fn journal_checkpoint(dialect: Dialect, key: &JournalKey, checkpoint: &Checkpoint) -> Command {
    let change = format!(
        "UPDATE {} SET batch = batch + 1, checkpoint = $4, rows_done = $5, rows_total = $6, changed = {} \
         WHERE {KEY} AND state = 'intent' AND batch = $7",
        table(dialect, "journal"),
        now(dialect)
    );
    let parameters = key.parameters_with(vec![
        Value::Bytes(checkpoint.bytes.clone()),
        Value::Integer(checkpoint.rows_done),
        optional_integer(checkpoint.rows_total),
        Value::Integer(checkpoint.expected_batch),
    ]);
    exactly_one(dialect, &change, &key.describe(), parameters).recurring()
}

/// Removes one row: its statement was reverted.
#[must_use]
pub fn journal_remove(dialect: Dialect, key: &JournalKey) -> Command {
    let change = format!("DELETE FROM {} WHERE {KEY}", table(dialect, "journal"));
    exactly_one(
        dialect,
        &change,
        &key.describe(),
        key.parameters_with(Vec::new()),
    )
}

/// Removes all rows of a migration.
#[must_use]
pub fn journal_clear(dialect: Dialect, migration: &MigrationName) -> Command {
    let sql = format!(
        "DELETE FROM {} WHERE migration = $1",
        table(dialect, "journal")
    );
    Command::with(sql, vec![text(migration)])
}

const KEY: &str = "migration = $1 AND direction = $2 AND position = $3";

impl JournalKey {
    fn parameters_with(&self, more: Vec<Value>) -> Vec<Value> {
        let mut parameters = vec![
            text(&self.migration),
            Value::Text(self.direction.as_str().to_owned()),
            Value::Integer(self.position.into()),
        ];
        parameters.extend(more);
        parameters
    }

    fn describe(&self) -> String {
        format!(
            "journal of {} ({} {})",
            self.migration,
            self.direction.as_str(),
            self.position
        )
    }
}
