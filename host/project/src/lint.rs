//! Everything that can be said of definitions without a database.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use whimbrel_core::definition::{Action, Migration, Origin};
use whimbrel_core::environment::{Environment, ValueSource};
use whimbrel_core::finding::{Finding, Severity};
use whimbrel_core::name::{DatabaseName, EnvironmentName};
use whimbrel_core::plan::{OperationAction, Prepared};
use whimbrel_core::policy::DestructiveRule;
use whimbrel_core::statement::Dialect;
use whimbrel_core::template::{Values, expand_sql};
use whimbrel_database::lint as lint_sql;

use crate::absence::names;
use crate::credential::credentials;
use crate::plugins::Plugins;
use crate::prepare::Preparer;
use crate::{OpenProject, ProjectError};

/// What is linted.
#[derive(Clone, Debug, Default)]
pub struct LintOptions {
    /// The environments whose dialects, parameters and policies count; all when empty.
    pub environments: Vec<EnvironmentName>,
    /// A ref to compare checksums with: what it has must not have been edited.
    pub base: Option<String>,
}

/// Looks at every definition. What is so wrong that a project can't be opened is told by opening it.
///
/// # Errors
/// An environment or the base ref isn't there.
pub async fn lint(
    project: &OpenProject,
    plugins: Arc<Plugins>,
    options: &LintOptions,
) -> Result<Vec<Finding>, ProjectError> {
    let mut environments = Vec::new();
    for name in &options.environments {
        environments.push(project.environment(name.as_str())?);
    }
    if environments.is_empty() {
        environments.extend(project.definitions().environments.values());
    }
    let mut findings = Findings::default();
    for environment in &environments {
        in_environment(project, &plugins, environment, &mut findings).await?;
    }
    for migration in &project.definitions().migrations {
        plain_text(migration, &mut findings);
    }
    for environment in &environments {
        for (name, value) in &environment.parameters {
            for (_, what) in credentials(value) {
                findings.add(Finding {
                    message: format!("the parameter `{name}` holds {what} in plain text"),
                    path: Some(format!(
                        "{}/{}.yaml",
                        project.project().environments,
                        environment.name
                    )),
                    ..plain_text_finding()
                });
            }
        }
    }
    if let Some(base) = &options.base {
        since(project, base, &mut findings)?;
    }
    Ok(findings.sorted())
}

/// Findings, each once, the gravest where environments differ.
#[derive(Default)]
struct Findings {
    found: Vec<Finding>,
}

impl Findings {
    fn add(&mut self, finding: Finding) {
        let twin = self.found.iter_mut().find(|other| {
            (
                &other.rule,
                &other.message,
                &other.migration,
                &other.path,
                other.line,
            ) == (
                &finding.rule,
                &finding.message,
                &finding.migration,
                &finding.path,
                finding.line,
            )
        });
        match twin {
            Some(twin) if finding.severity > twin.severity => *twin = finding,
            Some(_) => {}
            None => self.found.push(finding),
        }
    }

    fn sorted(mut self) -> Vec<Finding> {
        self.found.sort_by(|a, b| {
            let key = |finding: &Finding| {
                (
                    finding.migration.clone(),
                    finding.path.clone(),
                    finding.line,
                    finding.rule.clone(),
                )
            };
            key(a).cmp(&key(b))
        });
        self.found
    }
}

/// A finding about a migration, at the line of its name.
fn about(migration: &Migration, rule: &str, severity: Severity, message: String) -> Finding {
    Finding {
        rule: rule.to_owned(),
        severity,
        message,
        help: None,
        migration: Some(migration.name.clone()),
        target: None,
        path: Some(migration.origin.path.clone()),
        line: Some(migration.origin.line.max(1)),
    }
}

