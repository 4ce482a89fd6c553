//! One environment with everything that it inherits: is it complete, and does it mean something?

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::Value as Json;
use whimbrel_core::environment::{
    BUILTIN_BACKENDS, DatabaseSpec, Environment, SecretBackend, SecretReference, ValueSource,
};
use whimbrel_core::name::{DatabaseName, EnvironmentName, PluginName};
use whimbrel_core::policy::Policy;
use whimbrel_core::template::{TemplateErrorKind, url_placeholders};

use crate::document::Document;
use crate::foreign;
use crate::load::LoadOptions;
use crate::node::{Part, way};
use crate::problem::Problem;
use crate::project::ProjectDocument;
use crate::reference_checks::{check_reference, require_reference};
use crate::secret_checks;

/// Which environments configure a secret backend of a name.
pub type Elsewhere = BTreeMap<String, BTreeSet<EnvironmentName>>;

/// An environment's name, and its documents: its own first, then those that it extends.
pub struct Inherited<'a> {
    /// The name.
    pub name: &'a EnvironmentName,
    /// The documents.
    pub documents: Vec<&'a Document>,
    /// The secret backends that any environment configures: those of others are never to be used here.
    pub elsewhere: &'a Elsewhere,
}

impl Inherited<'_> {
    /// A problem with a value, in the nearest document that says it.
    pub fn problem(&self, way: &[Part], message: impl Into<String>) -> Problem {
        self.at(way, |document| document.problem(way, message.into()))
    }

    /// A problem with a key, in the nearest document that says it.
    pub fn key_problem(&self, way: &[Part], message: impl Into<String>) -> Problem {
        self.at(way, |document| document.key_problem(way, message.into()))
    }

    fn at(&self, way: &[Part], problem: impl FnOnce(&Document) -> Problem) -> Problem {
        let saying = self.documents.iter().find(|document| document.has(way));
        match saying.or(self.documents.first()) {
            Some(document) => problem(document),
            None => Problem::whole("", format!("the environment `{}` is wrong", self.name)),
        }
    }
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct Spec {
    branch: Option<String>,
    after: Option<EnvironmentName>,
    parameters: BTreeMap<String, ValueSource>,
    databases: BTreeMap<DatabaseName, DatabaseSpec>,
    secrets: BTreeMap<String, SecretBackend>,
    policy: Policy,
}

/// The typed form of what was merged; says what is missing.
pub fn resolve(
    inherited: &Inherited<'_>,
    spec: &Json,
    problems: &mut Vec<Problem>,
) -> Option<Environment> {
    let before = problems.len();
    require(inherited, spec, "databases", &["url"], problems);
    require(inherited, spec, "secrets", &["plugin"], problems);
    for name in members(spec.get("parameters")) {
        let value = spec.pointer(&format!("/parameters/{name}"));
        let way = way!["spec", "parameters", name];
        require_reference(inherited, &way, name, value, problems);
    }
    for name in members(spec.get("databases")) {
        for key in ["url", "username", "password"] {
            let value = spec.pointer(&format!("/databases/{name}/{key}"));
            let way = way!["spec", "databases", name, key];
            require_reference(inherited, &way, key, value, problems);
        }
        let way = way!["spec", "databases", name, "forEach"];
        let each = spec.pointer(&format!("/databases/{name}/forEach"));
        for key in ["query", "of"] {
            if each.is_some_and(|each| each.get(key).is_none()) {
                inherited
                    .key_problem(&way, format!("the `forEach` of `{name}` has no `{key}`"))
                    .expected(format!("`{key}: …`"))
                    .push(problems);
            }
        }
    }
    let mut spec = spec.clone();
    foreign::translate(inherited, &mut spec, problems);
    if problems.len() > before {
        return None;
    }
    match serde_json::from_value::<Spec>(spec) {
        Ok(spec) => Some(Environment {
            name: inherited.name.clone(),
            branch: spec.branch,
            after: spec.after,
            parameters: literals(&spec.parameters),
            parameter_references: referenced(spec.parameters),
            databases: spec.databases,
            secrets: spec.secrets,
            policy: spec.policy,
        }),
        Err(_) => {
            // Each document was checked by itself, so only a merge of different shapes leads here, such as a secret
            // reference over another one's keys. The error's own words could hold a value, and so are left out.
            inherited
                .key_problem(
                    &way!["spec"],
                    "what this environment and those it extends say doesn't fit together",
                )
                .expected("the same form for the same key in all of them")
                .push(problems);
            None
        }
    }
}

