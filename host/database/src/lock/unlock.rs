//! Clears what a dead holder left, and ends a living one when a person says so.

use std::time::{Duration, Instant};

use serde_json::json;
use whimbrel_core::history::EventKind;
use whimbrel_core::statement::Dialect;
use whimbrel_core::value::Value;

use super::contender::{self, Contender};
use super::{Holder, LockError, takeover};
use crate::history::{NewEvent, event_insert};
use crate::postgres::SESSION_LOCK;
use crate::session::{Backend, Command, DatabaseError, Session, begin, commit, rollback};

/// How long an ended session may take to give the lock back: it rolls back first, and a write to disk can't be
/// interrupted.
pub const TERMINATION_WAIT: Duration = Duration::from_secs(30);

/// How often the lock of an ended session is tried.
const TERMINATION_POLL: Duration = Duration::from_millis(50);

/// What [`unlock`] cleared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unlocked {
    /// Who died holding the lock; none when the last run ended by itself.
    pub previous: Option<String>,
}

/// What [`terminate`] did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Terminated {
    /// Nobody held the lock.
    Free(Unlocked),
    /// The holder's session was ended, and the lock is free.
    Ended {
        /// Who held it.
        holder: String,
    },
    /// The holder's session was ended, and somebody else was quicker to take the lock.
    TakenOver {
        /// Who held it.
        holder: String,
        /// Who has it now.
        now: String,
    },
}

/// Clears what a dead holder left, after having proved that it is dead, and writes an event. After a run that ended by
/// itself there is nothing to clear, and nothing is written.
///
/// The proof is the session lock itself: whoever gets it knows that the holder's session is gone.
///
/// # Errors
///
/// [`LockError::Held`] while the holder's session lives.
pub async fn unlock(session: &mut dyn Session, by: &Holder) -> Result<Unlocked, LockError> {
    match try_clear(session, by).await? {
        Some(unlocked) => Ok(unlocked),
        None => {
            let seen = Contender::new(Duration::MAX).look(session).await?;
            Err(LockError::Held {
                holder: seen.holder,
                hint: seen.hint,
            })
        }
    }
}

/// Ends the session that holds the lock, whatever it does, because a person says so; then clears what it left.
///
/// Only the session is ended that holds the lock *and* that the lock's row names by process and start time. The event,
/// with the reason, is written by the transaction that ends it.
///
/// # Errors
///
/// [`LockError::Held`] when it can't be ended: on SQLite the lock is one of the operating system, and no database can
/// end its holder; on PostgreSQL the identity may not be proved, or this user may not end it.
pub async fn terminate(
    session: &mut dyn Session,
    by: &Holder,
    reason: &str,
) -> Result<Terminated, LockError> {
    if let Some(unlocked) = try_clear(session, by).await? {
        return Ok(Terminated::Free(unlocked));
    }
    let seen = Contender::new(Duration::MAX).look(session).await?;
    let held = |hint: String| LockError::Held {
        holder: seen.holder.clone(),
        hint,
    };
    if session.dialect() == Dialect::Sqlite {
        return Err(held(
            "on SQLite the lock belongs to a process of the operating system, which no database can end: end that \
             process where it runs, and the lock is free"
                .to_owned(),
        ));
    }
    let (recorded, backend) = contender::recorded_backend(session).await?;
    let Some(backend) = backend else {
        return Err(held(
            "its session isn't recorded yet, so it can't be told apart from others: try again"
                .to_owned(),
        ));
    };
    let holder = recorded.unwrap_or_else(|| seen.holder.clone());
    let details = json!({
        "holder": holder, "terminated": {"pid": backend.pid, "start": backend.start}, "reason": reason,
    });
    match end(session, &backend, &event(by, details)).await {
        Ok(true) => {}
        Ok(false) => {
            return Err(held(format!(
                "the session that holds the lock isn't the recorded one (server process {}), or has just ended: try \
                 again",
                backend.pid
            )));
        }
        Err(error) if error.is_permission() => {
            return Err(held(format!(
                "this user may not end its server process {}: grant it pg_signal_backend and pg_read_all_stats",
                backend.pid
            )));
        }
        Err(error) => return Err(error.into()),
    }
    let begun = Instant::now();
    while begun.elapsed() < TERMINATION_WAIT {
        if session.try_session_lock(&note(by)).await? {
            let cleared = takeover::take_over(session, None, Vec::new()).await;
            if !session.is_closed() {
                session.release_session_lock().await?;
            }
            cleared?;
            return Ok(Terminated::Ended { holder });
        }
        if let (_, Some(now)) = contender::recorded_backend(session).await?
            && now != backend
        {
            let now = Contender::new(Duration::MAX).look(session).await?.holder;
            return Ok(Terminated::TakenOver { holder, now });
        }
        tokio::time::sleep(TERMINATION_POLL).await;
    }
    Err(held(format!(
        "server process {} was told to end and hasn't done so within {} s",
        backend.pid,
        TERMINATION_WAIT.as_secs()
    )))
}