async fn in_environment(
    project: &OpenProject,
    plugins: &Arc<Plugins>,
    environment: &Environment,
    findings: &mut Findings,
) -> Result<(), ProjectError> {
    for database in environment.databases.keys() {
        let desired = project.desired(database)?;
        if desired.is_empty() {
            continue;
        }
        let dialects = dialects(project, environment, database);
        if dialects.is_empty() {
            findings.add(Finding {
                rule: "unknown-dialect".to_owned(),
                severity: Severity::Note,
                message: format!(
                    "the URL of `{database}` is a secret, so its SQL was not looked at"
                ),
                help: Some(
                    "write the URL without credentials, and give `username` and `password` apart"
                        .to_owned(),
                ),
                migration: None,
                target: None,
                path: None,
                line: None,
            });
        }
        for dialect in dialects {
            let preparer = Preparer {
                plugins: Arc::clone(plugins),
                dialect,
                parameters: environment.parameters.clone(),
            };
            for item in desired {
                let migration = &item.migration;
                match preparer.prepare(migration, item.checksum.clone()).await {
                    Ok(prepared) => of_prepared(migration, &prepared, environment, findings),
                    Err(error) => findings.add(Finding {
                        help: Some(error.hint).filter(|hint| !hint.is_empty()),
                        ..about(migration, "definition", Severity::Error, error.message)
                    }),
                }
                for finding in sql_findings(dialect, migration, &environment.parameters) {
                    findings.add(finding);
                }
            }
        }
    }
    Ok(())
}

/// What a prepared migration shows: what it destroys, and what can't be reverted.
fn of_prepared(
    migration: &Migration,
    prepared: &Prepared,
    environment: &Environment,
    findings: &mut Findings,
) {
    let (severity, help) = match environment.policy.destructive {
        DestructiveRule::Forbid => (Severity::Error, "`policy.destructive` forbids it"),
        DestructiveRule::Confirm => (Severity::Warning, "a run asks for `--allow-destructive`"),
        DestructiveRule::Allow => (Severity::Note, "`policy.destructive` allows it"),
    };
    for operation in &prepared.up {
        let OperationAction::Statement(statement) = &operation.action else {
            continue;
        };
        for reason in &statement.destructive {
            let (path, line) = place(migration, operation.step, statement.line);
            findings.add(Finding {
                help: Some(format!("{help} in `{}`", environment.name)),
                path: Some(path),
                line: Some(line),
                ..about(
                    migration,
                    "destructive",
                    severity,
                    format!("{} {reason}", operation.title),
                )
            });
        }
    }
    for (_, title) in &prepared.irreversible {
        findings.add(Finding {
            help: Some(
                "give it a `revert`; `revert: \"\"` says that nothing needs undoing".to_owned(),
            ),
            ..about(
                migration,
                "no-revert",
                Severity::Note,
                format!("{title} can't be reverted"),
            )
        });
    }
}

/// Where a line of a step's SQL stands: in its own file, or in the migration's document.
fn place(migration: &Migration, step: usize, line: u32) -> (String, u32) {
    let file = migration
        .steps
        .get(step)
        .and_then(|step| match &step.action {
            Action::Sql(action) => action.file.as_ref(),
            Action::Plugin(_) => None,
        });
    match file {
        Some(file) => (file.path.clone(), file.line.max(1) + line - 1),
        None => (migration.origin.path.clone(), migration.origin.line.max(1)),
    }
}

/// What the dialect's own rules say of a migration's SQL.
pub(crate) fn sql_findings(
    dialect: Dialect,
    migration: &Migration,
    parameters: &Values,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (index, step) in migration.steps.iter().enumerate() {
        let Action::Sql(action) = &step.action else {
            continue;
        };
        // What can't be filled in is told by preparing it.
        let Ok(sql) = expand_sql(dialect, &action.sql, parameters) else {
            continue;
        };
        for found in lint_sql(dialect, &sql) {
            let (path, line) = place(migration, index, found.line.max(1));
            findings.push(Finding {
                help: found.help,
                path: Some(path),
                line: Some(line),
                ..about(migration, &found.rule, found.severity, found.message)
            });
        }
    }
    findings
}

