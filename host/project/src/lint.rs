//! Everything that can be said of definitions without a database.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use whimbrel_core::definition::Migration;
use whimbrel_core::environment::{Environment, ValueSource};
use whimbrel_core::finding::{Finding, Severity};
use whimbrel_core::name::{DatabaseName, EnvironmentName, MigrationName};
use whimbrel_core::plan::{Mistake, Where};
use whimbrel_core::statement::Dialect;

use crate::absence::names;
use crate::backends::backend_findings;
use crate::for_each::for_each_findings;
use crate::mistakes::Source;
use crate::notices::notices;
use crate::plain_text::plain_text;
use crate::plugins::Plugins;
use crate::prepare::Preparer;
use crate::rules::Rules;
use crate::sql_lint::{about, destroyed, irreversible, sql_findings};
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
        let of_backends = backend_findings(&plugins, environment).await;
        for finding in of_backends
            .into_iter()
            .chain(for_each_findings(project, environment))
        {
            findings.add(finding);
        }
    }
    for finding in plain_text(project) {
        findings.add(finding);
    }
    if let Some(base) = &options.base {
        since(project, base, &mut findings)?;
    }
    let rules = Rules::new(project);
    let judged = findings.sorted().into_iter();
    Ok(judged.filter_map(|finding| rules.judge(finding)).collect())
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
                other.column,
            ) == (
                &finding.rule,
                &finding.message,
                &finding.migration,
                &finding.path,
                finding.line,
                finding.column,
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
                    finding.column,
                    finding.rule.clone(),
                )
            };
            key(a).cmp(&key(b))
        });
        self.found
    }
}

async fn in_environment(
    project: &OpenProject,
    plugins: &Arc<Plugins>,
    environment: &Environment,
    findings: &mut Findings,
) -> Result<(), ProjectError> {
    for database in environment.databases.keys() {
        let desired = project.desired(database);
        if desired.is_empty() {
            continue;
        }
        let dialects = dialects(project, environment, database);
        if dialects.is_empty() {
            findings.add(Finding {
                help: Some(
                    "write the URL without credentials, and give `username` and `password` apart"
                        .to_owned(),
                ),
                ..Finding::new(
                    "unknown-dialect",
                    Severity::Note,
                    format!("the URL of `{database}` is a secret, so its SQL was not looked at"),
                )
            });
        }
        for dialect in dialects {
            let preparer = Preparer {
                plugins: Arc::clone(plugins),
                source: Source::Files(project.tree()),
                dialect,
                parameters: environment.parameters_or_names(),
            };
            for item in desired.iter() {
                let migration = &item.migration;
                match preparer.prepare(migration, item.checksum.clone()).await {
                    Ok(prepared) => {
                        let found = destroyed(&project.tree(), migration, &prepared, environment);
                        let found = found.into_iter().chain(irreversible(migration, &prepared));
                        found.for_each(|finding| findings.add(finding));
                    }
                    Err(error) => {
                        for mistake in error.into_mistakes() {
                            findings.add(wrong(Some(&migration.name), mistake));
                        }
                    }
                }
                let parameters = &environment.parameters_or_names();
                let rules = sql_findings(&project.tree(), dialect, migration, parameters);
                let notes = notices(&*project.tree(), dialect, migration, parameters);
                for finding in rules.into_iter().chain(notes) {
                    findings.add(finding);
                }
            }
        }
    }
    Ok(())
}

/// What is wrong with a definition, at its place.
pub(crate) fn wrong(migration: Option<&MigrationName>, mistake: Mistake) -> Finding {
    let finding = Finding {
        help: Some(mistake.hint).filter(|hint| !hint.is_empty()),
        migration: migration.cloned(),
        ..Finding::new("definition", Severity::Error, mistake.message)
    };
    match mistake.at {
        Where::File(place) => finding.at(place),
        Where::NoFile => finding,
    }
}

/// The dialects that a database speaks: in this environment, or where its URL is a secret, in the others.
pub(crate) fn dialects(
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
                help: Some("where it is applied, applying this reverts it".to_owned()),
                migration: Some(name.clone()),
                ..Finding::new(
                    "removed-migration",
                    Severity::Note,
                    format!("`{name}` is in `{base}` and was removed"),
                )
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
