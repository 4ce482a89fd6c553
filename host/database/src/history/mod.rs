//! Whimbrel's tables on a target: schema `whimbrel` on PostgreSQL, `whimbrel_*` on SQLite.
//!
//! Reading asks by itself; writing only builds commands, for transactions that `whimbrel-run` composes. All times come
//! from the target's clock.

mod error;
mod event;
mod journal;
mod lease;
mod read;
mod record;
mod row;
pub(crate) mod sql;
mod told;

use whimbrel_core::history::Owner;
use whimbrel_core::statement::Dialect;

pub use error::HistoryError;
pub use event::{NewEvent, event_insert};
pub use journal::{
    Checkpoint, JournalKey, journal_checkpoint, journal_clear, journal_done, journal_insert,
    journal_remove,
};
pub use lease::{LeaseRecord, lease_insert, lease_remove};
pub use read::{
    Locked, has_recorded, read, read_definition, read_events, read_locked, read_telling,
    read_without_definitions, read_without_definitions_of,
};
pub(crate) use read::{check_version, exists};
pub use record::{
    Finished, NewRecord, record_accept, record_delete, record_fail, record_finish, record_insert,
    record_insert_with_event, record_rename, record_replace, record_state,
};

use crate::session::Command;

/// Records who the target belongs to.
#[must_use]
pub fn owner_set(dialect: Dialect, owner: &Owner) -> Command {
    let change = format!(
        "UPDATE {} SET manager = $1, project = $2, environment = $3 WHERE id = 1",
        sql::table(dialect, "owner")
    );
    let parameters = vec![
        sql::text(&owner.manager),
        sql::text(&owner.project),
        sql::text(&owner.environment),
    ];
    sql::exactly_one(dialect, &change, "owner", parameters)
}
