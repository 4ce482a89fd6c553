//! Reading what a target records. No tables is an empty history; no privilege is an error, never an empty history.

use serde_json::Value as Json;
use whimbrel_core::history::{Event, History};
use whimbrel_core::name::MigrationName;

use crate::session::{DatabaseError, Session};

/// Why a history can't be read.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// The database refused.
    #[error("the history can't be read: {0}")]
    Database(#[from] DatabaseError),
    /// A newer Whimbrel wrote it.
    #[error(
        "the history was written by a newer Whimbrel (its schema is version {found}, this one knows {known})"
    )]
    Newer {
        /// The version found.
        found: i64,
        /// The latest version known.
        known: i64,
    },
    /// A row holds what no Whimbrel writes.
    #[error("the history holds what no Whimbrel wrote, in {place}: {problem}")]
    Malformed {
        /// Table and column.
        place: String,
        /// What is wrong.
        problem: String,
    },
}

/// Reads everything that a plan needs.
///
/// # Errors
///
/// See [`HistoryError`].
pub async fn read(_session: &mut dyn Session) -> Result<History, HistoryError> {
    Ok(History::default())
}

/// The same with `null` in place of the definitions, which are by far the biggest part: for `status`.
///
/// # Errors
///
/// See [`HistoryError`].
pub async fn read_without_definitions(_session: &mut dyn Session) -> Result<History, HistoryError> {
    Ok(History::default())
}

/// Reads one recorded definition.
///
/// # Errors
///
/// See [`HistoryError`].
pub async fn read_definition(
    _session: &mut dyn Session,
    _name: &MigrationName,
) -> Result<Option<Json>, HistoryError> {
    Ok(None)
}

/// Reads the latest events, newest first.
///
/// # Errors
///
/// See [`HistoryError`].
pub async fn read_events(
    _session: &mut dyn Session,
    _limit: u32,
) -> Result<Vec<Event>, HistoryError> {
    Ok(Vec::new())
}