/// Clears the lock if it is free; none when somebody holds it.
async fn try_clear(session: &mut dyn Session, by: &Holder) -> Result<Option<Unlocked>, LockError> {
    // On SQLite the file says who died, until it is locked again.
    let left = match session.dialect() {
        Dialect::Sqlite => session.session_lock_note().await?,
        Dialect::Postgres => None,
    };
    if !session.try_session_lock(&note(by)).await? {
        return Ok(None);
    }
    let cleared = clear(session, by, left).await;
    if !session.is_closed() {
        session.release_session_lock().await?;
    }
    cleared.map(Some)
}

async fn clear(
    session: &mut dyn Session,
    by: &Holder,
    left: Option<String>,
) -> Result<Unlocked, LockError> {
    let nobody = Unlocked { previous: None };
    if !crate::history::exists(session).await? {
        return Ok(nobody);
    }
    let previous = match session.dialect() {
        Dialect::Postgres => takeover::left_behind(session).await?,
        Dialect::Sqlite => left.map(|note| match note.rsplit_once(" (run ") {
            Some((holder, _)) => holder.to_owned(),
            None => note,
        }),
    };
    let Some(previous) = previous else {
        return Ok(nobody);
    };
    let event = event(by, json!({ "holder": previous }));
    let event = event_insert(session.dialect(), &event);
    takeover::take_over(session, None, vec![event]).await?;
    Ok(Unlocked {
        previous: Some(previous),
    })
}

/// Ends the backend if it holds the lock; the event lasts only if it did.
async fn end(
    session: &mut dyn Session,
    backend: &Backend,
    event: &NewEvent,
) -> Result<bool, DatabaseError> {
    let dialect = session.dialect();
    // What is proved stands apart, so that nothing is ended before everything is.
    let sql = format!(
        "WITH proved AS MATERIALIZED (\
             SELECT a.pid FROM pg_catalog.pg_stat_activity a JOIN pg_catalog.pg_locks l ON l.pid = a.pid \
             WHERE a.pid = $1 AND extract(epoch FROM a.backend_start)::text = $2 \
             AND a.datname = pg_catalog.current_database() AND l.database = a.datid AND {SESSION_LOCK}) \
         SELECT pg_catalog.pg_terminate_backend(pid) FROM proved"
    );
    let parameters = vec![
        Value::Integer(backend.pid.into()),
        Value::Text(backend.start.clone()),
    ];
    let commands = [
        begin(dialect),
        event_insert(dialect, event),
        // Ending is a right of the user that logged in, not of the role that owns the tables.
        Command::text("SET LOCAL ROLE NONE"),
        Command::with(sql, parameters),
    ];
    let result = session.run(&commands).await;
    let ended = match &result {
        Ok(done) => done.last().and_then(|done| done.rows.single()) == Some(&Value::Boolean(true)),
        Err(_) => false,
    };
    if session.in_transaction() {
        let last = if ended {
            commit(dialect)
        } else {
            rollback(dialect)
        };
        session.run(&[last]).await.map_err(|failed| failed.error)?;
    }
    result.map(|_| ended).map_err(|failed| failed.error)
}

fn note(by: &Holder) -> String {
    format!("{} (run {})", by.description, by.run)
}

fn event(by: &Holder, details: serde_json::Value) -> NewEvent {
    NewEvent {
        kind: EventKind::Unlocked,
        migration: None,
        run: by.run.to_string(),
        actor: by.description.clone(),
        revision: None,
        plan: None,
        details,
    }
}
