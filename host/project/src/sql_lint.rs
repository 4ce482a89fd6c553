//! What the SQL of a migration shows, in the direction of its apply and of its revert.

use whimbrel_config::{Spot, TextOf, place_of, sql_origin};
use whimbrel_core::definition::{Action, Migration};
use whimbrel_core::environment::Environment;
use whimbrel_core::finding::{Finding, Severity};
use whimbrel_core::history::Direction;
use whimbrel_core::plan::{Operation, OperationAction, Prepared};
use whimbrel_core::policy::DestructiveRule;
use whimbrel_core::statement::Dialect;
use whimbrel_core::template::{Values, fill};
use whimbrel_database::lint as lint_sql;

use crate::open::Tree;
use crate::rules::DESTRUCTIVE_REVERT;

/// A finding about a migration, at the line of its name.
pub(crate) fn about(
    migration: &Migration,
    rule: &str,
    severity: Severity,
    message: String,
) -> Finding {
    Finding {
        migration: Some(migration.name.clone()),
        path: Some(migration.origin.path.clone()),
        line: Some(migration.origin.line.max(1)),
        ..Finding::new(rule, severity, message)
    }
}

/// What a prepared migration destroys, and what its revert would.
pub(crate) fn destroyed(
    tree: &Tree,
    migration: &Migration,
    prepared: &Prepared,
    environment: &Environment,
) -> Vec<Finding> {
    let rule = environment.policy.destructive;
    let (severity, help) = match rule {
        DestructiveRule::Forbid => (Severity::Error, "`policy.destructive` forbids it"),
        DestructiveRule::Confirm => (Severity::Warning, "a run asks for `--allow-destructive`"),
        DestructiveRule::Allow => (Severity::Note, "`policy.destructive` allows it"),
    };
    let mut findings = Vec::new();
    let mut add = |direction, operations: &[Operation], severity, rule: &str, said: &str| {
        for operation in operations {
            let OperationAction::Statement(statement) = &operation.action else {
                continue;
            };
            for reason in &statement.destructive {
                let (path, line) =
                    place(tree, migration, operation.step, direction, statement.line);
                findings.push(Finding {
                    help: Some(format!("{help} in `{}`", environment.name)),
                    path: Some(path),
                    line: Some(line),
                    ..about(
                        migration,
                        rule,
                        severity,
                        format!("{said}{} {reason}", operation.title),
                    )
                });
            }
        }
    };
    add(Direction::Apply, &prepared.up, severity, "destructive", "");
    // To take back what was made is what reverts are for: worth a note, and only where the policy would say no.
    if rule != DestructiveRule::Allow {
        let said = "in the revert: ";
        add(
            Direction::Revert,
            &prepared.down,
            Severity::Note,
            DESTRUCTIVE_REVERT,
            said,
        );
    }
    findings
}

/// What a prepared migration can't take back.
pub(crate) fn irreversible(migration: &Migration, prepared: &Prepared) -> Vec<Finding> {
    let steps = prepared.irreversible.iter();
    steps
        .map(|(_, title)| Finding {
            help: Some(
                "give it a `revert`; `revert: \"\"` says that nothing needs undoing".to_owned(),
            ),
            ..about(
                migration,
                "no-revert",
                Severity::Note,
                format!("{title} can't be reverted"),
            )
        })
        .collect()
}

/// Where a line of a step's SQL stands: in its own file, or in the migration's document.
fn place(
    tree: &Tree,
    migration: &Migration,
    step: usize,
    direction: Direction,
    line: u32,
) -> (String, u32) {
    match sql_origin(&**tree, migration, step, direction) {
        Some(origin) => (origin.path, origin.line.max(1) + line.max(1) - 1),
        None => (migration.origin.path.clone(), migration.origin.line.max(1)),
    }
}

/// What the dialect's own rules say of a migration's SQL, that of its revert marked so.
pub(crate) fn sql_findings(
    tree: &Tree,
    dialect: Dialect,
    migration: &Migration,
    parameters: &Values,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (step, action) in migration.steps.iter().enumerate() {
        let Action::Sql(action) = &action.action else {
            continue;
        };
        let texts = [
            (Direction::Apply, Some(&action.sql), ""),
            (Direction::Revert, action.revert.as_ref(), "in the revert: "),
        ];
        for (direction, text, said) in texts {
            let Some(text) = text.filter(|text| !text.trim().is_empty()) else {
                continue;
            };
            let filled = fill(dialect, text, parameters);
            if !filled.errors.is_empty() {
                // That is told by preparing it.
                continue;
            }
            for found in lint_sql(dialect, &filled.text) {
                let text = TextOf::Step(step, direction);
                let spot = Spot::Text(text, filled.origin(found.offset));
                let finding = Finding {
                    help: found.help,
                    migration: Some(migration.name.clone()),
                    ..Finding::new(
                        found.rule,
                        found.severity,
                        format!("{said}{}", found.message),
                    )
                };
                findings.push(finding.at(place_of(&**tree, migration, spot)));
            }
        }
    }
    findings
}
