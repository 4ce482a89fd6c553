//! Writes the row of the lock: who may write to the target from now on.

use uuid::Uuid;
use whimbrel_core::statement::Dialect;
use whimbrel_core::value::Value;

use super::{Fence, Holder, LockError, transact};
use crate::history::sql::{now, table};
use crate::session::{Command, DatabaseError, ErrorKind, Session};

/// A new epoch. Without a holder the lock is left free, and no fence of before passes any more.
pub(super) async fn take_over(
    session: &mut dyn Session,
    holder: Option<&Holder>,
    more: Vec<Command>,
) -> Result<Fence, LockError> {
    let dialect = session.dialect();
    let run = holder.map_or_else(Uuid::new_v4, |holder| holder.run);
    let backend = match holder {
        Some(_) => session.backend().await?,
        None => None,
    };
    let sql = format!(
        "UPDATE {} SET epoch = epoch + 1, run = $1, holder = $2, backend_pid = $3, backend_start = $4, taken = {} \
         RETURNING epoch",
        table(dialect, "lock"),
        now(dialect)
    );
    let recorded = |text: Option<String>| text.map_or(Value::Null, Value::Text);
    let mut commands = vec![Command::with(
        sql,
        vec![
            recorded(holder.map(|holder| holder.run.to_string())),
            recorded(holder.map(|holder| holder.description.clone())),
            backend
                .as_ref()
                .map_or(Value::Null, |backend| Value::Integer(backend.pid.into())),
            recorded(backend.map(|backend| backend.start)),
        ],
    )];
    if dialect == Dialect::Postgres {
        let sql = "UPDATE whimbrel.heartbeat SET run = $1, counter = 0";
        commands.push(Command::with(
            sql,
            vec![recorded(holder.map(|holder| holder.run.to_string()))],
        ));
    }
    commands.extend(more);
    let done = transact(session, commands).await?;
    match done.first().and_then(|done| done.rows.single()) {
        Some(Value::Integer(epoch)) => Ok(Fence::new(dialect, *epoch, run)),
        _ => {
            Err(DatabaseError::new(ErrorKind::Client, "", "the row of the lock is missing").into())
        }
    }
}

/// On PostgreSQL, who took over last and neither gave the lock back nor was cleared.
pub(super) async fn left_behind(
    session: &mut dyn Session,
) -> Result<Option<String>, DatabaseError> {
    // Waits for a release that has given the lock back and is about to commit its word.
    let sql = "SELECT l.holder FROM whimbrel.lock l JOIN whimbrel.heartbeat h ON h.run = l.run FOR SHARE OF h";
    let done = session.run(&[Command::with(sql, Vec::new())]).await?;
    Ok(match done.first().and_then(|done| done.rows.single()) {
        Some(Value::Text(holder)) => Some(holder.clone()),
        _ => None,
    })
}
