//! Rows of the table `migration`.

use std::collections::BTreeMap;

use serde_json::Value as Json;
use whimbrel_core::checksum::Checksum;
use whimbrel_core::digest::Digest;
use whimbrel_core::history::MigrationState;
use whimbrel_core::lineage::Revision;
use whimbrel_core::name::{MigrationName, PluginName};
use whimbrel_core::statement::Dialect;
use whimbrel_core::value::Value;

use super::event::{self, NewEvent};
use super::sql::{exactly_one, json, now, optional, optional_integer, table, text};
use crate::lock::{Fence, fence};
use crate::session::Command;

/// A migration's row at its first commit. A state that is complete sets the finishing time and, unless it is given, the
/// duration since the transaction began.
#[derive(Clone, Debug, PartialEq)]
pub struct NewRecord {
    /// The migration.
    pub name: MigrationName,
    /// Where it stands after this commit.
    pub state: MigrationState,
    /// Of the definition.
    pub checksum: Checksum,
    /// The whole canonical definition, placeholders kept.
    pub definition: Json,
    /// The resolved non-secret parameters.
    pub parameters: BTreeMap<String, String>,
    /// The digests of the plugins that its steps use.
    pub plugins: BTreeMap<PluginName, Digest>,
    /// The source revision.
    pub revision: Option<Revision>,
    /// The run.
    pub run: String,
    /// Who runs it.
    pub actor: String,
    /// How long it took, if the caller knows better than the transaction's own time.
    pub duration_milliseconds: Option<i64>,
    /// Rows that its plugin steps reported.
    pub rows: i64,
    /// What its plugin steps need to be reverted, by position: base64.
    pub undo: BTreeMap<u32, String>,
}

/// How a migration ended well.
#[derive(Clone, Debug, PartialEq)]
pub struct Finished {
    /// `applied`, usually.
    pub state: MigrationState,
    /// The run.
    pub run: String,
    /// How long it took; none takes the time since it began, by the target's clock.
    pub duration_milliseconds: Option<i64>,
    /// Rows that its plugin steps reported.
    pub rows: i64,
    /// What its plugin steps need to be reverted, by position: base64.
    pub undo: BTreeMap<u32, String>,
}

/// Inserts a migration's row; its sequence is the next one.
#[must_use]
pub fn record_insert(dialect: Dialect, record: &NewRecord) -> Command {
    Command::with(insert(dialect, record), parameters(record))
}

/// Inserts a migration's row and its event and asserts the fence, in as few commands as the dialect allows: the end of a
/// small migration's only transaction.
#[must_use]
pub fn record_insert_with_event(
    record: &NewRecord,
    event: &NewEvent,
    fence: &Fence,
) -> Vec<Command> {
    let dialect = fence.dialect();
    if dialect == Dialect::Sqlite {
        return vec![
            record_insert(dialect, record),
            event::event_insert(dialect, event),
            fence.assert(),
        ];
    }
    let mut all = parameters(record);
    let record_insert = insert(dialect, record);
    let event_insert = event::insert(dialect, all.len() + 1);
    all.extend(event::parameters(event));
    let assert = fence::postgres(all.len() + 1, true);
    all.extend(fence.parameters());
    let sql = format!("WITH record AS ({record_insert}), event AS ({event_insert}) {assert}");
    vec![Command::with(sql, all).recurring()]
}

/// Writes all of a row anew except its sequence: a failed migration whose definition was edited starts over.
#[must_use]
pub fn record_replace(dialect: Dialect, record: &NewRecord) -> Command {
    let times = times(dialect, record.state);
    let change = format!(
        "UPDATE {} SET state = $2, checksum = $3, definition = $4, parameters = $5, plugins = $6, revision = $7, \
         run = $8, actor = $9, started = {}, finished = {}, duration_milliseconds = {}, rows = $11, undo = $12, \
         error = NULL WHERE name = $1",
        table(dialect, "migration"),
        times.started,
        times.finished,
        times.duration
    );
    exactly_one(
        dialect,
        &change,
        &describe(&record.name),
        parameters(record),
    )
}

/// Marks it as done.
#[must_use]
pub fn record_finish(dialect: Dialect, name: &MigrationName, finished: &Finished) -> Command {
    let elapsed = match dialect {
        Dialect::Postgres => "(extract(epoch FROM clock_timestamp() - started) * 1000)::bigint",
        Dialect::Sqlite => {
            "CAST(round((julianday('now') - julianday(started)) * 86400000) AS INTEGER)"
        }
    };
    let change = format!(
        "UPDATE {} SET state = $2, run = $3, finished = {}, duration_milliseconds = coalesce($4, {elapsed}), \
         rows = $5, undo = $6, error = NULL WHERE name = $1",
        table(dialect, "migration"),
        now(dialect)
    );
    let parameters = vec![
        text(name),
        Value::Text(finished.state.as_str().to_owned()),
        text(&finished.run),
        optional_integer(finished.duration_milliseconds),
        Value::Integer(finished.rows),
        json(&finished.undo),
    ];
    exactly_one(dialect, &change, &describe(name), parameters)
}

