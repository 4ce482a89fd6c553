//! Creates Whimbrel's tables and leads them from version to version, under the session lock.

use whimbrel_core::statement::Dialect;
use whimbrel_core::value::Value;

use super::{LockError, transact};
use crate::history::sql::table;
use crate::history::{check_version, exists};
use crate::session::{Command, DatabaseError, Session};
use crate::{postgres, sqlite};

/// How often creating is tried again when something else created the same at the same time.
const ATTEMPTS: u32 = 5;

pub(super) async fn prepare(session: &mut dyn Session) -> Result<(), LockError> {
    let dialect = session.dialect();
    let mut attempt = 1;
    loop {
        let version = version(session).await?;
        check_version(dialect, version)?;
        let Some(steps) = steps(dialect, version) else {
            return Ok(());
        };
        match transact(session, steps).await {
            Ok(_) => return Ok(()),
            // Even CREATE SCHEMA IF NOT EXISTS fails with a unique violation when two run it at once.
            Err(error) if attempt < ATTEMPTS && is_created_twice(&error) => attempt += 1,
            Err(error) => return Err(error.into()),
        }
    }
}

/// The version that the tables have; zero when there are none. PostgreSQL is asked for it at once, as they nearly always
/// are there; when it finds none, the catalog decides whether they are missing.
async fn version(session: &mut dyn Session) -> Result<i64, DatabaseError> {
    if session.dialect() == Dialect::Sqlite && !exists(session).await? {
        return Ok(0);
    }
    let sql = format!("SELECT version FROM {}", table(session.dialect(), "owner"));
    let done = match session.run(&[Command::with(sql, Vec::new())]).await {
        Ok(done) => done,
        Err(failed) if failed.error.is_table_missing() && !exists(session).await? => return Ok(0),
        Err(failed) => return Err(failed.error),
    };
    Ok(match done.first().and_then(|done| done.rows.single()) {
        Some(Value::Integer(version)) => *version,
        _ => 0,
    })
}

/// What leads from a version to the latest; none when it is the latest.
fn steps(dialect: Dialect, version: i64) -> Option<Vec<Command>> {
    let versions: &[&str] = match dialect {
        Dialect::Postgres => &postgres::schema::VERSIONS,
        Dialect::Sqlite => &sqlite::schema::VERSIONS,
    };
    let missing = versions
        .get(usize::try_from(version).unwrap_or_default()..)
        .unwrap_or_default();
    let commands: Vec<_> = missing.iter().map(|sql| Command::text(*sql)).collect();
    (!commands.is_empty()).then_some(commands)
}

fn is_created_twice(error: &DatabaseError) -> bool {
    matches!(error.code.as_str(), "23505" | "42P06" | "42P07" | "42723")
}
