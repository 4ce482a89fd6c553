//! A step that a plugin does: called over the target's own connection, resumed from its last checkpoint.

use std::sync::{Arc, Mutex, PoisonError};

use whimbrel_core::history::{Direction, JournalState};
use whimbrel_core::plan::{OperationAction, PlannedOperation};
use whimbrel_database::history::journal_done;
use whimbrel_plugin::{Call, NoMaterials, PluginError, StopFlag};
use whimbrel_signal::Signal;
use whimbrel_signal::metric::StepKind;

use crate::change::Execution;
use crate::failure::Problem;
use crate::step_database::{Labels, Trace, WriterDatabase};

/// Runs the step to its end and records it, and the whole migration when it was the last.
pub(crate) async fn run(
    execution: &mut Execution<'_>,
    planned: &PlannedOperation,
    last: bool,
) -> Result<(), Problem> {
    let OperationAction::Plugin { uses, with, .. } = &planned.operation.action else {
        return Ok(());
    };
    let title = planned.operation.title.clone();
    let begun = execution.step_started(&title);
    let request = execution.context.request;
    let plugin = request
        .plugins
        .plugin(uses)
        .await
        .map_err(|error| problem(&title, &error))?;
    if execution.journal_entry(planned).is_none() {
        let mut records = execution.begin_records();
        records.push(execution.journal_row(planned, JournalState::Intent));
        execution.writer.record(records).await?;
        execution.mark_begun();
    }
    let before = execution.journal_entry(planned);
    let trace = Arc::new(Mutex::new(Trace {
        error: None,
        batch: before.map_or(0, |entry| entry.batch),
        rows_done: before.map_or(0, |entry| entry.rows_done),
        credentials_end: false,
    }));
    let labels = Labels {
        target: execution.context.target.clone(),
        migration: execution.change.migration.clone(),
        title: title.clone(),
    };
    let canceller = execution.writer.session().await.canceller();
    let database = WriterDatabase::new(
        execution.writer.clone(),
        execution.key(planned),
        labels,
        request.access.bus.clone(),
        request.access.stop.clone(),
        checkpoint(execution, planned),
        Arc::clone(&trace),
    );
    let database = Box::new(database.with_canceller(canceller));
    let flag = StopFlag::new();
    let call = call(execution, planned, uses.as_str(), flag.clone());
    let result = {
        let working = async {
            match execution.direction {
                Direction::Apply => plugin.apply(with, call, database).await,
                Direction::Revert => {
                    plugin
                        .revert(with, undo(execution, planned), call, database)
                        .await
                }
            }
        };
        tokio::pin!(working);
        tokio::select! {
            result = &mut working => result,
            () = request.access.stop.requested() => {
                flag.stop();
                working.await
            }
        }
    };
    let trace = trace.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let outcome = match result {
        Ok(outcome) => outcome,
        Err(error) => {
            execution.writer.abandon().await;
            execution.batches = trace.batch;
            return Err(ended_early(execution, &title, trace, &error));
        }
    };
    let rows = i64::try_from(outcome.rows).unwrap_or(i64::MAX);
    execution.rows = execution.rows.saturating_add(rows);
    if execution.direction == Direction::Apply {
        execution.keep_undo(planned.position, &outcome.undo);
    }
    execution.mark_committed();
    if last {
        execution.conclude(Vec::new()).await?;
    } else {
        let done = journal_done(
            execution.writer.dialect(),
            &execution.key(planned),
            rows,
            Some(&outcome.undo),
        );
        let open = execution.writer.session().await.in_transaction();
        let written = if open {
            execution.writer.close(vec![done], false).await.map(|_| ())
        } else {
            execution
                .writer
                .transact(Vec::new(), vec![done], false)
                .await
        };
        written.map_err(|error| Problem::of(&title, error.error))?;
    }
    let before = u64::try_from(trace.rows_done).unwrap_or_default();
    let rest = outcome.rows.saturating_sub(before);
    execution.step_finished(&title, StepKind::Plugin, begun, (outcome.rows, rest));
    Ok(())
}

/// Where the step goes on: its own last checkpoint, or when an unfinished apply is reverted, that apply's.
fn checkpoint(execution: &Execution<'_>, planned: &PlannedOperation) -> Option<Vec<u8>> {
    if let Some(entry) = execution.journal_entry(planned)
        && entry.checkpoint.is_some()
    {
        return entry.checkpoint.clone();
    }
    if execution.direction == Direction::Apply {
        return None;
    }
    let position = applied_position(execution, planned)?;
    execution
        .journal
        .iter()
        .find(|entry| entry.direction == Direction::Apply && entry.position == position)
        .and_then(|entry| entry.checkpoint.clone())
}

/// What the apply left for its revert; empty when it never came to its end.
fn undo(execution: &Execution<'_>, planned: &PlannedOperation) -> Vec<u8> {
    use base64::Engine as _;
    let kept = applied_position(execution, planned).and_then(|position| {
        let recorded = execution
            .recorded
            .and_then(|record| record.undo.get(&position));
        let recorded =
            recorded.and_then(|text| base64::engine::general_purpose::STANDARD.decode(text).ok());
        recorded.or_else(|| {
            execution
                .journal
                .iter()
                .find(|entry| entry.direction == Direction::Apply && entry.position == position)
                .and_then(|entry| entry.undo.clone())
        })
    });
    kept.unwrap_or_default()
}

/// The place that the same step had when it was applied.
fn applied_position(execution: &Execution<'_>, planned: &PlannedOperation) -> Option<u32> {
    (0u32..)
        .zip(&execution.change.prepared.up)
        .find(|(_, operation)| operation.step == planned.operation.step)
        .map(|(position, _)| position)
}

fn call(
    execution: &Execution<'_>,
    planned: &PlannedOperation,
    plugin: &str,
    stop: StopFlag,
) -> Call {
    let context = execution.context;
    let bus = context.request.access.bus.clone();
    let (target, name) = (context.target.clone(), plugin.to_owned());
    let measured = (bus.clone(), target.clone(), name.clone());
    Call {
        run_id: context.run.to_string(),
        operation_id: format!(
            "{}/{}/{}/{}",
            context.target,
            execution.change.migration,
            execution.direction.as_str(),
            planned.position
        ),
        attempt: 1,
        timeout: planned
            .operation
            .timeout
            .map(whimbrel_core::duration::Duration::to_std),
        stop,
        log: Arc::new(move |level, message, fields| {
            let fields: String = fields
                .iter()
                .map(|(key, value)| format!(" {key}={value}"))
                .collect();
            bus.emit(Signal::PluginLog {
                target: target.clone(),
                plugin: name.clone(),
                level: level.to_string(),
                message: format!("{message}{fields}"),
            });
        }),
        metrics: Some(Arc::new(move |measurement| {
            measured.0.measure(&measured.1, &measured.2, measurement);
        })),
        materials: Arc::new(NoMaterials),
    }
}

fn ended_early(
    execution: &Execution<'_>,
    title: &str,
    trace: Trace,
    error: &PluginError,
) -> Problem {
    match trace.error {
        Some(error) if error.is_connection_lost() || error.is_fenced() || error.is_conflict() => {
            Problem::of(title, error)
        }
        _ if execution.context.request.access.stop.is_requested() => Problem::Stopped,
        None if trace.credentials_end => Problem::CredentialsEnd,
        _ => problem(title, error),
    }
}

fn problem(title: &str, error: &PluginError) -> Problem {
    Problem::Plugin {
        title: title.to_owned(),
        message: error.to_string(),
        hint: error.hint(),
    }
}