/// Changes where it stands, and clears its error.
#[must_use]
pub fn record_state(
    dialect: Dialect,
    name: &MigrationName,
    state: MigrationState,
    run: &str,
) -> Command {
    let change = format!(
        "UPDATE {} SET state = $2, run = $3, error = NULL WHERE name = $1",
        table(dialect, "migration")
    );
    let parameters = vec![
        text(name),
        Value::Text(state.as_str().to_owned()),
        Value::Text(run.to_owned()),
    ];
    exactly_one(dialect, &change, &describe(name), parameters)
}

/// Marks it as failed, with the error.
#[must_use]
pub fn record_fail(dialect: Dialect, name: &MigrationName, run: &str, error: &str) -> Command {
    let change = format!(
        "UPDATE {} SET state = 'failed', run = $2, error = $3 WHERE name = $1",
        table(dialect, "migration")
    );
    // PostgreSQL keeps no NUL in a text, and an error may hold anything.
    let error = error.replace('\0', "\u{fffd}");
    let parameters = vec![text(name), Value::Text(run.to_owned()), Value::Text(error)];
    exactly_one(dialect, &change, &describe(name), parameters)
}

/// Removes it: the end of a revert.
#[must_use]
pub fn record_delete(dialect: Dialect, name: &MigrationName) -> Command {
    let change = format!(
        "DELETE FROM {} WHERE name = $1",
        table(dialect, "migration")
    );
    exactly_one(dialect, &change, &describe(name), vec![text(name)])
}

/// Renames it, and its journal with it.
#[must_use]
pub fn record_rename(dialect: Dialect, from: &MigrationName, to: &MigrationName) -> Command {
    let parameters = vec![text(from), text(to)];
    match dialect {
        Dialect::Postgres => {
            let what = describe(from);
            let sql = "WITH journal AS (UPDATE whimbrel.journal SET migration = $2 WHERE migration = $1), \
                       changed AS (UPDATE whimbrel.migration SET name = $2 WHERE name = $1 RETURNING 1) \
                       SELECT whimbrel.assert_one((SELECT count(*) FROM changed), $3)";
            Command::with(sql, [parameters, vec![Value::Text(what)]].concat())
        }
        // A trigger renames the journal.
        Dialect::Sqlite => {
            let change = format!(
                "UPDATE {} SET name = $2 WHERE name = $1",
                table(dialect, "migration")
            );
            exactly_one(dialect, &change, &describe(from), parameters)
        }
    }
}

/// Accepts an edited definition in place of the applied one.
#[must_use]
pub fn record_accept(
    dialect: Dialect,
    name: &MigrationName,
    checksum: &Checksum,
    definition: &Json,
) -> Command {
    let change = format!(
        "UPDATE {} SET checksum = $2, definition = $3 WHERE name = $1",
        table(dialect, "migration")
    );
    exactly_one(
        dialect,
        &change,
        &describe(name),
        vec![text(name), text(checksum), json(definition)],
    )
}

fn describe(name: &MigrationName) -> String {
    format!("record of {name}")
}

fn insert(dialect: Dialect, record: &NewRecord) -> String {
    let table = table(dialect, "migration");
    let times = times(dialect, record.state);
    format!(
        "INSERT INTO {table} (name, sequence, state, checksum, definition, parameters, plugins, revision, run, actor, \
         started, finished, duration_milliseconds, rows, undo) \
         VALUES ($1, (SELECT coalesce(max(sequence), 0) + 1 FROM {table}), $2, $3, $4, $5, $6, $7, $8, $9, \
         {}, {}, {}, $11, $12)",
        times.started, times.finished, times.duration
    )
}

struct Times {
    started: &'static str,
    finished: &'static str,
    /// With `$10`, what the caller knows.
    duration: &'static str,
}

/// A record that is complete at once began with its transaction.
const fn times(dialect: Dialect, state: MigrationState) -> Times {
    let complete = state.is_complete();
    match (dialect, complete) {
        (Dialect::Postgres, true) => Times {
            started: "transaction_timestamp()",
            finished: "clock_timestamp()",
            duration: "coalesce($10, (extract(epoch FROM clock_timestamp() - transaction_timestamp()) * 1000)::bigint)",
        },
        (_, true) => Times {
            started: now(dialect),
            finished: now(dialect),
            duration: "coalesce($10, 0)",
        },
        (_, false) => Times {
            started: now(dialect),
            finished: "NULL",
            duration: "$10",
        },
    }
}

/// In the order of `$1` to `$12`.
fn parameters(record: &NewRecord) -> Vec<Value> {
    vec![
        text(&record.name),
        Value::Text(record.state.as_str().to_owned()),
        text(&record.checksum),
        json(&record.definition),
        json(&record.parameters),
        json(&record.plugins),
        optional(record.revision.as_ref()),
        text(&record.run),
        text(&record.actor),
        optional_integer(record.duration_milliseconds),
        Value::Integer(record.rows),
        json(&record.undo),
    ]
}
