//! What migrations say about each other, and about environments and plugins: is it there?

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use whimbrel_core::checksum::Checksum;
use whimbrel_core::definition::{Action, Migration};
use whimbrel_core::environment::{DatabaseSpec, Environment, ValueSource};
use whimbrel_core::name::{DatabaseName, EnvironmentName};
use whimbrel_core::order::{self, OrderError};
use whimbrel_core::project::Project;
use whimbrel_core::statement::Dialect;
use whimbrel_core::template::{TemplateError, TemplateErrorKind, fill, placeholders};

use crate::environment_checks::{expected_placeholder, unknown_plugin};
use crate::load::LoadOptions;
use crate::migrations::{Read, Text};
use crate::node::way;
use crate::problem::{Problem, alternatives};

/// What migrations may refer to.
pub struct Known<'a> {
    /// The project.
    project: &'a Project,
    /// The environments that can be used.
    environments: &'a BTreeMap<EnvironmentName, Environment>,
    /// Their databases.
    databases: BTreeSet<&'a DatabaseName>,
    /// The plugins of the project and of the program.
    plugins: Vec<&'a str>,
}

impl<'a> Known<'a> {
    /// What a project, its environments and the program know.
    pub fn new(
        project: &'a Project,
        environments: &'a BTreeMap<EnvironmentName, Environment>,
        options: &'a LoadOptions,
    ) -> Self {
        let databases = environments
            .values()
            .flat_map(|environment| environment.databases.keys())
            .collect();
        Self {
            project,
            environments,
            databases,
            plugins: options.plugin_names(project).collect(),
        }
    }

    /// Gives a migration its database, and its checksum unless it refers to something that isn't there.
    pub fn resolve(&self, read: &mut Read, problems: &mut Vec<Problem>) {
        let before = problems.len();
        set_database(read, self, problems);
        check_steps(read, self, problems);
        for text in &read.texts {
            check_placeholders(read, text, self, problems);
        }
        match read.migration.checksum() {
            Ok(checksum) => read.checksum = Some(checksum).filter(|_| problems.len() == before),
            Err(error) => read
                .document
                .key_problem(&way!["spec"], error.to_string())
                .push(problems),
        }
    }
}

/// Says what keeps migrations from having an order, and gives them by name.
#[expect(clippy::vec_box, reason = "see `migrations::Found`")]
pub fn ordered(
    found: Vec<Box<Read>>,
    problems: &mut Vec<Problem>,
) -> (Vec<Arc<Migration>>, Vec<Checksum>) {
    let complete = found.iter().all(|read| read.checksum.is_some());
    let mut documents = Vec::with_capacity(found.len());
    let mut migrations = Vec::with_capacity(found.len());
    let mut checksums = Vec::with_capacity(found.len());
    for read in found {
        documents.push(read.document);
        migrations.push(Arc::new(read.migration));
        checksums.extend(read.checksum);
    }
    let errors = order::problems(&migrations);
    if errors.is_empty() {
        return (migrations, checksums);
    }
    let documents: BTreeMap<_, _> = migrations
        .iter()
        .map(|migration| &migration.name)
        .zip(documents)
        .collect();
    let names: Vec<_> = documents.keys().map(|name| name.as_str()).collect();
    for error in errors {
        let (name, dependency) = match &error {
            OrderError::Unknown {
                migration,
                dependency,
            }
            | OrderError::Contradiction {
                migration,
                dependency,
            } => (migration, Some(dependency)),
            OrderError::Cycle(circle) => match circle.iter().min() {
                Some(name) => (name, None),
                None => continue,
            },
        };
        let Some(document) = documents.get(name) else {
            continue;
        };
        let migration = migrations.iter().find(|migration| migration.name == *name);
        let index = dependency.and_then(|dependency| {
            migration?
                .depends_on
                .iter()
                .position(|other| other == dependency)
        });
        let way = match index {
            Some(index) => way!["spec", "dependsOn", index],
            None => way!["spec", "dependsOn"],
        };
        match &error {
            OrderError::Unknown { dependency, .. } => document
                .problem(&way, format!("there is no migration `{dependency}` to depend on"))
                .expected("the name of another migration")
                .nearest(dependency.as_str(), names.iter().copied().filter(|other| *other != name.as_str()))
                .push(problems),
            // Which database a migration is of decides this one, and that is only known once it is right.
            OrderError::Contradiction { dependency, .. } if complete => document
                .problem(&way, format!("`{name}` can't depend on `{dependency}`, which comes after it"))
                .expected("an earlier migration: within one database names say the order")
                .suggest(format!("rename one of them so that `{dependency}` comes first"))
                .push(problems),
            OrderError::Cycle(_) if complete => document
                .problem(&way, error.to_string())
                .expected("a dependency that doesn't lead back here; within one database, each migration waits for the name before it")
                .push(problems),
            _ => {}
        }
    }
    (migrations, checksums)
}