fn literals(parameters: &BTreeMap<String, ValueSource>) -> BTreeMap<String, String> {
    let literal = |(name, value): (&String, &ValueSource)| match value {
        ValueSource::Literal(text) => Some((name.clone(), text.clone())),
        ValueSource::Secret(_) => None,
    };
    parameters.iter().filter_map(literal).collect()
}

fn referenced(parameters: BTreeMap<String, ValueSource>) -> BTreeMap<String, SecretReference> {
    let reference = |(name, value)| match value {
        ValueSource::Literal(_) => None,
        ValueSource::Secret(reference) => Some((name, reference)),
    };
    parameters.into_iter().filter_map(reference).collect()
}

fn members(map: Option<&Json>) -> Vec<&str> {
    let map = map.and_then(Json::as_object);
    map.map(|map| map.keys().map(String::as_str).collect())
        .unwrap_or_default()
}

fn require(
    inherited: &Inherited<'_>,
    spec: &Json,
    section: &str,
    keys: &[&str],
    problems: &mut Vec<Problem>,
) {
    for name in members(spec.get(section)) {
        for key in keys {
            if spec.pointer(&format!("/{section}/{name}/{key}")).is_none() {
                inherited
                    .key_problem(
                        &way!["spec", section, name],
                        format!("`{name}` has no `{key}`"),
                    )
                    .expected(format!(
                        "`{key}: …`, here or in an environment that this one extends"
                    ))
                    .push(problems);
            }
        }
    }
}

/// Says what of a resolved environment can't be meant.
pub fn check(
    inherited: &Inherited<'_>,
    environment: &Environment,
    project: &ProjectDocument,
    options: &LoadOptions,
    problems: &mut Vec<Problem>,
) {
    if environment.databases.is_empty() {
        inherited
            .key_problem(
                &way!["spec"],
                format!("the environment `{}` has no databases", environment.name),
            )
            .expected("`databases: {…}`, or `abstract: true` if others extend it")
            .push(problems);
    }
    for (name, reference) in &environment.parameter_references {
        let way = way!["spec", "parameters", name.as_str()];
        check_reference(inherited, environment, &way, reference, problems);
    }
    for (name, database) in &environment.databases {
        let at = |key: &str| way!["spec", "databases", name.as_str(), key];
        check_url(inherited, environment, name, database, problems);
        for (key, value) in [
            ("url", Some(&database.url)),
            ("username", database.username.as_ref()),
            ("password", database.password.as_ref()),
        ] {
            if let Some(ValueSource::Secret(reference)) = value {
                check_reference(inherited, environment, &at(key), reference, problems);
            }
        }
        check_for_each(inherited, environment, name, database, problems);
    }
    for (name, backend) in &environment.secrets {
        if BUILTIN_BACKENDS.contains(&name.as_str()) {
            inherited
                .key_problem(
                    &way!["spec", "secrets", name.as_str()],
                    format!("the secret backend `{name}` is built in"),
                )
                .expected("another name")
                .push(problems);
        }
        let known: Vec<_> = options.plugin_names(&project.project).collect();
        if !known.contains(&backend.plugin.as_str()) {
            unknown_plugin(
                inherited.problem(
                    &way!["spec", "secrets", name.as_str(), "plugin"],
                    format!("there is no plugin `{}`", backend.plugin),
                ),
                &backend.plugin,
                &known,
            )
            .push(problems);
        }
    }
    secret_checks::check(inherited, environment, &project.project, problems);
}

