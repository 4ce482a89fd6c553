//! Statements that can't run in a transaction. The intent is committed with what the catalog says before; after a crash
//! the probe decides whether the statement happened, and nothing is ever guessed.

use whimbrel_core::history::JournalState;
use whimbrel_core::plan::{OperationAction, PlannedOperation};
use whimbrel_core::statement::Probe;
use whimbrel_database::probe::{Verdict, confirm, decide, observe};
use whimbrel_database::session::timeouts;
use whimbrel_database::{Command, DatabaseError};
use whimbrel_signal::metric::StepKind;

use crate::change::{Execution, describe};
use crate::crash_point::{point, reach};
use crate::failure::Problem;
use crate::transaction::settled;

/// Runs one statement to its end. `probe` is none for a statement that may simply be run again.
pub(crate) async fn run(
    execution: &mut Execution<'_>,
    planned: &PlannedOperation,
    probe: Option<&Probe>,
) -> Result<(), Problem> {
    let title = describe(planned);
    let begun = execution.step_started(&title);
    if let Some(probe) = probe {
        probed(execution, planned, probe, &title).await?;
    } else {
        statement(execution, planned)
            .await
            .map_err(|error| Problem::of(&title, error))?;
    }
    execution.step_finished(&title, StepKind::Sql, begun, (0, 0));
    Ok(())
}

async fn probed(
    execution: &mut Execution<'_>,
    planned: &PlannedOperation,
    probe: &Probe,
    title: &str,
) -> Result<(), Problem> {
    let now = look(execution, probe).await?;
    let before = match execution
        .journal_entry(planned)
        .and_then(|entry| entry.probe.clone())
    {
        Some(before) => {
            match decide(probe, &before, &now) {
                Verdict::Done => return Ok(()),
                Verdict::RunAgain => {}
                Verdict::DropInvalidThenRunAgain { drop } => {
                    clear(execution, planned, &drop).await?;
                }
                Verdict::Unknown { saw, how_to_decide } => {
                    return Err(Problem::Unknown {
                        title: title.to_owned(),
                        saw,
                        how_to_decide,
                    });
                }
            }
            before
        }
        None => {
            let mut records = execution.begin_records();
            records.push(execution.journal_row_with(
                planned,
                JournalState::Intent,
                Some(now.clone()),
            ));
            execution.writer.record(records).await?;
            execution.mark_begun();
            now
        }
    };
    let outcome = statement(execution, planned).await;
    match outcome {
        Err(error) if error.is_connection_lost() => Err(Problem::of(title, error)),
        Err(error) => {
            // What it left behind is cleared away at once, so that the next try starts as this one did.
            let after = look(execution, probe).await?;
            if let Verdict::DropInvalidThenRunAgain { drop } = decide(probe, &before, &after) {
                clear(execution, planned, &drop).await?;
            }
            Err(Problem::of(title, error))
        }
        Ok(()) if *probe == Probe::None => Ok(()),
        Ok(()) => {
            let after = look(execution, probe).await?;
            match confirm(probe, &before, &after) {
                Verdict::Done => Ok(()),
                other => Err(Problem::Unknown {
                    title: title.to_owned(),
                    saw: format!(
                        "the statement reported success, and the catalog says otherwise: {after} ({other:?})"
                    ),
                    how_to_decide:
                        "look at the object in the database, repair or drop it, then apply again"
                            .to_owned(),
                }),
            }
        }
    }
}

async fn look(
    execution: &Execution<'_>,
    probe: &Probe,
) -> Result<serde_json::Value, DatabaseError> {
    let mut session = execution.writer.session().await;
    observe(session.as_mut(), probe).await
}

async fn statement(
    execution: &Execution<'_>,
    planned: &PlannedOperation,
) -> Result<(), DatabaseError> {
    let OperationAction::Statement(statement) = &planned.operation.action else {
        return Ok(());
    };
    bounded(execution, planned, &statement.text).await
}

async fn clear(
    execution: &Execution<'_>,
    planned: &PlannedOperation,
    drop: &str,
) -> Result<(), DatabaseError> {
    bounded(execution, planned, drop).await
}

/// Runs with `lock_timeout` 0, because a concurrent build that gives up leaves an invalid index, and with the step's
/// timeout or the policy's.
async fn bounded(
    execution: &Execution<'_>,
    planned: &PlannedOperation,
    sql: &str,
) -> Result<(), DatabaseError> {
    let dialect = execution.writer.dialect();
    let limit = planned
        .operation
        .timeout
        .unwrap_or(execution.context.policy.statement_timeout);
    let before = timeouts(dialect, None, Some(limit.to_std()));
    // The fence is read first: whoever was taken over must not start a statement that no COMMIT can hold back.
    let commands = [execution.writer.fence().glance(), before];
    execution.writer.send(&commands).await?;
    reach(&format!("{}.before", point::OUTSIDE));
    let outcome = execution.writer.send(&[Command::text(sql)]).await;
    reach(&format!("{}.after", point::OUTSIDE));
    if let Some(settled) = settled(dialect, execution.context) {
        let restored = execution.writer.send(&[settled]).await;
        outcome?;
        restored?;
    } else {
        outcome?;
    }
    Ok(())
}
