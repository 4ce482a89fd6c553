//! What became of a run.

use std::fmt::Write as _;

use serde::Serialize;
use serde_json::{Value as Json, json};
use whimbrel_core::digest::Digest;
use whimbrel_core::history::Direction;
use whimbrel_core::name::{EnvironmentName, MigrationName, TargetName};
use whimbrel_signal::Scrubbed;

use crate::junit::{Case, Failure, suite};
use crate::quantity::{duration, plural};
use crate::style::{good, hint, strong};

/// What became of a run.
#[derive(Clone, Debug)]
pub struct OutcomeView {
    /// The environment.
    pub environment: EnvironmentName,
    /// The run; none when there was nothing to do.
    pub run: Option<String>,
    /// The plan that was run.
    pub plan: Digest,
    /// Every target that had work.
    pub targets: Vec<TargetOutcome>,
    /// How long it took.
    pub milliseconds: u64,
}

/// What became of a target.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TargetOutcome {
    /// The target.
    #[serde(serialize_with = "crate::target::serialize")]
    pub target: TargetName,
    /// What was done, in order.
    pub done: Vec<DoneView>,
    /// Why it ended early.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Scrubbed>,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<Scrubbed>,
    /// What had been committed of the migration that it ended in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub committed: Option<Scrubbed>,
}

/// One migration that was done.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DoneView {
    /// The migration.
    pub migration: MigrationName,
    /// Which way.
    pub direction: Direction,
    /// How long it took.
    pub milliseconds: u64,
    /// Rows that plugin steps reported.
    pub rows: u64,
}

impl OutcomeView {
    fn is_success(&self) -> bool {
        self.targets.iter().all(|target| target.error.is_none())
    }

    fn number(&self, direction: Direction) -> usize {
        self.targets
            .iter()
            .flat_map(|target| &target.done)
            .filter(|done| done.direction == direction)
            .count()
    }

    /// For programs.
    #[must_use]
    pub fn json(&self) -> String {
        format!("{:#}\n", self.value())
    }

    /// The same as a value.
    #[must_use]
    pub fn value(&self) -> Json {
        let result = match (self.is_success(), self.run.is_some()) {
            (true, true) => "succeeded",
            (true, false) => "nothing to do",
            (false, _) => "failed",
        };
        json!({
            "environment": self.environment,
            "run": self.run,
            "plan": self.plan,
            "result": result,
            "targets": self.targets,
            "milliseconds": self.milliseconds,
        })
    }

    /// For pipelines: a case per migration.
    #[must_use]
    pub fn junit(&self) -> String {
        let mut cases = Vec::new();
        for target in &self.targets {
            for done in &target.done {
                cases.push(Case {
                    class: target.target.to_string(),
                    name: format!("{} {}", done.direction.as_str(), done.migration),
                    file: None,
                    failures: Vec::new(),
                    output: Vec::new(),
                });
            }
            if let Some(error) = &target.error {
                let hint = target.hint.as_ref();
                cases.push(Case {
                    class: target.target.to_string(),
                    name: "run".to_owned(),
                    file: None,
                    failures: vec![Failure {
                        kind: "failed".to_owned(),
                        message: error.to_string(),
                        text: hint.map_or_else(
                            || error.to_string(),
                            |hint| format!("{error}\nhint: {hint}"),
                        ),
                    }],
                    output: Vec::new(),
                });
            }
        }
        suite(&format!("whimbrel {}", self.environment), &cases)
    }

    /// For people: one line. What was done was shown while it was done, and what failed is told as an error.
    #[must_use]
    pub fn text(&self) -> String {
        if self.run.is_none() {
            return if self.is_success() {
                format!("{}\n", good("Everything is up to date."))
            } else {
                "Nothing was run, and not every database could be read.\n".to_owned()
            };
        }
        format!("{}\n", self.summary())
    }

    /// What failed, target by target, each with what had been committed and what to do.
    #[must_use]
    pub fn failures(&self) -> String {
        let mut out = String::new();
        for target in &self.targets {
            let Some(error) = &target.error else { continue };
            // Writing to a string can't fail.
            let _ = writeln!(out, "  {}: {error}", strong(&target.target));
            if let Some(committed) = &target.committed {
                let _ = writeln!(out, "    committed before that: {committed}");
            }
            if let Some(text) = &target.hint {
                let _ = writeln!(out, "    {} {text}", hint("hint:"));
            }
        }
        out
    }

    /// `2 applied, 1 reverted on 2 databases in 1.2 s`.
    #[must_use]
    pub fn summary(&self) -> String {
        let mut parts = Vec::new();
        for (number, what) in [
            (self.number(Direction::Apply), "applied"),
            (self.number(Direction::Revert), "reverted"),
        ] {
            if number > 0 {
                parts.push(format!("{} {what}", plural(number, "migration")));
            }
        }
        if parts.is_empty() {
            parts.push("nothing was applied".to_owned());
        }
        let all = self.targets.len();
        let failed = self
            .targets
            .iter()
            .filter(|target| target.error.is_some())
            .count();
        let failed = match failed {
            0 => String::new(),
            failed => format!("; {failed} of {all} did not finish"),
        };
        format!(
            "{} on {} in {}{failed}",
            parts.join(", "),
            plural(all, "database"),
            duration(self.milliseconds)
        )
    }
}

#[cfg(test)]
mod tests;
