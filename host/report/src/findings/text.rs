//! Findings for people.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use whimbrel_core::finding::{Finding, Severity};

use super::{Notes, number};
use crate::quantity::plural;
use crate::style::{bad, dim, good, hint, strong, warn};

/// For people: one paragraph per finding, worst last so that it is what a terminal shows, notes counted unless asked
/// for, and a summary.
#[must_use]
pub fn text(findings: &[Finding], migrations: usize, notes: Notes) -> String {
    let mut out = String::new();
    let mut sorted: Vec<&Finding> = findings
        .iter()
        .filter(|finding| notes == Notes::Shown || finding.severity != Severity::Note)
        .collect();
    sorted.sort_by_key(|finding| finding.severity);
    for finding in sorted {
        let severity = match finding.severity {
            Severity::Error => bad("error"),
            Severity::Warning => warn("warning"),
            Severity::Note => dim("note"),
        };
        // Writing to a string can't fail.
        let _ = write!(out, "{severity}[{}]: ", finding.rule);
        match (place(finding), finding.column) {
            (Some(place), Some(_)) => {
                let _ = writeln!(out, "{}: {}", strong(place), finding.message);
            }
            (Some(place), None) => {
                let _ = writeln!(out, "{}\n  at {}", finding.message, strong(place));
            }
            (None, _) => {
                let _ = writeln!(out, "{}", finding.message);
            }
        }
        if let Some(excerpt) = &finding.excerpt {
            out.push_str(&indented(excerpt, " "));
        }
        if let Some(help) = &finding.help {
            let _ = writeln!(out, "  {} {help}", hint("help:"));
        }
        out.push('\n');
    }
    if notes == Notes::Counted
        && let Some(counted) = counted(findings)
    {
        let _ = writeln!(out, "{}: {counted}", dim("notes"));
        let _ = writeln!(out, "  {} `--verbose` shows them\n", hint("help:"));
    }
    out.push_str(&summary(findings, migrations));
    out
}

/// How many notes there are of each rule; none when there are none.
pub(crate) fn counted(findings: &[Finding]) -> Option<String> {
    let mut rules: BTreeMap<&str, usize> = BTreeMap::new();
    let notes = findings
        .iter()
        .filter(|finding| finding.severity == Severity::Note);
    for finding in notes {
        *rules.entry(&finding.rule).or_default() += 1;
    }
    let parts: Vec<String> = rules
        .into_iter()
        .map(|(rule, count)| format!("{count} {rule}"))
        .collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

fn summary(findings: &[Finding], migrations: usize) -> String {
    let looked_at = plural(migrations, "migration");
    let counts = [
        (Severity::Error, "error"),
        (Severity::Warning, "warning"),
        (Severity::Note, "note"),
    ];
    let parts: Vec<String> = counts
        .into_iter()
        .map(|(severity, noun)| (number(findings, severity), noun))
        .filter(|(count, _)| *count > 0)
        .map(|(count, noun)| plural(count, noun))
        .collect();
    if parts.is_empty() {
        format!("{} in {looked_at}\n", good("no findings"))
    } else {
        format!("{} in {looked_at}\n", parts.join(", "))
    }
}

/// Where a finding is, as an editor opens it; else the migration or target that it is about.
pub(crate) fn place(finding: &Finding) -> Option<String> {
    match (&finding.path, finding.line) {
        (Some(path), Some(line)) => Some(match finding.column {
            Some(column) => format!("{path}:{line}:{column}"),
            None => format!("{path}:{line}"),
        }),
        (Some(path), None) => Some(path.clone()),
        (None, _) => finding
            .migration
            .as_ref()
            .map(ToString::to_string)
            .or_else(|| finding.target.as_ref().map(ToString::to_string)),
    }
}

/// The line of a file with a caret under it, so far in.
pub(crate) fn indented(excerpt: &str, indent: &str) -> String {
    let lines = excerpt.lines();
    lines.map(|line| format!("{indent}{line}\n")).collect()
}
