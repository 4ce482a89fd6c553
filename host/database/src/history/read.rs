//! Reading what a target records. No tables is an empty history; no privilege is an error, never an empty history.

use std::collections::BTreeMap;

use serde_json::Value as Json;
use whimbrel_core::history::{Event, EventKind, History};
use whimbrel_core::name::MigrationName;
use whimbrel_core::statement::Dialect;
use whimbrel_core::value::{RowSet, Value};

use super::error::HistoryError;
use super::lease::{self, LeaseRecord};
use super::row::{self, Row};
use super::sql::table;
use super::told;
use crate::session::{Command, DatabaseError, Done, Session};
use crate::{postgres, sqlite};

/// Reads everything that a plan needs.
///
/// # Errors
///
/// See [`HistoryError`].
pub async fn read(session: &mut dyn Session) -> Result<History, HistoryError> {
    Ok(read_with(session, "definition", &[], More::Nothing)
        .await?
        .history)
}

/// The same with what is told of each migration, perhaps without the definitions: events may be many, and are asked for where
/// somebody shows what they say.
///
/// # Errors
///
/// See [`HistoryError`].
pub async fn read_telling(
    session: &mut dyn Session,
    definitions: bool,
) -> Result<History, HistoryError> {
    let definition = if definitions { "definition" } else { "'null'" };
    Ok(read_with(session, definition, &[], More::Told)
        .await?
        .history)
}

/// What is asked for besides what every plan needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum More {
    Nothing,
    Leases,
    Told,
}

impl More {
    fn question(self, dialect: Dialect) -> Option<Command> {
        match self {
            Self::Nothing => None,
            Self::Leases => Some(lease::select(dialect)),
            Self::Told => Some(told::select(dialect)),
        }
    }
}

/// What a target records, as its lock's holder reads it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Locked {
    /// Everything that a plan needs.
    pub history: History,
    /// Leases that holders of before left.
    pub leases: Vec<LeaseRecord>,
}

/// Reads what a plan needs and what holders of before left. Only under the lock: taking it brought the tables to the
/// version that has leases.
///
/// # Errors
///
/// See [`HistoryError`].
pub async fn read_locked(session: &mut dyn Session) -> Result<Locked, HistoryError> {
    read_with(session, "definition", &[], More::Leases).await
}

/// The same with `null` in place of the definitions, which are by far the biggest part: for `status`.
///
/// # Errors
///
/// See [`HistoryError`].
pub async fn read_without_definitions(session: &mut dyn Session) -> Result<History, HistoryError> {
    read_without_definitions_of(session, &[]).await
}

/// The same of these migrations alone: a history may have thousands of others. Without names, or with more than a hundred, it
/// is read whole.
///
/// # Errors
///
/// See [`HistoryError`].
pub async fn read_without_definitions_of(
    session: &mut dyn Session,
    only: &[MigrationName],
) -> Result<History, HistoryError> {
    let only = if only.len() > MAXIMUM_NAMES {
        &[]
    } else {
        only
    };
    Ok(read_with(session, "'null'", only, More::Nothing)
        .await?
        .history)
}

/// Reads one recorded definition.
///
/// # Errors
///
/// See [`HistoryError`].
pub async fn read_definition(
    session: &mut dyn Session,
    name: &MigrationName,
) -> Result<Option<Json>, HistoryError> {
    let sql = format!(
        "SELECT definition FROM {} WHERE name = $1",
        table(session.dialect(), "migration")
    );
    let done = ask(
        session,
        vec![Command::with(sql, vec![Value::Text(name.to_string())])],
    )
    .await?;
    let rows = done
        .into_iter()
        .next()
        .map(|done| done.rows)
        .unwrap_or_default();
    rows.rows
        .iter()
        .map(|values| Row::new("migration", &rows.columns, values).json("definition"))
        .next()
        .transpose()
}

