//! The transactional protocol: a definition's statements commit together with their record, or not at all.

use std::time::Instant;

use whimbrel_core::plan::{OperationAction, PlannedOperation};
use whimbrel_core::statement::Dialect;
use whimbrel_database::dialect::is_foreign_keys_off;
use whimbrel_database::session::{foreign_key_check, restore, timeouts};
use whimbrel_database::{Command, DatabaseError};

use crate::change::{Context, milliseconds};
use crate::checks;
use crate::writer::{Part, PartError, Writer};

/// What is recorded with the statements, given how long they took in milliseconds where this side knows better than the
/// target's clock.
pub(crate) type Records<'a> = dyn Fn(Option<i64>) -> Vec<Command> + Sync + 'a;

/// What is verified in the transaction after its statements, before anything is recorded.
pub(crate) struct Verification<'a> {
    /// Checks that must hold.
    pub(crate) checks: &'a [whimbrel_core::definition::Check],
    /// Whether foreign keys were off and must be whole.
    pub(crate) foreign_keys: bool,
}

impl Verification<'_> {
    const fn is_needed(&self) -> bool {
        !self.checks.is_empty() || self.foreign_keys
    }
}

/// Runs statements and records in one transaction. `Err(PartError)` means: nothing of it happened, or the connection is
/// gone and nobody knows.
pub(crate) async fn run(
    writer: &Writer,
    context: &Context<'_>,
    operations: &[&PlannedOperation],
    after: &[whimbrel_core::definition::Check],
    records: &Records<'_>,
    fenced: bool,
) -> Result<(), PartError> {
    let hoisted = operations.first().is_some_and(|first| is_hoisted(first));
    if hoisted {
        outside(writer, "PRAGMA foreign_keys=OFF").await?;
    }
    let verification = Verification {
        checks: after,
        foreign_keys: hoisted,
    };
    let parts = parts(writer.dialect(), context, operations);
    // SQLite has no round trips to save, and only this side can tell there how long the statements took.
    let result = if verification.is_needed() || writer.dialect() == Dialect::Sqlite {
        verified(writer, parts, &verification, records, fenced).await
    } else {
        writer.transact(parts, records(None), fenced).await
    };
    if hoisted {
        outside(writer, "PRAGMA foreign_keys=ON").await?;
    }
    result
}

async fn verified(
    writer: &Writer,
    parts: Vec<Part>,
    verification: &Verification<'_>,
    records: &Records<'_>,
    fenced: bool,
) -> Result<(), PartError> {
    let begun = Instant::now();
    writer.open(parts).await?;
    let problem = verify(writer, verification).await;
    match problem {
        Ok(None) => {
            let took = i64::try_from(milliseconds(begun)).ok();
            writer.close(records(took), fenced).await.map(|_| ())
        }
        Ok(Some(problem)) => {
            writer.abandon().await;
            Err(PartError {
                operation: None,
                is_check: true,
                error: check_error(problem),
            })
        }
        Err(error) => {
            writer.abandon().await;
            Err(PartError {
                operation: None,
                is_check: true,
                error,
            })
        }
    }
}

async fn verify(
    writer: &Writer,
    verification: &Verification<'_>,
) -> Result<Option<String>, DatabaseError> {
    let mut session = writer.session().await;
    if verification.foreign_keys {
        let violations = session.run(&[foreign_key_check()]).await?;
        if let Some(row) = violations.first().and_then(|done| done.rows.rows.first()) {
            let words: Vec<_> = row
                .iter()
                .map(whimbrel_core::value::Value::display)
                .collect();
            return Ok(Some(format!(
                "a foreign key would be left broken: {}",
                words.join(", ")
            )));
        }
    }
    checks::failing(session.as_mut(), verification.checks).await
}

/// The error of a check that doesn't hold: never curable by trying again.
pub(crate) fn check_error(problem: String) -> DatabaseError {
    DatabaseError::new(whimbrel_database::session::ErrorKind::Client, "", problem)
}

fn parts(dialect: Dialect, context: &Context<'_>, operations: &[&PlannedOperation]) -> Vec<Part> {
    let mut parts = Vec::with_capacity(operations.len());
    let mut unsettled = false;
    for planned in operations {
        let OperationAction::Statement(statement) = &planned.operation.action else {
            continue;
        };
        if let Some(timeout) = planned.operation.timeout {
            let lock = Some(context.policy.lock_timeout.to_std());
            parts.push(Part::setting(timeouts(
                dialect,
                lock,
                Some(timeout.to_std()),
            )));
            unsettled = true;
        }
        unsettled |= may_change_settings(&statement.text);
        parts.push(Part::statement(
            Command::text(statement.text.clone()),
            planned.position,
        ));
    }
    // Whimbrel's own statements run as the session was opened, whatever the definition set.
    if unsettled && let Some(restore) = settled(dialect, context) {
        parts.push(Part::setting(restore));
    }
    parts
}

/// Brings the session back to its own settings.
pub(crate) fn settled(dialect: Dialect, context: &Context<'_>) -> Option<Command> {
    restore(dialect).or_else(|| {
        let policy = context.policy;
        Some(timeouts(
            dialect,
            Some(policy.lock_timeout.to_std()),
            Some(policy.statement_timeout.to_std()),
        ))
    })
}

/// Whether a statement may leave role or settings changed: `SET`, `RESET`, `set_config(…)`, also inside a function.
pub(crate) fn may_change_settings(text: &str) -> bool {
    text.as_bytes()
        .windows(3)
        .any(|window| window.eq_ignore_ascii_case(b"set"))
}

fn is_hoisted(planned: &PlannedOperation) -> bool {
    matches!(&planned.operation.action, OperationAction::Statement(statement) if is_foreign_keys_off(statement))
}

async fn outside(writer: &Writer, sql: &str) -> Result<(), PartError> {
    let done = writer.send(&[Command::text(sql)]).await;
    done.map(|_| ()).map_err(|error| PartError {
        operation: None,
        is_check: false,
        error: error.error,
    })
}
