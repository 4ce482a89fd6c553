//! What became of a run, as every surface tells it.

use std::collections::BTreeMap;

use whimbrel_core::digest::Digest;
use whimbrel_core::history::History;
use whimbrel_core::name::{EnvironmentName, TargetName};
use whimbrel_project::ProjectError;
use whimbrel_report::{DoneView, OutcomeView, TargetOutcome};
use whimbrel_run::{RunError, RunReport, TargetReport};
use whimbrel_signal::Scrubber;

/// What became of a run.
#[derive(Debug)]
pub struct Outcome {
    /// The environment.
    pub environment: EnvironmentName,
    /// The plan.
    pub plan: Digest,
    /// What was done; none when there was nothing to do.
    pub report: Option<RunReport>,
    /// Targets that could not be read, and so were left out.
    pub unread: BTreeMap<TargetName, ProjectError>,
    pub(crate) histories: BTreeMap<TargetName, History>,
}

impl Outcome {
    /// Whether every target is where it should be.
    #[must_use]
    pub fn is_success(&self) -> bool {
        self.unread.is_empty() && self.report.as_ref().is_none_or(RunReport::is_success)
    }

    /// What every target recorded before; only when nothing was done does it still hold.
    #[must_use]
    pub fn unchanged(&self) -> Option<&BTreeMap<TargetName, History>> {
        self.report.is_none().then_some(&self.histories)
    }

    /// As it is shown, without secrets: scrubbed before a format escapes characters that a secret may have.
    #[must_use]
    pub fn view(&self, scrubber: &Scrubber) -> OutcomeView {
        let report = self.report.as_ref();
        let ran = report.into_iter().flat_map(|report| &report.targets);
        let ran = ran.map(|report| view(report, scrubber));
        let unread = self.unread.iter().map(|(target, error)| TargetOutcome {
            target: target.clone(),
            done: Vec::new(),
            error: Some(scrubber.clean(unnamed(target, error))),
            hint: error.hint().map(|hint| scrubber.clean(hint)),
            committed: None,
        });
        OutcomeView {
            environment: self.environment.clone(),
            run: report.map(|report| report.run.to_string()),
            plan: self.plan,
            targets: ran.chain(unread).collect(),
            milliseconds: report.map_or(0, |report| report.milliseconds),
        }
    }
}

/// What the error says, without the target's name, which stands beside it.
fn unnamed(target: &TargetName, error: &ProjectError) -> String {
    let text = error.to_string();
    let name = format!("{target}: ");
    text.strip_prefix(&name).unwrap_or(&text).to_owned()
}

fn view(report: &TargetReport, scrubber: &Scrubber) -> TargetOutcome {
    let error = report.error.as_ref();
    let committed = error.and_then(|error| match error {
        RunError::Migration { committed, .. } => Some(committed).filter(|text| !text.is_empty()),
        _ => None,
    });
    let done = report.done.iter().map(|done| DoneView {
        migration: done.migration.clone(),
        direction: done.direction,
        milliseconds: done.milliseconds,
        rows: done.rows,
    });
    let hint = error.and_then(RunError::hint);
    TargetOutcome {
        target: report.target.clone(),
        done: done.collect(),
        error: error.map(|error| scrubber.clean(error)),
        hint: hint.map(|hint| scrubber.clean(hint)),
        committed: committed.map(|text| scrubber.clean(text)),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use whimbrel_core::digest::Digest;
    use whimbrel_core::name::TargetName;
    use whimbrel_project::ProjectError;
    use whimbrel_signal::Scrubber;

    use super::Outcome;

    #[test]
    fn a_secret_is_taken_out_before_a_format_can_write_it_otherwise() {
        let secret = "<hunter22 & more>";
        let outcome = Outcome {
            environment: "dev".parse().unwrap(),
            plan: Digest::of(b"a plan"),
            report: None,
            unread: BTreeMap::from([(
                TargetName::single("shop".parse().unwrap()),
                ProjectError::NoControlRef(secret.to_owned()),
            )]),
            histories: BTreeMap::new(),
        };
        let scrubber = Scrubber::default();
        scrubber.register(secret);
        let view = outcome.view(&scrubber);
        let error = view.targets[0].error.as_deref().unwrap();
        assert!(error.contains("`[redacted]`"), "{error}");
    }
}