/// Reads the latest events, newest first.
///
/// # Errors
///
/// See [`HistoryError`].
pub async fn read_events(
    session: &mut dyn Session,
    limit: u32,
) -> Result<Vec<Event>, HistoryError> {
    let sql = format!(
        "SELECT {EVENT} FROM {} ORDER BY id DESC LIMIT $1",
        table(session.dialect(), "event")
    );
    let done = ask(
        session,
        vec![Command::with(sql, vec![Value::Integer(limit.into())])],
    )
    .await?;
    done.first().map_or_else(
        || Ok(Vec::new()),
        |done| each(&done.rows, "event", row::event),
    )
}

/// Whether a run has recorded such an event of a migration.
///
/// # Errors
///
/// See [`HistoryError`].
pub async fn has_recorded(
    session: &mut dyn Session,
    run: &str,
    kind: EventKind,
    migration: &MigrationName,
) -> Result<bool, HistoryError> {
    let sql = format!(
        "SELECT count(*) FROM {} WHERE run = $1 AND kind = $2 AND migration = $3",
        table(session.dialect(), "event")
    );
    let parameters = vec![
        Value::Text(run.to_owned()),
        Value::Text(kind.as_str().to_owned()),
        Value::Text(migration.to_string()),
    ];
    let done = ask(session, vec![Command::with(sql, parameters)]).await?;
    let count = done.first().and_then(|done| done.rows.single());
    Ok(count.is_some_and(|count| *count != Value::Integer(0)))
}

/// How many migrations are asked for by name at most.
const MAXIMUM_NAMES: usize = 100;

const EVENT: &str = "id, kind, migration, run, actor, revision, plan, at, details";

async fn read_with(
    session: &mut dyn Session,
    definition: &str,
    only: &[MigrationName],
    more: More,
) -> Result<Locked, HistoryError> {
    let dialect = session.dialect();
    let table = |name| table(dialect, name);
    // Who asks by names asks again soon, by others.
    let ask_with = |sql: String, parameters| {
        let command = Command::with(sql, parameters);
        if only.is_empty() {
            command
        } else {
            command.recurring()
        }
    };
    let select = |sql: String| ask_with(sql, Vec::new());
    let names = places(only);
    let among = |column: &str| {
        let places: Vec<_> = (1..=names.len()).map(|place| format!("${place}")).collect();
        match only {
            [] => String::new(),
            _ => format!("WHERE {column} IN ({})", places.join(", ")),
        }
    };
    let mut questions = vec![
        select(format!(
            "SELECT o.version, o.manager, o.project, o.environment, l.epoch FROM {} o CROSS JOIN {} l",
            table("owner"),
            table("lock")
        )),
        ask_with(
            format!(
                "SELECT name, sequence, state, checksum, {definition} AS definition, parameters, plugins, revision, run, \
                 actor, started, finished, duration_milliseconds, rows, error, undo FROM {} {} ORDER BY sequence",
                table("migration"),
                among("name")
            ),
            names.clone(),
        ),
        ask_with(
            format!(
                "SELECT migration, direction, position, hash, state, batch, checkpoint, rows_done, rows_total, probe, \
                 undo FROM {} {} ORDER BY migration, direction, position",
                table("journal"),
                among("migration")
            ),
            names.clone(),
        ),
        select(format!(
            "SELECT {EVENT} FROM {} WHERE kind = 'approved' ORDER BY id",
            table("event")
        )),
    ];
    questions.extend(more.question(dialect));
    let done = ask(session, questions).await?;
    let [head, records, journal, approvals, rest @ ..] = done.as_slice() else {
        return Ok(Locked::default());
    };
    let Some(values) = head.rows.rows.first() else {
        return Ok(Locked::default());
    };
    let head = Row::new("owner", &head.rows.columns, values);
    check_version(dialect, head.integer("version")?)?;
    let mut history = History {
        owner: row::owner(&head)?,
        epoch: head.integer("epoch")?,
        records: each(&records.rows, "migration", row::record)?,
        journal: each(&journal.rows, "journal", row::journal_entry)?,
        approvals: each(&approvals.rows, "event", row::event)?,
        told: BTreeMap::new(),
    };
    let mut leases = Vec::new();
    match (more, rest.first()) {
        (More::Leases, Some(done)) => leases = lease::leases(&done.rows)?,
        (More::Told, Some(done)) => history.told = told::told(&done.rows)?,
        _ => {}
    }
    Ok(Locked { history, leases })
}

