//! Rows of Whimbrel's tables as the types of `whimbrel-core`.

use std::cell::Cell;
use std::str::FromStr;

use serde::de::DeserializeOwned;
use serde_json::Value as Json;
use whimbrel_core::history::{
    Direction, Event, EventKind, JournalEntry, JournalState, MigrationState, Owner, Record,
};
use whimbrel_core::lineage::Revision;
use whimbrel_core::value::Value;

use super::HistoryError;

/// One row with the names of its columns.
pub(super) struct Row<'a> {
    table: &'static str,
    columns: &'a [String],
    values: &'a [Value],
    /// Where the next column is expected: most are read in the order in which they were asked for.
    next: Cell<usize>,
}

impl<'a> Row<'a> {
    pub(super) const fn new(
        table: &'static str,
        columns: &'a [String],
        values: &'a [Value],
    ) -> Self {
        Self {
            table,
            columns,
            values,
            next: Cell::new(0),
        }
    }

    fn wrong(&self, column: &str, problem: &str) -> HistoryError {
        HistoryError::Malformed {
            place: format!("{}.{column}", self.table),
            problem: problem.to_owned(),
        }
    }

    fn value(&self, column: &str) -> Result<&'a Value, HistoryError> {
        let next = self.next.get();
        let index = match self.columns.get(next) {
            Some(name) if name == column => Some(next),
            _ => self.columns.iter().position(|name| name == column),
        };
        self.next.set(index.map_or(next, |index| index + 1));
        index
            .and_then(|index| self.values.get(index))
            .ok_or_else(|| self.wrong(column, "the column is missing"))
    }

    pub(super) fn integer(&self, column: &str) -> Result<i64, HistoryError> {
        self.optional_integer(column)?
            .ok_or_else(|| self.wrong(column, "there is no number"))
    }

    fn optional_integer(&self, column: &str) -> Result<Option<i64>, HistoryError> {
        match self.value(column)? {
            Value::Null => Ok(None),
            Value::Integer(number) => Ok(Some(*number)),
            _ => Err(self.wrong(column, "this is no number")),
        }
    }

    pub(super) fn text(&self, column: &str) -> Result<&'a str, HistoryError> {
        self.optional_text(column)?
            .ok_or_else(|| self.wrong(column, "there is no text"))
    }

    fn optional_text(&self, column: &str) -> Result<Option<&'a str>, HistoryError> {
        match self.value(column)? {
            Value::Null => Ok(None),
            Value::Text(text) | Value::Time(text) | Value::Json(text) => Ok(Some(text)),
            _ => Err(self.wrong(column, "this is no text")),
        }
    }

    fn bytes(&self, column: &str) -> Result<Option<Vec<u8>>, HistoryError> {
        match self.value(column)? {
            Value::Null => Ok(None),
            Value::Bytes(bytes) => Ok(Some(bytes.clone())),
            _ => Err(self.wrong(column, "these are no bytes")),
        }
    }

    pub(super) fn parsed<T: FromStr>(&self, column: &str) -> Result<T, HistoryError> {
        let text = self.text(column)?;
        text.parse()
            .map_err(|_| self.wrong(column, &format!("`{text}` can't be read")))
    }

    fn optional_parsed<T: FromStr>(&self, column: &str) -> Result<Option<T>, HistoryError> {
        let Some(text) = self.optional_text(column)? else {
            return Ok(None);
        };
        let parsed = text.parse();
        parsed
            .map(Some)
            .map_err(|_| self.wrong(column, &format!("`{text}` can't be read")))
    }

    fn word<T>(&self, column: &str, parse: fn(&str) -> Option<T>) -> Result<T, HistoryError> {
        let text = self.text(column)?;
        parse(text).ok_or_else(|| self.wrong(column, &format!("`{text}` is unknown")))
    }

    pub(super) fn json<T: DeserializeOwned>(&self, column: &str) -> Result<T, HistoryError> {
        serde_json::from_str(self.text(column)?)
            .map_err(|error| self.wrong(column, &error.to_string()))
    }

    fn revision(&self) -> Result<Option<Revision>, HistoryError> {
        Ok(self.optional_text("revision")?.map(Revision::parse))
    }

    pub(super) fn owned(&self, column: &str) -> Result<String, HistoryError> {
        self.text(column).map(str::to_owned)
    }
}

pub(super) fn owner(row: &Row<'_>) -> Result<Option<Owner>, HistoryError> {
    let Some(manager) = row.optional_text("manager")? else {
        return Ok(None);
    };
    let (project, environment) = (row.parsed("project")?, row.parsed("environment")?);
    Ok(Some(Owner {
        manager: manager.to_owned(),
        project,
        environment,
    }))
}

pub(super) fn record(row: &Row<'_>) -> Result<Record, HistoryError> {
    Ok(Record {
        name: row.parsed("name")?,
        sequence: row.integer("sequence")?,
        state: row.word("state", MigrationState::parse)?,
        checksum: row.parsed("checksum")?,
        definition: row.json("definition")?,
        parameters: row.json("parameters")?,
        plugins: row.json("plugins")?,
        revision: row.revision()?,
        run: row.owned("run")?,
        actor: row.owned("actor")?,
        started: row.owned("started")?,
        finished: row.optional_text("finished")?.map(str::to_owned),
        duration_milliseconds: row.optional_integer("duration_milliseconds")?,
        rows: row.integer("rows")?,
        error: row.optional_text("error")?.map(str::to_owned),
        undo: row.json("undo")?,
    })
}

pub(super) fn journal_entry(row: &Row<'_>) -> Result<JournalEntry, HistoryError> {
    let position = row.integer("position")?;
    Ok(JournalEntry {
        migration: row.parsed("migration")?,
        direction: row.word("direction", Direction::parse)?,
        position: u32::try_from(position)
            .map_err(|_| row.wrong("position", "it is out of range"))?,
        hash: row.parsed("hash")?,
        state: row.word("state", JournalState::parse)?,
        batch: row.integer("batch")?,
        checkpoint: row.bytes("checkpoint")?,
        rows_done: row.integer("rows_done")?,
        rows_total: row.optional_integer("rows_total")?,
        probe: if row.optional_text("probe")?.is_some() {
            Some(row.json::<Json>("probe")?)
        } else {
            None
        },
        undo: row.bytes("undo")?,
    })
}

pub(super) fn event(row: &Row<'_>) -> Result<Event, HistoryError> {
    Ok(Event {
        id: row.integer("id")?,
        kind: row.word("kind", EventKind::parse)?,
        migration: row.optional_parsed("migration")?,
        run: row.owned("run")?,
        actor: row.owned("actor")?,
        revision: row.revision()?,
        plan: row.optional_parsed("plan")?,
        at: row.owned("at")?,
        details: row.json("details")?,
    })
}
