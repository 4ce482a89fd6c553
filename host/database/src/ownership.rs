//! What the user that logged in owns. Users that are lent for minutes must own nothing: they can't be dropped otherwise.

use whimbrel_core::statement::Dialect;
use whimbrel_core::value::Value;

use crate::session::{Command, DatabaseError, Session};

/// How many objects are named.
const NAMED: usize = 5;

/// The first few objects of this database that belong to the user that logged in, and not to the role that it took.
/// SQLite knows no owners.
///
/// # Errors
///
/// The catalog can't be read.
pub async fn owned_by_login(session: &mut dyn Session) -> Result<Vec<String>, DatabaseError> {
    if session.dialect() == Dialect::Sqlite {
        return Ok(Vec::new());
    }
    // A user that was dropped meanwhile has no row, and owned nothing, or it could not have been dropped.
    let sql = format!(
        "SELECT pg_catalog.pg_describe_object(d.classid, d.objid, d.objsubid) \
         FROM pg_catalog.pg_shdepend d \
         JOIN pg_catalog.pg_database b ON b.oid = d.dbid AND b.datname = pg_catalog.current_database() \
         JOIN pg_catalog.pg_stat_activity a ON a.pid = pg_catalog.pg_backend_pid() AND a.usesysid = d.refobjid \
         WHERE d.refclassid = 'pg_catalog.pg_authid'::pg_catalog.regclass AND d.deptype = 'o' \
         ORDER BY 1 LIMIT {NAMED}"
    );
    let done = session
        .run(&[Command::with(sql, Vec::new())])
        .await
        .map_err(|failed| failed.error)?;
    let rows = done.first().map(|done| done.rows.rows.as_slice());
    Ok(rows
        .unwrap_or_default()
        .iter()
        .filter_map(|row| match row.first() {
            Some(Value::Text(object)) => Some(object.clone()),
            _ => None,
        })
        .collect())
}
