//! What stops a migration, how that is recorded, and what it means for the run.

use std::fmt::Write as _;

use serde_json::json;
use whimbrel_core::history::{Direction, EventKind, MigrationState};
use whimbrel_database::history::{event_insert, record_fail, record_insert, record_replace};
use whimbrel_database::{Command, DatabaseError};
use whimbrel_signal::Signal;

use crate::RunError;
use crate::change::Execution;
use crate::credentials::Standing;

/// What stopped a migration.
#[derive(Debug)]
pub(crate) enum Problem {
    /// It was asked to end.
    Stopped,
    /// The connection's credentials end: everything so far is committed, and a new connection goes on.
    CredentialsEnd,
    /// The database refused something.
    Database { title: String, error: DatabaseError },
    /// A plugin did.
    Plugin {
        title: String,
        message: String,
        hint: Option<String>,
    },
    /// Nobody can tell whether a statement took effect.
    Unknown {
        title: String,
        saw: String,
        how_to_decide: String,
    },
}

impl Problem {
    pub(crate) fn of(title: &str, error: DatabaseError) -> Self {
        Self::Database {
            title: title.to_owned(),
            error,
        }
    }
}

impl From<DatabaseError> for Problem {
    fn from(error: DatabaseError) -> Self {
        Self::of("Whimbrel's own records", error)
    }
}

impl Execution<'_> {
    /// What was committed of it, for a person.
    fn committed_text(&self) -> String {
        let before = self
            .change
            .operations
            .iter()
            .filter(|planned| planned.done)
            .count();
        let all = self.change.operations.len();
        let mut text = format!(
            "{} of {all} operations are committed",
            before + self.committed
        );
        if self.batches > 0 {
            // Writing to a string can't fail.
            let _ = write!(text, ", and {} batches of the one at hand", self.batches);
        }
        text
    }

    /// Turns a problem into the run's error, and records a failure where the database can still be written to.
    pub(crate) async fn failed(&mut self, problem: Problem) -> RunError {
        // A user that was dropped in the middle of a run is refused in ways that look like mistakes of the migration.
        if let Problem::Database { error, .. } = &problem
            && !error.is_connection_lost()
            && self.writer.credentials().ask().await == Standing::Gone
        {
            tracing::info!(%error, migration = %self.change.migration, "the credentials are gone");
            return RunError::CredentialsEnded;
        }
        let (title, error, hint) = match problem {
            Problem::CredentialsEnd => return RunError::CredentialsEnded,
            Problem::Stopped => {
                return RunError::Interrupted {
                    committed: Some(self.committed_text()),
                };
            }
            Problem::Unknown {
                title,
                saw,
                how_to_decide,
            } => {
                return RunError::Unknown {
                    migration: self.change.migration.clone(),
                    title,
                    saw,
                    how_to_decide,
                };
            }
            Problem::Database { error, .. } if error.is_connection_lost() => {
                return RunError::Database(error);
            }
            Problem::Database { error, .. } if error.is_fenced() || error.is_conflict() => {
                tracing::warn!(%error, migration = %self.change.migration, "another run took over");
                return RunError::Fenced;
            }
            Problem::Database { error, .. }
                if error.is_statement_timeout()
                    && self.context.request.access.stop.is_requested() =>
            {
                return RunError::Interrupted {
                    committed: Some(self.committed_text()),
                };
            }
            Problem::Database { title, error } => {
                let hint = error.hint.clone();
                (title, self.context.scrub(&error.to_string()), hint)
            }
            Problem::Plugin {
                title,
                message,
                hint,
            } => (title, self.context.scrub(&message), hint),
        };
        if let Err(error) = self
            .writer
            .record(self.failure_records(&title, &error))
            .await
        {
            tracing::warn!(%error, "the failure could not be recorded");
        }
        self.context.emit(Signal::MigrationFailed {
            target: self.context.target.clone(),
            migration: self.change.migration.clone(),
            direction: self.direction,
            error: format!("{title}: {error}"),
            committed: self.committed_text(),
        });
        RunError::Migration {
            migration: self.change.migration.clone(),
            title,
            error,
            hint,
            committed: self.committed_text(),
        }
    }

    fn failure_records(&self, title: &str, error: &str) -> Vec<Command> {
        let dialect = self.writer.dialect();
        let name = &self.change.migration;
        let mut records = Vec::new();
        if self.direction == Direction::Apply {
            if !self.begun {
                let record = self.new_record(MigrationState::Failed);
                records.push(if self.exists() {
                    record_replace(dialect, &record)
                } else {
                    record_insert(dialect, &record)
                });
            }
            let text = format!("{title}: {error}");
            records.push(record_fail(
                dialect,
                name,
                &self.context.run.to_string(),
                &text,
            ));
        }
        let mut event = self.event(EventKind::Failed);
        event.details =
            json!({"title": title, "error": error, "direction": self.direction.as_str()});
        records.push(event_insert(dialect, &event));
        records
    }
}
