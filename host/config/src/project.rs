//! `whimbrel.yaml`.

use std::collections::BTreeMap;

use serde::Deserialize;
use whimbrel_core::digest::Digest;
use whimbrel_core::finding::RuleLevel;
use whimbrel_core::name::{DatabaseName, PluginName};
use whimbrel_core::project::{Defaults, Grants, LintSettings, PluginSource, PluginSpec, Project};

use crate::check::Completeness;
use crate::document::{Document, Language};
use crate::files::Files;
use crate::grant_checks;
use crate::load::LoadOptions;
use crate::node::way;
use crate::problem::Problem;
use crate::shape::Kind;
use crate::tree::SourceTree;

/// The names that the project's document may have.
const NAMES: [(&str, Language); 3] = [
    ("whimbrel.yaml", Language::Yaml),
    ("whimbrel.yml", Language::Yaml),
    ("whimbrel.json", Language::Json),
];

/// The control ref of a project that names none.
const CONTROL_REF: &str = "main";

/// Rules that no project can set, and why.
const FIXED: [(&str, &str); 5] = [
    (
        "destructive",
        "`policy.destructive` of an environment says how it is taken",
    ),
    ("definition", "what can't be run can't be let pass"),
    ("syntax-error", "what can't be run can't be let pass"),
    ("edited-migration", "what was applied can't be edited"),
    (
        "plain-text-credential",
        "a line can be allowed: `-- whimbrel:allow-credential REASON`",
    ),
];

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct Spec {
    migrations: Option<String>,
    environments: Option<String>,
    control_ref: Option<String>,
    defaults: DefaultsSpec,
    lint: LintSpec,
    plugins: BTreeMap<PluginName, Plugin>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct LintSpec {
    rules: BTreeMap<String, RuleLevel>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct DefaultsSpec {
    database: Option<DatabaseName>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Plugin {
    path: Option<String>,
    builtin: Option<String>,
    digest: Option<Digest>,
    #[serde(default)]
    grants: Grants,
}

/// The project, and its document.
#[derive(Clone, Debug)]
pub struct ProjectDocument {
    /// The project.
    pub project: Project,
    /// The document, to say where something stands.
    pub document: Document,
}

/// Reads the project.
///
/// # Errors
/// Everything that is wrong with its document.
pub fn read(files: &Files<'_>, options: &LoadOptions) -> Result<ProjectDocument, Vec<Problem>> {
    for (name, language) in NAMES {
        let Some(source) = files.read(name).map_err(|problem| vec![problem])? else {
            continue;
        };
        let whole = Completeness::Whole;
        let (document, envelope) = Document::read::<Spec>(source, language, Kind::Project, whole)?;
        let mut problems = Vec::new();
        let spec = envelope.spec;
        check_rules(&document, &spec.lint, options, &mut problems);
        let plugins = spec
            .plugins
            .into_iter()
            .filter_map(|(name, plugin)| {
                let spec = read_plugin(&document, &name, plugin, options, &mut problems)?;
                Some((name, spec))
            })
            .collect();
        let name = envelope.metadata.name.parse();
        return match name {
            Ok(name) if problems.is_empty() => Ok(ProjectDocument {
                project: Project {
                    name,
                    migrations: spec.migrations.unwrap_or_else(|| "migrations".to_owned()),
                    environments: spec
                        .environments
                        .unwrap_or_else(|| "environments".to_owned()),
                    control_ref: spec.control_ref.unwrap_or_else(|| CONTROL_REF.to_owned()),
                    defaults: Defaults {
                        database: spec.defaults.database,
                    },
                    lint: LintSettings {
                        rules: spec.lint.rules,
                    },
                    plugins,
                },
                document,
            }),
            _ => Err(problems),
        };
    }
    Err(vec![
        Problem::whole("whimbrel.yaml", "there is no project here")
            .expected("a document of the kind `Project`")
            .suggest("`whimbrel init` writes one; `--project` names another folder"),
    ])
}

/// The control ref that the project of a tree names, or the usual one when its document is wrong; none when there is no
/// document.
#[must_use]
pub fn control_ref(tree: &dyn SourceTree) -> Option<String> {
    let files = Files::new(tree);
    NAMES.into_iter().find_map(|(name, language)| {
        let source = files.read(name).ok()??;
        let read = Document::read::<Spec>(source, language, Kind::Project, Completeness::Whole);
        let said = read
            .ok()
            .and_then(|(_, envelope)| envelope.spec.control_ref);
        Some(said.unwrap_or_else(|| CONTROL_REF.to_owned()))
    })
}

/// Every rule that is set is one that can be.
fn check_rules(
    document: &Document,
    lint: &LintSpec,
    options: &LoadOptions,
    problems: &mut Vec<Problem>,
) {
    if lint.rules.is_empty() {
        return;
    }
    let known = (options.lint_rules)();
    for rule in lint.rules.keys() {
        if known.contains(rule) {
            continue;
        }
        let way = way!["spec", "lint", "rules", rule.as_str()];
        let fixed = FIXED.iter().find(|(name, _)| name == rule);
        let problem = match fixed {
            Some((_, reason)) => document
                .key_problem(&way, format!("the rule `{rule}` can't be set here"))
                .expected("a rule that a project may set")
                .suggest(*reason),
            None => document
                .key_problem(&way, format!("there is no rule `{rule}`"))
                .expected("a rule's name, as `whimbrel lint` shows it in brackets")
                .nearest(rule, known.iter().map(String::as_str)),
        };
        problem.push(problems);
    }
}

fn read_plugin(
    document: &Document,
    name: &PluginName,
    plugin: Plugin,
    options: &LoadOptions,
    problems: &mut Vec<Problem>,
) -> Option<PluginSpec> {
    let way = way!["spec", "plugins", name.as_str()];
    let source = match (plugin.path, plugin.builtin) {
        (Some(path), None) => PluginSource::Path(path),
        (None, Some(builtin)) => PluginSource::Builtin(builtin),
        (Some(_), Some(_)) => {
            document
                .key_problem(&way, format!("the plugin `{name}` has two sources"))
                .expected("either `path` or `builtin`")
                .push(problems);
            return None;
        }
        (None, None) => {
            document
                .key_problem(&way, format!("the plugin `{name}` has no source"))
                .expected("`path: FILE` or `builtin: NAME`")
                .push(problems);
            return None;
        }
    };
    match &source {
        PluginSource::Path(_) if plugin.digest.is_none() => document
            .key_problem(&way, format!("the plugin `{name}` isn't pinned"))
            .expected("`digest: sha256:…`")
            .suggest("`whimbrel plugin add` writes it")
            .push(problems),
        PluginSource::Builtin(builtin) if !options.builtin_plugins.contains(builtin) => {
            let mut way = way;
            way.push("builtin".into());
            let names = options.builtin_plugins.iter().map(String::as_str);
            document
                .problem(&way, format!("there is no built-in plugin `{builtin}`"))
                .expected(options.expected_plugins())
                .nearest(builtin, names)
                .push(problems);
        }
        _ => {}
    }
    let place = way!["spec", "plugins", name.as_str(), "grants"];
    grant_checks::check(document, &place, &plugin.grants, problems);
    Some(PluginSpec {
        source,
        digest: plugin.digest,
        grants: plugin.grants,
    })
}
