//! Findings of lint, of policies, and of a plan: for people, programs, pipelines and code hosts.

mod junit;
mod sarif;
mod text;

use serde_json::json;
use whimbrel_core::finding::{Finding, Severity};

pub use junit::junit;
pub use sarif::sarif;
pub use text::text;
pub(crate) use text::{counted, indented, place};

/// What becomes of notes where people read: many of them drown the warnings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notes {
    /// They are counted by rule.
    Counted,
    /// Each is shown.
    Shown,
}

/// For programs: `{findings: […], summary: {errors, warnings, notes}}`.
#[must_use]
pub fn json(findings: &[Finding]) -> String {
    let items: Vec<_> = findings
        .iter()
        .map(|finding| match &finding.target {
            Some(target) => crate::target::named(json!(finding), target),
            None => json!(finding),
        })
        .collect();
    let value = json!({
        "findings": items,
        "summary": {
            "errors": number(findings, Severity::Error),
            "warnings": number(findings, Severity::Warning),
            "notes": number(findings, Severity::Note),
        },
    });
    format!("{value:#}\n")
}

/// How many findings there are of one severity.
#[must_use]
pub fn number(findings: &[Finding], severity: Severity) -> usize {
    findings
        .iter()
        .filter(|finding| finding.severity == severity)
        .count()
}

#[cfg(test)]
mod tests;
