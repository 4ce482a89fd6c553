//! Events in words, shared by those who listen.

use whimbrel_core::history::Direction;
use whimbrel_core::name::TargetName;
use whimbrel_signal::{Progress, Signal};

use crate::quantity::{count, duration, plural};
use crate::style::{bad, dim, good, strong, warn};

/// The target that an event is about.
pub(super) const fn target(signal: &Signal) -> Option<&TargetName> {
    match signal {
        Signal::RunStarted { .. } | Signal::RunFinished { .. } => None,
        Signal::TargetStarted { target, .. }
        | Signal::LockWaiting { target, .. }
        | Signal::LockTaken { target, .. }
        | Signal::MigrationStarted { target, .. }
        | Signal::StepStarted { target, .. }
        | Signal::StepProgress { target, .. }
        | Signal::StepFinished { target, .. }
        | Signal::Retrying { target, .. }
        | Signal::MigrationFinished { target, .. }
        | Signal::MigrationFailed { target, .. }
        | Signal::PluginLog { target, .. }
        | Signal::Metric { target, .. }
        | Signal::TargetFinished { target, .. } => Some(target),
    }
}

/// A run's event in one line; none for what isn't worth one.
pub(super) fn phrase(signal: &Signal, verbose: bool) -> Option<String> {
    Some(match signal {
        Signal::RunStarted {
            run,
            environment,
            targets,
        } => {
            let databases = plural(*targets, "database");
            let run = if verbose {
                format!(" (run {run})")
            } else {
                String::new()
            };
            format!("running on {databases} of {}{run}", strong(environment))
        }
        Signal::LockWaiting { target, holder } => {
            format!(
                "{target}: {} for the lock, held by {holder}",
                warn("waiting")
            )
        }
        Signal::LockTaken { target, epoch, .. } if verbose => {
            format!("{target}: has the lock, epoch {epoch}")
        }
        Signal::TargetStarted { target, migrations } if verbose => {
            format!("{target}: begins, {}", plural(*migrations, "migration"))
        }
        Signal::MigrationStarted {
            target,
            migration,
            direction,
            resumed,
        } => {
            let verb = present(*direction);
            let how = if *resumed {
                ", going on where an earlier run stopped"
            } else {
                ""
            };
            format!("{target}: {verb} {}{how}", strong(migration))
        }
        Signal::StepStarted {
            target,
            migration,
            title,
        } if verbose => {
            format!("{target}: {migration}: {title}")
        }
        Signal::StepFinished {
            target,
            migration,
            title,
            took,
            rows,
            ..
        } if verbose || *rows > 0 => {
            let took = duration(u64::try_from(took.as_millis()).unwrap_or(u64::MAX));
            let rows = rows_of(*rows);
            format!("{target}: {migration}: {title} done ({took}{rows})")
        }
        Signal::Retrying {
            target,
            migration,
            attempt,
            reason,
        } => {
            let again = warn("trying again");
            format!("{target}: {migration}: {again} (attempt {attempt}): {reason}")
        }
        Signal::MigrationFinished {
            target,
            migration,
            direction,
            milliseconds,
            rows,
        } => {
            let sign = good("✓");
            let took = duration(*milliseconds);
            let verb = past(*direction);
            format!(
                "{target}: {sign} {verb} {} ({took}{})",
                strong(migration),
                rows_of(*rows)
            )
        }
        Signal::MigrationFailed {
            target,
            migration,
            direction,
            error,
            committed,
        } => {
            let sign = bad("✗");
            let what = match direction {
                Direction::Apply => "applying",
                Direction::Revert => "reverting",
            };
            let committed = if committed.is_empty() {
                String::new()
            } else {
                format!(" (committed before that: {committed})")
            };
            format!(
                "{target}: {sign} {what} {} failed: {error}{committed}",
                strong(migration)
            )
        }
        Signal::PluginLog {
            target,
            plugin,
            level,
            message,
        } if verbose || level != "debug" => {
            format!("{target}: {} {message}", dim(format!("[{plugin} {level}]")))
        }
        Signal::Metric {
            target,
            migration,
            name,
            value,
            ..
        } => {
            format!("{target}: {migration}: {name} = {value}")
        }
        _ => return None,
    })
}

/// A step's progress in one line.
pub(super) fn progress(
    target: &TargetName,
    migration: &impl std::fmt::Display,
    title: &str,
    progress: Progress,
    rate: Option<u64>,
) -> String {
    let of = progress
        .total
        .map_or_else(String::new, |total| format!(" of {}", count(total)));
    let rate = rate.map_or_else(String::new, |rate| format!(", {} rows/s", count(rate)));
    format!(
        "{target}: {migration}: {title}: {}{of} rows{rate}",
        count(progress.done)
    )
}

fn rows_of(rows: u64) -> String {
    if rows == 0 {
        String::new()
    } else {
        format!(", {} rows", count(rows))
    }
}

pub(super) const fn present(direction: Direction) -> &'static str {
    match direction {
        Direction::Apply => "applying",
        Direction::Revert => "reverting",
    }
}

const fn past(direction: Direction) -> &'static str {
    match direction {
        Direction::Apply => "applied",
        Direction::Revert => "reverted",
    }
}
