//! What may be wrong with a history.

use crate::session::DatabaseError;

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
