//! Rows of the table `lease`: on which leases of a secret backend the holder's connection stands. They hold names, never
//! values, and outlive a crash, so that whoever takes the lock next can end what nobody uses any more.

use whimbrel_core::statement::Dialect;
use whimbrel_core::value::{RowSet, Value};

use super::error::HistoryError;
use super::row::Row;
use super::sql::{table, text};
use crate::session::Command;

/// One lease, by the names that its environment and its backend know it by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LeaseRecord {
    /// The backend, as the environment calls it.
    pub backend: String,
    /// The lease, as the backend calls it.
    pub id: String,
}

/// Records a lease; one that is recorded already stays.
#[must_use]
pub fn lease_insert(dialect: Dialect, lease: &LeaseRecord, run: &str) -> Command {
    let sql = format!(
        "INSERT INTO {} (backend, id, run) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        table(dialect, "lease")
    );
    Command::with(sql, vec![text(&lease.backend), text(&lease.id), text(&run)])
}

/// Forgets a lease that is over; one that isn't recorded is fine.
#[must_use]
pub fn lease_remove(dialect: Dialect, lease: &LeaseRecord) -> Command {
    let sql = format!(
        "DELETE FROM {} WHERE backend = $1 AND id = $2",
        table(dialect, "lease")
    );
    Command::with(sql, vec![text(&lease.backend), text(&lease.id)])
}

/// Asks for all of them.
pub(super) fn select(dialect: Dialect) -> Command {
    let sql = format!(
        "SELECT backend, id FROM {} ORDER BY recorded, backend, id",
        table(dialect, "lease")
    );
    Command::with(sql, Vec::new())
}

pub(super) fn leases(rows: &RowSet) -> Result<Vec<LeaseRecord>, HistoryError> {
    rows.rows
        .iter()
        .map(|values: &Vec<Value>| {
            let row = Row::new("lease", &rows.columns, values);
            Ok(LeaseRecord {
                backend: row.text("backend")?.to_owned(),
                id: row.text("id")?.to_owned(),
            })
        })
        .collect()
}