/// The names as parameters. The last one stands more than once, so that questions about other numbers of migrations are the
/// same question, which is prepared once.
fn places(only: &[MigrationName]) -> Vec<Value> {
    let Some(last) = only.last() else {
        return Vec::new();
    };
    let more = only.len().next_power_of_two() - only.len();
    let all = only.iter().chain(std::iter::repeat_n(last, more));
    all.map(|name| Value::Text(name.to_string())).collect()
}

/// A version that this program doesn't know may mean anything by its columns.
pub(crate) fn check_version(dialect: Dialect, found: i64) -> Result<(), HistoryError> {
    let known = known_version(dialect);
    if found > known {
        Err(HistoryError::Newer { found, known })
    } else {
        Ok(())
    }
}

/// The latest version of the tables that this program knows.
pub(crate) fn known_version(dialect: Dialect) -> i64 {
    let count = match dialect {
        Dialect::Postgres => postgres::schema::VERSIONS.len(),
        Dialect::Sqlite => sqlite::schema::VERSIONS.len(),
    };
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn each<T>(
    rows: &RowSet,
    table: &'static str,
    read: fn(&Row<'_>) -> Result<T, HistoryError>,
) -> Result<Vec<T>, HistoryError> {
    // Room for all of them at once: what grows by doubling touches twice the memory, and a thousand records are half a
    // megabyte.
    let mut all = Vec::with_capacity(rows.rows.len());
    for values in &rows.rows {
        all.push(read(&Row::new(table, &rows.columns, values))?);
    }
    Ok(all)
}

/// Asks in one flight and one snapshot, where the session isn't in a transaction already. Nothing comes back when there
/// are no tables.
async fn ask(
    session: &mut dyn Session,
    questions: Vec<Command>,
) -> Result<Vec<Done>, HistoryError> {
    let dialect = session.dialect();
    if session.in_transaction() {
        return Ok(session.run(&questions).await.map_err(|error| error.error)?);
    }
    // Where they may be missing again and again, a server's log would fill with statements that failed for that.
    let is_again = questions.iter().any(Command::is_recurring) && !session.has_tables();
    if dialect == Dialect::Sqlite || is_again {
        if !exists(session).await? {
            return Ok(Vec::new());
        }
        session.found_tables();
    }
    let begin = match dialect {
        Dialect::Postgres => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
        Dialect::Sqlite => "BEGIN",
    };
    let mut commands = Vec::with_capacity(questions.len() + 2);
    commands.push(Command::text(begin));
    commands.extend(questions);
    commands.push(Command::text("COMMIT"));
    let mut missed = false;
    loop {
        let failed = match session.run(&commands).await {
            Ok(mut done) => {
                done.pop();
                done.remove(0);
                return Ok(done);
            }
            Err(failed) => failed.error,
        };
        if session.in_transaction() {
            session
                .run(&[Command::text("ROLLBACK")])
                .await
                .map_err(|error| error.error)?;
        }
        if !failed.is_table_missing() || missed {
            return Err(failed.into());
        }
        // The catalog decides whether they are missing. Where they are there, another run may have made them since.
        if !exists(session).await? {
            return Ok(Vec::new());
        }
        missed = true;
    }
}

/// Whether Whimbrel's tables are there, for whomever.
pub(crate) async fn exists(session: &mut dyn Session) -> Result<bool, DatabaseError> {
    let sql = match session.dialect() {
        Dialect::Postgres => postgres::schema::EXISTS,
        Dialect::Sqlite => sqlite::schema::EXISTS,
    };
    let done = session.run(&[Command::with(sql, Vec::new())]).await?;
    Ok(done
        .first()
        .and_then(|done| done.rows.single())
        .is_some_and(|count| *count != Value::Integer(0)))
}
