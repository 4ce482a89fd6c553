//! What a run that didn't succeed means for the next try.

use whimbrel_run::RunError;

use crate::error::EngineError;
use crate::outcome::Outcome;

/// How a run that didn't succeed ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The same may work later.
    Temporary,
    /// The plan isn't what it was, or whoever runs it was asked to end.
    Moved,
    /// The same would fail again.
    Failed,
}

/// How it ended, by what each target says.
#[must_use]
pub fn ending(outcome: &Outcome) -> Ending {
    let ran = outcome.report.iter().flat_map(|report| &report.targets);
    let mut errors: Vec<_> = ran.filter_map(|target| target.error.as_ref()).collect();
    // It failed because another one did.
    errors.retain(|error| !matches!(error, RunError::Dependency { .. }));
    let moved = |error: &RunError| {
        matches!(
            error,
            RunError::PlanChanged { .. }
                | RunError::Refused(_)
                | RunError::Blocked(_)
                | RunError::Interrupted { .. }
        )
    };
    // Nothing of the plan has failed where nobody could connect: what changes before it can is a password, or a server, and
    // neither would be seen in the plan.
    let untried = |error: &RunError| matches!(error, RunError::Connect(_));
    if errors
        .iter()
        .any(|error| error.is_temporary() || untried(error))
    {
        return Ending::Temporary;
    }
    if errors.iter().any(|error| !moved(error)) {
        return Ending::Failed;
    }
    if !outcome.unread.is_empty() {
        return Ending::Temporary;
    }
    Ending::Moved
}

/// The same of a run that didn't begin.
#[must_use]
pub fn ending_before(error: &EngineError) -> Ending {
    match error {
        error if error.is_temporary() || error.is_unconnected() => Ending::Temporary,
        EngineError::PlanChanged { .. } | EngineError::Refused(_) | EngineError::Blocked(_) => {
            Ending::Moved
        }
        _ => Ending::Failed,
    }
}
