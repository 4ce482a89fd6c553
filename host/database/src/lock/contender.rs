//! What somebody sees who waits for the lock, and what a silent heartbeat allows.

use std::time::{Duration, Instant};

use whimbrel_core::statement::Dialect;
use whimbrel_core::value::Value;

use super::transact;
use crate::heartbeat::{CLAIM, name_sql};
use crate::session::{Backend, Command, DatabaseError, Session};

/// Looks at the holder again and again.
pub(super) struct Contender {
    silence: Duration,
    /// The beat seen last, and since when.
    beat: Option<(Beat, Instant)>,
    announced: Option<String>,
}

/// What was seen.
pub(super) struct Seen {
    pub(super) holder: String,
    pub(super) hint: String,
    /// The holder's backend was told to end: try again at once.
    pub(super) terminated: bool,
}

#[derive(Clone, PartialEq)]
struct Beat {
    backend: Backend,
    counter: i64,
    /// What its heartbeat says; none before the first beat, and when the run doesn't beat for this session.
    said: Option<String>,
}

impl Contender {
    pub(super) const fn new(silence: Duration) -> Self {
        Self {
            silence,
            beat: None,
            announced: None,
        }
    }

    /// Whether this holder hasn't been announced yet.
    pub(super) fn is_news(&mut self, seen: &Seen) -> bool {
        let news = self.announced.as_ref() != Some(&seen.holder);
        self.announced = Some(seen.holder.clone());
        news
    }

    pub(super) async fn look(&mut self, session: &mut dyn Session) -> Result<Seen, DatabaseError> {
        let Some(note) = session.session_lock_note().await? else {
            // Given back between the try and this look: nobody new holds it, so there is nobody new to tell of.
            return Ok(Seen {
                holder: self
                    .announced
                    .clone()
                    .unwrap_or_else(|| "unknown".to_owned()),
                hint: "it has just been given back".to_owned(),
                terminated: false,
            });
        };
        if session.dialect() == Dialect::Sqlite {
            let hint = "its process still runs; the lock is given back when it ends".to_owned();
            return Ok(Seen {
                holder: note,
                hint,
                terminated: false,
            });
        }
        let (recorded, beat) = recorded(session).await?;
        let holder =
            recorded.map_or_else(|| note.clone(), |recorded| format!("{recorded}, {note}"));
        let silent = self.silent_for(beat.as_ref());
        let mut seen = Seen {
            holder,
            hint: hint(silent),
            terminated: false,
        };
        if let Some(beat) = beat
            && silent >= self.silence
        {
            seen.terminated = terminate(session, &beat.backend).await?;
            if !seen.terminated {
                seen.hint = format!(
                    "its heartbeat is silent for {} s, and its server process {} can't be ended from here: it still runs \
                     a statement, or this user may not see or end it (grant it pg_signal_backend and pg_read_all_stats)",
                    silent.as_secs(),
                    beat.backend.pid
                );
            }
        }
        Ok(seen)
    }

    /// For how long the same beat of the same backend was seen, by this process's own clock.
    fn silent_for(&mut self, beat: Option<&Beat>) -> Duration {
        match (beat, &self.beat) {
            (Some(beat), Some((known, since))) if beat == known => since.elapsed(),
            (Some(beat), _) => {
                self.beat = Some((beat.clone(), Instant::now()));
                Duration::ZERO
            }
            (None, _) => {
                self.beat = None;
                Duration::ZERO
            }
        }
    }
}

fn hint(silent: Duration) -> String {
    if silent > crate::Heartbeat::INTERVAL * 2 {
        format!("its heartbeat is silent for {} s", silent.as_secs())
    } else {
        "its heartbeat goes on; wait for it, or stop it where it runs".to_owned()
    }
}

/// Holder and heartbeat, as far as the tables are there and may be read: whoever has just begun hasn't made them yet.
async fn recorded(
    session: &mut dyn Session,
) -> Result<(Option<String>, Option<Beat>), DatabaseError> {
    let sql = format!(
        "SELECT l.holder, l.backend_pid, l.backend_start, h.counter, \
         (SELECT string_agg(a.application_name, ' ' ORDER BY a.pid) FROM pg_catalog.pg_stat_activity a JOIN pg_catalog.pg_locks k ON k.pid = a.pid \
          WHERE k.locktype = 'advisory' AND k.granted AND k.objsubid = 2 AND k.classid = {CLAIM} \
          AND k.objid::bigint = l.backend_pid AND pg_catalog.starts_with(a.application_name, {})) \
         FROM whimbrel.lock l LEFT JOIN whimbrel.heartbeat h ON h.run = l.run",
        name_sql("l.run")
    );
    let done = match session.run(&[Command::with(sql, Vec::new())]).await {
        Ok(done) => done,
        Err(failed) if matches!(failed.error.code.as_str(), "42P01" | "3F000" | "42501") => {
            return Ok((None, None));
        }
        Err(failed) => return Err(failed.error),
    };
    let row = done
        .first()
        .and_then(|done| done.rows.rows.first())
        .map(Vec::as_slice);
    Ok(match row {
        Some(
            [
                Value::Text(holder),
                Value::Integer(pid),
                Value::Text(start),
                Value::Integer(counter),
                said,
            ],
        ) => {
            let backend = Backend {
                pid: i32::try_from(*pid).unwrap_or_default(),
                start: start.clone(),
            };
            (
                Some(holder.clone()),
                Some(Beat {
                    backend,
                    counter: *counter,
                    said: match said {
                        Value::Text(said) => Some(said.clone()),
                        _ => None,
                    },
                }),
            )
        }
        Some([Value::Text(holder), ..]) => (Some(holder.clone()), None),
        _ => (None, None),
    })
}

/// Holder and backend that the lock's row names, while that run goes on.
pub(super) async fn recorded_backend(
    session: &mut dyn Session,
) -> Result<(Option<String>, Option<Backend>), DatabaseError> {
    let (holder, beat) = recorded(session).await?;
    Ok((holder, beat.map(|beat| beat.backend)))
}

/// Ends a backend that runs nothing, as the user that logged in. The start time makes sure that it still is the same.
async fn terminate(session: &mut dyn Session, backend: &Backend) -> Result<bool, DatabaseError> {
    let sql = "SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity \
               WHERE pid = $1 AND extract(epoch FROM backend_start)::text = $2 AND state <> 'active'";
    let parameters = vec![
        Value::Integer(backend.pid.into()),
        Value::Text(backend.start.clone()),
    ];
    let commands = vec![
        Command::text("SET LOCAL ROLE NONE"),
        Command::with(sql, parameters),
    ];
    match transact(session, commands).await {
        Ok(done) => {
            Ok(done.last().and_then(|done| done.rows.single()) == Some(&Value::Boolean(true)))
        }
        Err(error) if error.is_permission() => Ok(false),
        Err(error) => Err(error),
    }
}