fn set_database(read: &mut Read, known: &Known<'_>, problems: &mut Vec<Problem>) {
    let databases = &known.databases;
    let list = || alternatives(databases.iter().map(|name| name.as_str()));
    let default = known.project.defaults.database.as_ref();
    let only = databases.first().filter(|_| databases.len() == 1).copied();
    match read.database.as_ref().or(default).or(only) {
        None => {
            let problem = read.document.key_problem(
                &way!["spec"],
                format!("`{}` names no database", read.migration.name),
            );
            let problem = if databases.is_empty() {
                problem.expected("`database: NAME`")
            } else {
                problem.expected(format!("`database: NAME`, {}", list()))
            };
            problem
                .suggest(
                    "`defaults: { database: NAME }` in `whimbrel.yaml` holds for all migrations",
                )
                .push(problems);
        }
        Some(name) => {
            if !databases.is_empty() && !databases.contains(name) {
                read.document
                    .problem(
                        &way!["spec", "database"],
                        format!("no environment has a database `{name}`"),
                    )
                    .expected(list())
                    .nearest(name.as_str(), databases.iter().map(|name| name.as_str()))
                    .push(problems);
            }
            read.migration.database = name.clone();
        }
    }
}

fn check_steps(read: &Read, known: &Known<'_>, problems: &mut Vec<Problem>) {
    let (databases, plugins) = (&known.databases, &known.plugins);
    for (index, step) in read.migration.steps.iter().enumerate() {
        let Action::Plugin(action) = &step.action else {
            continue;
        };
        if !plugins.contains(&action.uses.as_str()) {
            let way = way!["spec", "steps", index, "uses"];
            let problem = read
                .document
                .problem(&way, format!("there is no plugin `{}`", action.uses));
            unknown_plugin(problem, &action.uses, plugins).push(problems);
        }
        for (position, name) in action.reads.iter().enumerate() {
            if !databases.is_empty() && !databases.contains(name) {
                let way = way!["spec", "steps", index, "reads", position];
                read.document
                    .problem(&way, format!("no environment has a database `{name}`"))
                    .expected("a database of an environment")
                    .nearest(name.as_str(), databases.iter().map(|name| name.as_str()))
                    .push(problems);
            }
        }
    }
}

/// Every placeholder has a value that can be said where it stands, in each environment that has the database.
fn check_placeholders(read: &Read, text: &Text, known: &Known<'_>, problems: &mut Vec<Problem>) {
    if !text.sql.contains("${") {
        return;
    }
    let mut dialects = BTreeSet::new();
    let mut unknown: BTreeMap<usize, (TemplateError, Vec<&Environment>)> = BTreeMap::new();
    for environment in known.environments.values() {
        let Some(database) = environment.databases.get(&read.migration.database) else {
            continue;
        };
        let dialect = dialect(database);
        dialects.insert(dialect);
        let parameters = environment.parameters_or_names();
        for placeholder in placeholders(dialect, &text.sql).unwrap_or_default() {
            if !parameters.contains_key(&placeholder.name) {
                let error = TemplateError {
                    offset: placeholder.offset,
                    length: placeholder.length,
                    kind: TemplateErrorKind::Unknown {
                        name: placeholder.name,
                        nearest: None,
                    },
                };
                let entry = unknown.entry(error.offset);
                entry.or_insert((error, Vec::new())).1.push(environment);
            }
        }
        let errors = fill(dialect, &text.sql, &parameters).errors.into_iter();
        for error in errors.filter(|error| matches!(error.kind, TemplateErrorKind::Value { .. })) {
            let message = format!("in the environment `{}`, {}", environment.name, error.kind);
            at(read, text, &error, message)
                .expected("a value that can be said here")
                .push(problems);
        }
    }
    for (error, environments) in unknown.into_values() {
        let TemplateErrorKind::Unknown { name, .. } = &error.kind else {
            continue;
        };
        let missing: Vec<_> = environments
            .iter()
            .map(|environment| format!("`{}`", environment.name))
            .collect();
        let message = match missing.as_slice() {
            [one] => format!("the environment {one} has no parameter `{name}`"),
            _ => format!(
                "the environments {} have no parameter `{name}`",
                missing.join(", ")
            ),
        };
        let names: BTreeSet<_> = environments
            .iter()
            .flat_map(|environment| environment.parameter_names())
            .collect();
        at(read, text, &error, message)
            .expected("a parameter of each environment that has the database")
            .nearest(name, names)
            .push(problems);
    }
    if dialects.is_empty() {
        dialects.insert(Dialect::Postgres);
    }
    for dialect in dialects {
        if let Err(error) = placeholders(dialect, &text.sql) {
            at(read, text, &error, error.kind.to_string())
                .expected(expected_placeholder(&error.kind))
                .push(problems);
        }
    }
}

/// The dialect that a database's URL says; PostgreSQL if the URL is a secret.
fn dialect(database: &DatabaseSpec) -> Dialect {
    match &database.url {
        ValueSource::Literal(url) if url.starts_with("sqlite:") => Dialect::Sqlite,
        _ => Dialect::Postgres,
    }
}

/// A problem with a placeholder, where it stands in the document or in the SQL file.
fn at(read: &Read, text: &Text, error: &TemplateError, message: String) -> Problem {
    let wanted = text
        .sql
        .get(error.offset..error.offset + error.length)
        .unwrap_or("${");
    let before = text.sql.get(..error.offset).unwrap_or_default();
    match &text.file {
        None => {
            let nth = before.matches(wanted).count();
            read.document.inner_problem(&text.way, wanted, nth, message)
        }
        Some(source) => {
            // A section of a file begins at a line of it, and is a part of it as it stands.
            let lines = source.text.split_inclusive('\n');
            let skipped: usize = lines
                .take(usize::try_from(text.line).unwrap_or(1).saturating_sub(1))
                .map(str::len)
                .sum();
            let start = skipped + error.offset;
            source.problem(&(start..start + error.length), message)
        }
    }
}
