//! What runs on a SQLite session's own thread.

use std::cell::Cell;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};

use rusqlite::fallible_iterator::FallibleIterator;
use rusqlite::types::ValueRef;
use rusqlite::{Batch, Connection, ErrorCode, OpenFlags, Statement};
use whimbrel_core::value::{RowSet, Value};

use super::error;
use super::regular::require_file;
use super::session::Job;
use crate::session::{
    Command, CommandError, Control, DatabaseError, Done, ErrorKind, Protocol, SessionSettings,
};

/// How many virtual machine instructions pass between two looks at the clock.
const CLOCK_EVERY: i32 = 1_000;

/// Opens the file, and nothing else. Read-only sessions never create it: a file that isn't there is an empty database,
/// which is as little to be written, nor is any file that it attaches.
pub(super) fn open(path: &Path, settings: &SessionSettings) -> Result<Connection, DatabaseError> {
    require_file(path)?;
    let flags = OpenFlags::SQLITE_OPEN_NO_MUTEX
        | if settings.read_only {
            OpenFlags::SQLITE_OPEN_READ_ONLY
        } else {
            OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE
        };
    let opened = if settings.read_only && !path.exists() {
        Connection::open_in_memory_with_flags(flags)
    } else if settings.read_only {
        open_read_only(path, flags, settings)
    } else {
        if let Some(folder) = path.parent() {
            // A fresh clone has no folder for its databases. If it can't be made, SQLite says that it can't open the file.
            let _ = std::fs::create_dir_all(folder);
        }
        Connection::open_with_flags(path, flags)
    };
    let connection = opened.map_err(|error| error::of(&error))?;
    let prepare = || {
        connection.busy_timeout(settings.lock_timeout.unwrap_or_default())?;
        connection.pragma_update(None, "foreign_keys", true)?;
        if settings.read_only {
            connection.pragma_update(None, "query_only", true)?;
        }
        Ok(())
    };
    prepare().map_err(|error: rusqlite::Error| error::of(&error))?;
    Ok(connection)
}

/// Opens a file that is there for reading. What a process that died in its COMMIT left beside it can be rolled back only
/// by a connection that may write: one does that and is closed, before there is one that reads.
fn open_read_only(
    path: &Path,
    flags: OpenFlags,
    settings: &SessionSettings,
) -> rusqlite::Result<Connection> {
    let look = |connection: &Connection| {
        connection.query_row("SELECT count(*) FROM sqlite_master", [], |_| Ok(()))
    };
    let connection = Connection::open_with_flags(path, flags)?;
    let looked = look(&connection);
    if looked.as_ref().map_err(rusqlite::Error::sqlite_error_code) != Err(Some(ErrorCode::ReadOnly))
    {
        // Any other error comes again with the first statement, which names itself.
        return Ok(connection);
    }
    drop(connection);
    let flags_to_mend = OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_READ_WRITE;
    let mending = Connection::open_with_flags(path, flags_to_mend)?;
    mending.busy_timeout(settings.lock_timeout.unwrap_or_default())?;
    look(&mending)?;
    drop(mending);
    Connection::open_with_flags(path, flags)
}

/// When the statement that runs now has had its time.
struct Clock {
    timeout: Cell<Option<Duration>>,
    deadline: Arc<Mutex<Option<Instant>>>,
}

impl Clock {
    fn set(&self, deadline: Option<Instant>) {
        *self.deadline.lock().unwrap_or_else(PoisonError::into_inner) = deadline;
    }
}

/// Answers jobs until the session is dropped.
pub(super) fn serve(
    connection: &mut Connection,
    settings: &SessionSettings,
    inbox: &mpsc::Receiver<Job>,
) {
    let clock = Clock {
        timeout: Cell::new(settings.statement_timeout),
        deadline: Arc::default(),
    };
    let deadline = Arc::clone(&clock.deadline);
    let watch = move || {
        let deadline = *deadline.lock().unwrap_or_else(PoisonError::into_inner);
        deadline.is_some_and(|deadline| Instant::now() > deadline)
    };
    if connection
        .progress_handler(CLOCK_EVERY, Some(watch))
        .is_err()
    {
        return;
    }
    while let Ok(job) = inbox.recv() {
        let result = run_all(connection, &job.commands, &clock);
        let _ = job.answer.send((result, !connection.is_autocommit()));
    }
}

fn run_all(
    connection: &Connection,
    commands: &[Command],
    clock: &Clock,
) -> Result<Vec<Done>, CommandError> {
    let mut all = Vec::with_capacity(commands.len());
    for (index, command) in commands.iter().enumerate() {
        clock.set(clock.timeout.get().map(|timeout| Instant::now() + timeout));
        let result = run(connection, command, clock);
        clock.set(None);
        all.push(result.map_err(|error| CommandError { index, error })?);
    }
    Ok(all)
}

