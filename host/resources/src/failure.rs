//! Why the engine can't answer, as the fault that a plugin gets.

use whimbrel_core::fault::{Fault, FaultClass, Retry};
use whimbrel_engine::{EngineError, Outcome};
use whimbrel_project::ProjectError;
use whimbrel_signal::Scrubber;

/// What an error of the engine means for who asked.
pub fn fault(error: &EngineError) -> Fault {
    let (class, code) = match error {
        error if error.is_temporary() => (FaultClass::Unavailable, "engine.unavailable"),
        error if error.is_definition() => (FaultClass::Invalid, "engine.definition"),
        EngineError::Blocked(_) => (FaultClass::Conflict, "engine.blocked"),
        EngineError::Refused(_) => (FaultClass::Denied, "engine.refused"),
        EngineError::PlanChanged { .. } => (FaultClass::Conflict, "engine.plan-changed"),
        _ => (FaultClass::Invalid, "engine.failed"),
    };
    Fault {
        hint: joined(error.hints()),
        ..of_class(class, code, error.to_string())
    }
}

/// A fault of a class: what is away may be there later, everything else says the same again.
pub fn of_class(class: FaultClass, code: &str, message: impl Into<String>) -> Fault {
    let retry = if class == FaultClass::Unavailable {
        Retry::Backoff
    } else {
        Retry::Never
    };
    Fault {
        retry,
        ..Fault::new(class, code, message)
    }
}

/// A project that can't be opened.
pub fn of_project(error: ProjectError) -> Fault {
    fault(&EngineError::from(error))
}

/// A target that can't be asked.
pub fn of_unread(error: &ProjectError) -> Fault {
    Fault {
        hint: error.hint(),
        ..of_class(FaultClass::Unavailable, "engine.unread", error.to_string())
    }
}

/// A run that didn't come to its end on every target.
pub fn of_run(outcome: &Outcome, scrubber: &Scrubber) -> Fault {
    let view = outcome.view(scrubber);
    let failed = view.targets.iter().filter_map(|target| {
        let error = target.error.as_deref()?;
        Some(Failed {
            target: target.target.to_string(),
            error,
            committed: target.committed.as_deref(),
            hint: target.hint.as_deref(),
        })
    });
    of_failed(failed)
}

/// How a run ended on one target, whoever ran it.
pub struct Failed<'v> {
    /// The target's name.
    pub target: String,
    /// Why.
    pub error: &'v str,
    /// What was committed before that.
    pub committed: Option<&'v str>,
    /// What may help.
    pub hint: Option<&'v str>,
}

/// The same in words, of all targets that failed.
pub fn of_failed<'v>(failed: impl Iterator<Item = Failed<'v>>) -> Fault {
    let mut message = String::from("not everything could be done");
    let mut hints = Vec::new();
    for one in failed {
        message.push_str(&format!("\n{}: {}", one.target, one.error));
        if let Some(committed) = one.committed {
            message.push_str(&format!("\n  committed before that: {committed}"));
        }
        hints.extend(one.hint.map(str::to_owned));
    }
    Fault {
        hint: joined(hints),
        ..of_class(FaultClass::Conflict, "engine.run", message)
    }
}

/// Hints as one.
pub fn joined(mut hints: Vec<String>) -> Option<String> {
    hints.dedup();
    Some(hints.join("; ")).filter(|hint| !hint.is_empty())
}
