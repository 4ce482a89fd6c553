//! Looks through the files of a project for credentials that somebody wrote into them.
//!
//! Line by line as they are written, so that a finding has its place; and then the values as they are read, for what
//! an escape or a fold hides. No finding repeats what it found.

use std::collections::{BTreeMap, BTreeSet};

use whimbrel_config::EntryKind;
use whimbrel_core::definition::{Action, Migration};
use whimbrel_core::finding::{Finding, Severity};
use whimbrel_core::name::MigrationName;

use crate::OpenProject;
use crate::allowance::{CREDENTIAL, allowances};
use crate::credential::credentials;
use crate::entropy::{Certainty, random};
use crate::open::Tree;
use crate::rules::{RANDOM, problems, read};

/// Everything that looks like a credential in the files of a project, and what is wrong with what they allow.
pub(crate) fn plain_text(project: &OpenProject) -> Vec<Finding> {
    let mut findings = Vec::new();
    for path in control_files(project) {
        findings.extend(of_file(&project.control(), &path, None));
    }
    let mut seen = BTreeSet::new();
    for migration in &project.definitions().migrations {
        for path in files(migration) {
            if seen.insert(path.clone()) {
                findings.extend(of_file(&project.tree(), &path, Some(&migration.name)));
            }
        }
    }
    let told: BTreeSet<_> = findings
        .iter()
        .filter(|finding| finding.rule == CREDENTIAL || finding.rule == RANDOM)
        .filter_map(|finding| finding.path.clone())
        .collect();
    for migration in &project.definitions().migrations {
        if files(migration).all(|path| !told.contains(&path)) {
            findings.extend(hidden(project, migration));
        }
    }
    findings.extend(hidden_parameters(project, &told));
    findings
}

fn of_file(tree: &Tree, path: &str, migration: Option<&MigrationName>) -> Vec<Finding> {
    let Some(text) = read(tree, path) else {
        return Vec::new();
    };
    let mut findings = problems(path, &text);
    let known: BTreeMap<u32, &str> = credentials(&text).into_iter().collect();
    for (line, text) in (1..).zip(text.lines()) {
        let (rule, what) = match (known.get(&line), random(text)) {
            (Some(what), _) => (CREDENTIAL, *what),
            (None, Some(Certainty::Secret)) => (CREDENTIAL, "what looks like a secret"),
            (None, Some(Certainty::Random)) => {
                (RANDOM, "what looks random, as keys and tokens do,")
            }
            (None, None) => continue,
        };
        findings.push(finding(
            rule,
            format!("this line holds {what} in plain text"),
            path,
            Some(line),
        ));
    }
    for finding in &mut findings {
        finding.migration = migration.cloned();
    }
    findings
}

fn finding(rule: &str, message: String, path: &str, line: Option<u32>) -> Finding {
    Finding {
        help: Some(
            "keep it in a secret backend, and change it if it was ever committed; if it is none, say why: `whimbrel:allow-credential REASON` in a comment"
                .to_owned(),
        ),
        path: Some(path.to_owned()),
        line,
        ..Finding::new(rule, Severity::Error, message)
    }
}

/// Credentials in the values of a migration that its lines don't show.
fn hidden(project: &OpenProject, migration: &Migration) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (index, step) in migration.steps.iter().enumerate() {
        let texts = match &step.action {
            Action::Sql(action) => {
                vec![
                    action.sql.clone(),
                    action.revert.clone().unwrap_or_default(),
                ]
            }
            Action::Plugin(action) => vec![action.with.to_string()],
        };
        for (_, what) in texts.iter().flat_map(|text| credentials(text)) {
            let title = step.title(index);
            let mut found = finding(
                CREDENTIAL,
                format!("{title} holds {what} in plain text"),
                &migration.origin.path,
                Some(migration.origin.line.max(1)),
            );
            found.migration = Some(migration.name.clone());
            findings.push(found);
        }
    }
    let allowed = files(migration).any(|path| {
        read(&project.tree(), &path).is_some_and(|text| {
            let allowances = allowances(&text);
            let mut credentials = allowances.iter().filter(|found| found.rule == CREDENTIAL);
            credentials.any(|allowance| !allowance.reason.is_empty())
        })
    });
    // Of what is allowed in these files nobody can tell here whether it is this.
    if allowed { Vec::new() } else { findings }
}

/// Credentials in parameters that no line of an environment's document shows.
fn hidden_parameters(project: &OpenProject, told: &BTreeSet<String>) -> Vec<Finding> {
    let folder = format!("{}/", project.project().environments);
    if told.iter().any(|path| path.starts_with(&folder)) {
        return Vec::new();
    }
    let mut findings = Vec::new();
    for environment in project.definitions().environments.values() {
        for (name, value) in &environment.parameters {
            for (_, what) in credentials(value) {
                findings.push(finding(
                    CREDENTIAL,
                    format!(
                        "the parameter `{name}` of `{}` holds {what} in plain text",
                        environment.name
                    ),
                    &project.project().environments,
                    None,
                ));
            }
        }
    }
    findings
}

/// The files of a migration.
fn files(migration: &Migration) -> impl Iterator<Item = String> + '_ {
    let named = migration.steps.iter().flat_map(|step| match &step.action {
        Action::Sql(action) => [action.file.as_ref(), action.revert_file.as_ref()],
        Action::Plugin(_) => [None, None],
    });
    let paths = named.flatten().map(|origin| origin.path.clone());
    let all: BTreeSet<_> = std::iter::once(migration.origin.path.clone())
        .chain(paths)
        .collect();
    all.into_iter()
}

/// The project's own document and those of its environments.
fn control_files(project: &OpenProject) -> Vec<String> {
    let folder = &project.project().environments;
    let entries = project.control().entries(folder).unwrap_or_default();
    let documents = entries
        .into_iter()
        .filter(|entry| entry.kind == EntryKind::File)
        .map(|entry| format!("{folder}/{}", entry.name));
    ["whimbrel.yaml", "whimbrel.yml", "whimbrel.json"]
        .map(str::to_owned)
        .into_iter()
        .chain(documents)
        .collect()
}