fn plain_text_finding() -> Finding {
    Finding {
        rule: "plain-text-credential".to_owned(),
        severity: Severity::Error,
        message: String::new(),
        help: Some("keep it in a secret backend; it was in Git, so change it as well".to_owned()),
        migration: None,
        target: None,
        path: None,
        line: None,
    }
}

fn plain_text(migration: &Migration, findings: &mut Findings) {
    let mut look = |text: &str, file: Option<&Origin>, title: &str| {
        for (line, what) in credentials(text) {
            let (path, line) = match file {
                Some(file) => (file.path.clone(), file.line.max(1) + line - 1),
                None => (migration.origin.path.clone(), migration.origin.line.max(1)),
            };
            findings.add(Finding {
                message: format!("{title} holds {what} in plain text"),
                migration: Some(migration.name.clone()),
                path: Some(path),
                line: Some(line),
                ..plain_text_finding()
            });
        }
    };
    for (index, step) in migration.steps.iter().enumerate() {
        let title = step.title(index);
        match &step.action {
            Action::Sql(action) => {
                look(&action.sql, action.file.as_ref(), &title);
                if let Some(revert) = &action.revert {
                    look(revert, action.revert_file.as_ref(), &title);
                }
            }
            Action::Plugin(action) => look(&action.with.to_string(), None, &title),
        }
    }
}

/// The dialects that a database speaks: in this environment, or where its URL is a secret, in the others.
fn dialects(
    project: &OpenProject,
    environment: &Environment,
    database: &DatabaseName,
) -> BTreeSet<Dialect> {
    let of = |environment: &Environment| {
        let spec = environment.databases.get(database)?;
        match &spec.url {
            ValueSource::Literal(url) if url.starts_with("sqlite:") => Some(Dialect::Sqlite),
            ValueSource::Literal(url) if url.starts_with("postgres") => Some(Dialect::Postgres),
            _ => None,
        }
    };
    if let Some(dialect) = of(environment) {
        return BTreeSet::from([dialect]);
    }
    let others = project.definitions().environments.values();
    others.filter_map(of).collect()
}

/// What was edited or taken away since the definitions left a base.
fn since(project: &OpenProject, base: &str, findings: &mut Findings) -> Result<(), ProjectError> {
    let Some(repository) = project.repository() else {
        return Err(ProjectError::NoRepository {
            folder: project.folder().to_path_buf(),
            reference: base.to_owned(),
        });
    };
    let tip = repository.resolve(base)?;
    // What the base got after the branch left it was not edited here.
    let left = match project.revision() {
        Some(now) => repository.common_ancestor(&tip, now)?.unwrap_or(tip),
        None => tip,
    };
    let tree = repository.tree(&left, project.prefix())?;
    let before = names(&tree, &project.project().migrations);
    let now: BTreeMap<_, _> = project
        .definitions()
        .migrations
        .iter()
        .map(|migration| (&migration.name, migration))
        .collect();
    for (name, old) in &before {
        let Some(migration) = now.get(name) else {
            findings.add(Finding {
                rule: "removed-migration".to_owned(),
                severity: Severity::Note,
                message: format!("`{name}` is in `{base}` and was removed"),
                help: Some("where it is applied, applying this reverts it".to_owned()),
                migration: Some(name.clone()),
                target: None,
                path: None,
                line: None,
            });
            continue;
        };
        let checksum = |migration: &Migration| migration.checksum().ok();
        if let Some(old) = old
            && checksum(old) != checksum(migration)
        {
            findings.add(Finding {
                help: Some(
                    "restore it, and put the change into a new migration: it may be applied already"
                        .to_owned(),
                ),
                ..about(
                    migration,
                    "edited-migration",
                    Severity::Error,
                    format!("it is in `{base}` and was edited since"),
                )
            });
        }
    }
    Ok(())
}