fn run(connection: &Connection, command: &Command, clock: &Clock) -> Result<Done, DatabaseError> {
    let control = Control::of(command);
    if control == Control::Rollback && connection.is_autocommit() {
        return Ok(Done::default());
    }
    if let Some((_, milliseconds)) = command
        .sql()
        .rsplit_once("PRAGMA whimbrel_statement_timeout = ")
    {
        let milliseconds = milliseconds.trim().parse().unwrap_or(0);
        clock
            .timeout
            .set((milliseconds > 0).then(|| Duration::from_millis(milliseconds)));
    }
    let sent = || match command.protocol() {
        Protocol::Text => text(connection, command.sql()),
        Protocol::Typed => typed(connection, command),
    };
    let result = if command.is_read() {
        only_reading(connection, sent)
    } else {
        sent()
    };
    if control == Control::Commit && !connection.is_autocommit() {
        // A COMMIT that failed leaves SQLite's transaction open; a caller expects it to have ended.
        clock.set(None);
        connection
            .execute_batch("ROLLBACK")
            .map_err(|error| error::of(&error))?;
    }
    let done = result.map_err(|error| error::of(&error))?;
    match command.guard() {
        Some(guard) if done.rows_affected != 1 => Err(DatabaseError::new(
            ErrorKind::Database,
            guard.code,
            guard.message.clone(),
        )),
        _ => Ok(done),
    }
}

/// Does something while the connection refuses to write, in a transaction that has written as well.
fn only_reading(
    connection: &Connection,
    read: impl FnOnce() -> rusqlite::Result<Done>,
) -> rusqlite::Result<Done> {
    let refuses: bool = connection.pragma_query_value(None, "query_only", |row| row.get(0))?;
    if refuses {
        return read();
    }
    connection.pragma_update(None, "query_only", true)?;
    let result = read();
    connection.pragma_update(None, "query_only", false)?;
    result
}

/// Every statement of a text; rows are those of the last one, as text.
fn text(connection: &Connection, sql: &str) -> rusqlite::Result<Done> {
    let mut done = Done::default();
    let mut batch = Batch::new(connection, sql);
    while let Some(mut statement) = batch.next()? {
        done = step(connection, &mut statement)?;
    }
    for value in done.rows.rows.iter_mut().flatten() {
        if *value != Value::Null {
            *value = Value::Text(value.display());
        }
    }
    Ok(done)
}

fn typed(connection: &Connection, command: &Command) -> rusqlite::Result<Done> {
    let mut statement = connection.prepare_cached(command.sql())?;
    for (index, value) in command.parameters().iter().enumerate() {
        if let Some(place) = statement.parameter_index(&format!("${}", index + 1))? {
            bind(&mut statement, place, value)?;
        }
    }
    step(connection, &mut statement)
}

fn bind(statement: &mut Statement<'_>, place: usize, value: &Value) -> rusqlite::Result<()> {
    match value {
        Value::Null => statement.raw_bind_parameter(place, rusqlite::types::Null),
        Value::Boolean(value) => statement.raw_bind_parameter(place, value),
        Value::Integer(value) => statement.raw_bind_parameter(place, value),
        Value::Real(value) => statement.raw_bind_parameter(place, value),
        Value::Bytes(value) => statement.raw_bind_parameter(place, value),
        Value::Decimal(text)
        | Value::Text(text)
        | Value::Time(text)
        | Value::Json(text)
        | Value::Other(text, _) => statement.raw_bind_parameter(place, text),
    }
}

/// Runs a bound statement to its end.
fn step(connection: &Connection, statement: &mut Statement<'_>) -> rusqlite::Result<Done> {
    let columns: Vec<String> = statement.column_names().map(str::to_owned).collect();
    let changed_before = connection.total_changes();
    let mut found = Vec::new();
    let mut rows = statement.raw_query();
    while let Some(row) = rows.next()? {
        found.push(
            (0..columns.len())
                .map(|index| row.get_ref(index).and_then(value))
                .collect::<rusqlite::Result<_>>()?,
        );
    }
    drop(rows);
    // `changes` keeps the number of the last statement that changed anything, however long ago.
    let changed = if connection.total_changes() == changed_before {
        0
    } else {
        connection.changes()
    };
    let rows_affected = if changed == 0 {
        u64::try_from(found.len()).unwrap_or_default()
    } else {
        changed
    };
    Ok(Done {
        rows_affected,
        rows: RowSet {
            columns,
            rows: found,
        },
    })
}

fn value(value: ValueRef<'_>) -> rusqlite::Result<Value> {
    Ok(match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(value) => Value::Integer(value),
        ValueRef::Real(value) => Value::Real(value),
        // SQLite stores whatever it is given; a text that is none is read as the bytes that it is.
        ValueRef::Text(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => Value::Text(text.to_owned()),
            Err(_) => Value::Bytes(bytes.to_vec()),
        },
        ValueRef::Blob(bytes) => Value::Bytes(bytes.to_vec()),
    })
}
