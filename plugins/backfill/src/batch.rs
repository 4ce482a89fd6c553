//! The statements of a batch.
//!
//! A batch is a range of keys: above the last key that is done, up to the key of the n-th row after it. Rows that share
//! a key at the boundary, and rows that arrive in between, fall into it too. On PostgreSQL it is one statement, and so
//! one round trip; on SQLite, which has no UPDATE inside WITH and no network either, it is two.

use whimbrel_sdk::prelude::*;

/// The quoted name of a table, each part of it by itself.
pub fn table(name: &str) -> String {
    let parts: Vec<String> = name.split('.').map(database::quote).collect();
    parts.join(".")
}

/// A condition that can stand beside others.
///
/// The line break ends a comment at the end of the operator's text.
pub fn condition(filter: Option<&str>) -> String {
    filter.map_or_else(|| "true".to_owned(), |filter| format!("({filter}\n)"))
}

/// A batch's statements, which are the same for every batch with the same bounds.
#[derive(Debug)]
pub struct Batch {
    table: String,
    key: String,
    set: String,
    filter: String,
    size: u32,
}

/// What a batch did.
#[derive(Debug, PartialEq)]
pub struct Done {
    /// Its last key; none when there were no more rows.
    pub last: Option<Value>,
    /// Rows seen when the range was chosen: fewer than a batch's means that this was the last.
    pub seen: u64,
    /// Rows changed.
    pub changed: u64,
}

/// The keys of a batch: above `after`, from `from` if nothing is done yet, never above `until`.
#[derive(Clone, Copy, Debug)]
pub struct Bounds<'a> {
    /// The first key of all, as long as nothing is done.
    pub from: Option<&'a Value>,
    /// The last key that is done.
    pub after: Option<&'a Value>,
    /// The last key of all, if it is known.
    pub until: Option<&'a Value>,
}

impl Bounds<'_> {
    /// The condition on the key, and its parameters from `$1`.
    fn condition(&self, key: &str) -> (String, Vec<Value>) {
        let mut parts = Vec::new();
        let mut parameters = Vec::new();
        for (operator, value) in [
            (">=", self.from.filter(|_| self.after.is_none())),
            (">", self.after),
            ("<=", self.until),
        ] {
            if let Some(value) = value {
                parameters.push(value.clone());
                parts.push(format!("{key} {operator} ${}", parameters.len()));
            }
        }
        if parts.is_empty() {
            parts.push("true".to_owned());
        }
        (parts.join(" AND "), parameters)
    }
}

impl Batch {
    /// The batches of this table.
    pub fn new(table_name: &str, key: &str, set: &str, filter: Option<&str>, size: u32) -> Self {
        Self {
            table: table(table_name),
            key: database::quote(key),
            set: set.to_owned(),
            filter: condition(filter),
            size,
        }
    }

    /// Changes the rows of one batch.
    ///
    /// # Errors
    /// As the database refuses.
    pub fn run(&self, dialect: &Dialect, bounds: Bounds<'_>) -> Result<Done, Fault> {
        if *dialect == Dialect::Postgres {
            self.run_at_once(bounds)
        } else {
            self.run_in_two(bounds)
        }
    }

    /// The rows within these bounds.
    ///
    /// # Errors
    /// As the database refuses.
    pub fn count(&self, bounds: Bounds<'_>) -> Result<u64, Fault> {
        let (range, parameters) = bounds.condition(&self.key);
        let sql = format!(
            "SELECT count(*) FROM {} WHERE {range} AND {}",
            self.table, self.filter
        );
        let rows = database::query(&sql, &parameters)?;
        Ok(rows.single().map_or(0, count))
    }

    /// The rows in all, the first key, and whether a row has none.
    ///
    /// # Errors
    /// As the database refuses.
    pub fn survey(&self) -> Result<(u64, Option<Value>, bool), Fault> {
        let Self {
            table, key, filter, ..
        } = self;
        let sql = format!(
            "SELECT (SELECT count(*) FROM {table} WHERE {filter}), \
             (SELECT {key} FROM {table} WHERE {filter} AND {key} IS NOT NULL ORDER BY {key} LIMIT 1), \
             (SELECT count(*) FROM (SELECT 1 FROM {table} WHERE {key} IS NULL AND {filter} LIMIT 1) AS missing)"
        );
        let rows = database::query(&sql, &[])?;
        let mut row = rows.rows.into_iter().next().unwrap_or_default().into_iter();
        let total = row.next().as_ref().map_or(0, count);
        let first = row.next().filter(|value| !value.is_null());
        let missing = row.next().as_ref().map_or(0, count) > 0;
        Ok((total, first, missing))
    }

    /// The range and its rows' change in one statement.
    fn run_at_once(&self, bounds: Bounds<'_>) -> Result<Done, Fault> {
        let Self {
            table,
            key,
            set,
            filter,
            size,
        } = self;
        let (range, parameters) = bounds.condition(key);
        // `max` isn't there for every type that can be a key (uuid), so the last key is the first from behind.
        let sql = format!(
            "WITH whimbrel_range AS MATERIALIZED (SELECT {key} AS last FROM {table} \
               WHERE {range} AND {filter} ORDER BY {key} LIMIT {size}), \
             whimbrel_bound AS MATERIALIZED (SELECT last FROM whimbrel_range ORDER BY last DESC LIMIT 1), \
             whimbrel_changed AS (UPDATE {table} SET {set}\n \
               WHERE {range} AND {key} <= (SELECT last FROM whimbrel_bound) AND {filter} RETURNING 1) \
             SELECT (SELECT last FROM whimbrel_bound), (SELECT count(*) FROM whimbrel_range), \
               (SELECT count(*) FROM whimbrel_changed)"
        );
        let rows = database::query(&sql, &parameters)?;
        let mut row = rows.rows.into_iter().next().unwrap_or_default().into_iter();
        Ok(Done {
            last: row.next().filter(|value| !value.is_null()),
            seen: row.next().as_ref().map_or(0, count),
            changed: row.next().as_ref().map_or(0, count),
        })
    }

    /// The range, then its rows' change.
    fn run_in_two(&self, bounds: Bounds<'_>) -> Result<Done, Fault> {
        let Self {
            table,
            key,
            set,
            filter,
            size,
        } = self;
        let (range, parameters) = bounds.condition(key);
        let sql = format!(
            "SELECT max(last), count(*) FROM (SELECT {key} AS last FROM {table} \
             WHERE {range} AND {filter} ORDER BY {key} LIMIT {size})"
        );
        let rows = database::query(&sql, &parameters)?;
        let mut row = rows.rows.into_iter().next().unwrap_or_default().into_iter();
        let Some(last) = row.next().filter(|value| !value.is_null()) else {
            return Ok(Done {
                last: None,
                seen: 0,
                changed: 0,
            });
        };
        let (range, parameters) = Bounds {
            until: Some(&last),
            ..bounds
        }
        .condition(key);
        let changed = database::execute(
            &format!("UPDATE {table} SET {set}\n WHERE {range} AND {filter}"),
            &parameters,
        )?;
        Ok(Done {
            last: Some(last),
            seen: row.next().as_ref().map_or(0, count),
            changed,
        })
    }
}

/// A count as the database gives it.
fn count(value: &Value) -> u64 {
    value
        .as_integer()
        .and_then(|number| u64::try_from(number).ok())
        .unwrap_or(0)
}
