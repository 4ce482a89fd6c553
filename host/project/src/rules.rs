//! What becomes of findings: the project's settings of rules, and what authors let pass with a reason.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use whimbrel_config::FILE_SIZE;
use whimbrel_core::finding::{Finding, RuleLevel, Severity};
use whimbrel_core::suggestion::nearest;
use whimbrel_database::lint_rules;

use crate::OpenProject;
use crate::allowance::{Allowance, CREDENTIAL, allowances};
use crate::notices::OUTER_TRANSACTION;
use crate::open::Tree;

/// What a revert would destroy.
pub(crate) const DESTRUCTIVE_REVERT: &str = "destructive-revert";

/// What looks random, and so perhaps a key or a token.
pub(crate) const RANDOM: &str = "high-entropy-text";

/// Rules besides those of the dialects that a project may set.
const OWN: [&str; 5] = [
    DESTRUCTIVE_REVERT,
    OUTER_TRANSACTION,
    "no-revert",
    "removed-migration",
    "unknown-dialect",
];

/// The rules that a project may set.
pub(crate) fn settable() -> Vec<String> {
    let mut names = lint_rules();
    names.extend(OWN.map(str::to_owned));
    names
}

/// Judges findings as one project does.
pub(crate) struct Rules {
    levels: BTreeMap<String, RuleLevel>,
    /// The folder of the migrations, and where they are from; everything else is from `control`.
    migrations: String,
    tree: Tree,
    control: Tree,
    /// By path; read when there is a finding in the file.
    allowed: Mutex<BTreeMap<String, Arc<Vec<Allowance>>>>,
}

impl Rules {
    pub(crate) fn new(project: &OpenProject) -> Self {
        Self {
            levels: project.project().lint.rules.clone(),
            migrations: format!("{}/", project.project().migrations),
            tree: project.tree(),
            control: project.control(),
            allowed: Mutex::default(),
        }
    }

    /// The finding as the project takes it; none when it isn't to be told.
    pub(crate) fn judge(&self, mut finding: Finding) -> Option<Finding> {
        if let Some(level) = self.levels.get(&finding.rule) {
            finding.severity = level.severity()?;
        }
        if let (Some(path), Some(line)) = (&finding.path, finding.line) {
            // Who allows a credential allows what only looks like one.
            let also = (finding.rule == RANDOM).then_some(CREDENTIAL);
            let allowed = self.allowed(path).iter().any(|allowance| {
                allowance.covers(&finding.rule, line)
                    || also.is_some_and(|rule| allowance.covers(rule, line))
            });
            if allowed {
                return None;
            }
        }
        Some(finding)
    }

    /// What is allowed in a file.
    fn allowed(&self, path: &str) -> Arc<Vec<Allowance>> {
        let mut known = self.allowed.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = known.get(path) {
            return Arc::clone(found);
        }
        let tree = if path.starts_with(&self.migrations) {
            &self.tree
        } else {
            &self.control
        };
        let text = read(tree, path).unwrap_or_default();
        let found = Arc::new(allowances(&text));
        known.insert(path.to_owned(), Arc::clone(&found));
        found
    }
}

/// The text of a file that was read as a definition before; none when it isn't there any more.
pub(crate) fn read(tree: &Tree, path: &str) -> Option<String> {
    let bytes = tree.read(path, FILE_SIZE).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// What is wrong with the allowances of a file: no reason, or no such rule.
pub(crate) fn problems(path: &str, text: &str) -> Vec<Finding> {
    let mut known = settable();
    // Errors for everybody: only one place at a time is let pass, with its reason.
    known.extend([CREDENTIAL, RANDOM].map(str::to_owned));
    let found = allowances(text).into_iter().filter_map(|allowance| {
        let (message, help) = if !known.contains(&allowance.rule) {
            let near = nearest(&allowance.rule, known.iter().map(String::as_str));
            (
                format!("no rule `{}` can be allowed", allowance.rule),
                near.map_or_else(
                    || "`whimbrel lint` shows the names of rules in brackets".to_owned(),
                    |name| format!("did you mean `{name}`?"),
                ),
            )
        } else if allowance.reason.is_empty() {
            (
                format!(
                    "`{}` is allowed here without a reason, so it isn't",
                    allowance.rule
                ),
                "write after it why this is right".to_owned(),
            )
        } else {
            return None;
        };
        Some(Finding {
            help: Some(help),
            path: Some(path.to_owned()),
            line: Some(allowance.line),
            ..Finding::new("allowance", Severity::Error, message)
        })
    });
    found.collect()
}
