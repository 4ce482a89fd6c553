//! Findings as JUnit's XML: a test case per migration, failed by what must not pass.

use std::collections::BTreeMap;

use whimbrel_core::finding::{Finding, Severity};

use super::text::place;
use crate::junit::{Case, Failure, suite};

/// For pipelines: one case for each migration that was looked at, in the order given; errors fail it, warnings and
/// notes are its output. Findings about anything else get cases of their own.
#[must_use]
pub fn junit(name: &str, migrations: &[String], findings: &[Finding]) -> String {
    let mut about: BTreeMap<String, Vec<&Finding>> = BTreeMap::new();
    for finding in findings {
        about.entry(subject(finding)).or_default().push(finding);
    }
    let mut cases: Vec<Case> = migrations
        .iter()
        .map(|migration| case(name, migration, about.remove(migration).unwrap_or_default()))
        .collect();
    cases.extend(
        about
            .into_iter()
            .map(|(subject, findings)| case(name, &subject, findings)),
    );
    suite(name, &cases)
}

fn subject(finding: &Finding) -> String {
    finding
        .migration
        .as_ref()
        .map(ToString::to_string)
        .or_else(|| finding.target.as_ref().map(ToString::to_string))
        .or_else(|| finding.path.clone())
        .unwrap_or_else(|| "project".to_owned())
}

fn case(class: &str, name: &str, findings: Vec<&Finding>) -> Case {
    let mut case = Case {
        class: class.to_owned(),
        name: name.to_owned(),
        file: findings.iter().find_map(|finding| finding.path.clone()),
        failures: Vec::new(),
        output: Vec::new(),
    };
    for finding in findings {
        let at = place(finding).map_or_else(String::new, |place| format!("{place}: "));
        let help = finding
            .help
            .as_ref()
            .map_or_else(String::new, |help| format!("\nhelp: {help}"));
        let text = format!("{at}{}{help}", finding.message);
        if finding.severity == Severity::Error {
            case.failures.push(Failure {
                kind: finding.rule.clone(),
                message: finding.message.clone(),
                text,
            });
        } else {
            let severity = finding.severity.as_str();
            case.output
                .push(format!("{severity}[{}] {text}", finding.rule));
        }
    }
    case
}