/// Completes the problem of a plugin that isn't there.
pub fn unknown_plugin(problem: Problem, plugin: &PluginName, known: &[&str]) -> Problem {
    let problem = problem.expected("a built-in plugin, or one of `plugins` in `whimbrel.yaml`");
    problem.nearest(plugin.as_str(), known.iter().copied())
}

fn check_for_each(
    inherited: &Inherited<'_>,
    environment: &Environment,
    name: &DatabaseName,
    database: &DatabaseSpec,
    problems: &mut Vec<Problem>,
) {
    let Some(each) = &database.for_each else {
        return;
    };
    let way = way!["spec", "databases", name.as_str(), "forEach", "of"];
    let problem = match environment.databases.get(&each.of) {
        None => {
            let others = environment.databases.keys().map(DatabaseName::as_str);
            inherited
                .problem(&way, format!("there is no database `{}`", each.of))
                .nearest(
                    each.of.as_str(),
                    others.filter(|other| *other != name.as_str()),
                )
        }
        Some(other) if other.for_each.is_some() => {
            inherited.problem(&way, format!("`{}` is many databases itself", each.of))
        }
        Some(_) => return,
    };
    problem
        .expected("a database of this environment without a `forEach`")
        .push(problems);
}

/// The beginnings of URLs that are understood.
const SCHEMES: [&str; 3] = ["sqlite:", "postgres://", "postgresql://"];

fn check_url(
    inherited: &Inherited<'_>,
    environment: &Environment,
    name: &DatabaseName,
    database: &DatabaseSpec,
    problems: &mut Vec<Problem>,
) {
    let ValueSource::Literal(url) = &database.url else {
        return;
    };
    let way = way!["spec", "databases", name.as_str(), "url"];
    if !SCHEMES.iter().any(|scheme| url.starts_with(scheme)) {
        let scheme = url.split(':').next().unwrap_or_default();
        let problem = inherited
            .problem(&way, format!("the URL of `{name}` is of no known kind"))
            .expected("`sqlite:FILE` or `postgres://HOST:PORT/DATABASE`");
        problem
            .nearest(scheme, ["sqlite", "postgres"])
            .push(problems);
        return;
    }
    let authority = url
        .split_once("://")
        .map(|(_, rest)| rest.split(['/', '?', '#']).next().unwrap_or_default());
    let user = authority.and_then(|authority| authority.rsplit_once('@'));
    if user.is_some_and(|(user, _)| user.contains(':')) {
        inherited
            .problem(&way, format!("the URL of `{name}` holds a password in plain text"))
            .expected("a URL without it")
            .suggest("put `password: { secret: env, path: NAME }` beside the URL; whoever can read the repository knows this one, so change it")
            .push(problems);
    }
    let placeholders = match url_placeholders(url) {
        Ok(placeholders) => placeholders,
        Err(error) => {
            inherited
                .problem(&way, format!("in the URL of `{name}`: {}", error.kind))
                .expected(expected_placeholder(&error.kind))
                .push(problems);
            return;
        }
    };
    // Columns of a `forEach` query are known only once it is asked.
    if database.for_each.is_some() {
        return;
    }
    for placeholder in placeholders {
        if environment
            .parameter_names()
            .all(|name| name != placeholder.name)
        {
            let names = environment.parameter_names();
            inherited
                .problem(
                    &way,
                    format!("there is no parameter `{}`", placeholder.name),
                )
                .expected(format!(
                    "a parameter of the environment `{}`, or a column of a `forEach`",
                    environment.name
                ))
                .nearest(&placeholder.name, names)
                .push(problems);
        }
    }
}

/// What was expected where a placeholder is wrong by its form.
pub fn expected_placeholder(kind: &TemplateErrorKind) -> &'static str {
    match kind {
        TemplateErrorKind::Kind(_) => "`${NAME}`, `${NAME:identifier}` or `${NAME:literal}`",
        _ => "`${NAME}`; a literal `${` is written `$${`",
    }
}
