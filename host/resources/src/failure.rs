//! Why the engine can't answer, as the fault that a plugin gets.

use whimbrel_core::fault::{Fault, FaultClass, Retry};
use whimbrel_engine::{EngineError, Outcome};
use whimbrel_project::ProjectError;
use whimbrel_report::TargetOutcome;
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
    let retry = if class == FaultClass::Unavailable {
        Retry::Backoff
    } else {
        Retry::Never
    };
    Fault {
        retry,
        hint: joined(error.hints()),
        ..Fault::new(class, code, error.to_string())
    }
}

/// A project that can't be opened.
pub fn of_project(error: ProjectError) -> Fault {
    fault(&EngineError::from(error))
}

/// A target that can't be asked.
pub fn of_unread(error: &ProjectError) -> Fault {
    Fault {
        retry: Retry::Backoff,
        hint: error.hint(),
        ..Fault::new(FaultClass::Unavailable, "engine.unread", error.to_string())
    }
}

/// A run that didn't come to its end on every target.
pub fn of_run(outcome: &Outcome, scrubber: &Scrubber) -> Fault {
    let view = outcome.view(scrubber);
    let mut message = String::from("not everything could be done");
    let failed = view.targets.iter().filter(|target| target.error.is_some());
    for target in failed.clone() {
        message.push_str(&told(target));
    }
    Fault {
        hint: joined(failed.filter_map(|target| target.hint.clone()).collect()),
        ..Fault::new(FaultClass::Conflict, "engine.run", message)
    }
}

fn told(target: &TargetOutcome) -> String {
    let error = target.error.as_deref().unwrap_or_default();
    let committed = target.committed.as_ref();
    let committed = committed.map(|text| format!("\n  committed before that: {text}"));
    format!(
        "\n{}: {error}{}",
        target.target,
        committed.unwrap_or_default()
    )
}

fn joined(mut hints: Vec<String>) -> Option<String> {
    hints.dedup();
    Some(hints.join("; ")).filter(|hint| !hint.is_empty())
}
