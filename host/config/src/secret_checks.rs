//! What an environment's secret backends refer to: is it there, and does it lead back?

use std::collections::{BTreeMap, BTreeSet};

use whimbrel_core::environment::{Environment, SecretBackend, SecretReference};
use whimbrel_core::project::{Material, PluginSpec, Project};
use whimbrel_core::reference::references;

use crate::environment_checks::Inherited;
use crate::node::{Part, Way, way};
use crate::problem::Problem;
use crate::reference_checks::check_reference;

/// Says what of the references of secret backends can't be meant.
pub fn check(
    inherited: &Inherited<'_>,
    environment: &Environment,
    project: &Project,
    problems: &mut Vec<Problem>,
) {
    let before = problems.len();
    for (name, backend) in &environment.secrets {
        for (pointer, reference) in references(&backend.with) {
            let way = within(&way!["spec", "secrets", name.as_str(), "with"], &pointer);
            check_reference(inherited, environment, &way, &reference, problems);
        }
        let way = way!["spec", "secrets", name.as_str(), "plugin"];
        for reference in materials(project, backend) {
            check_reference(inherited, environment, &way, &reference, problems);
        }
    }
    if problems.len() > before {
        return;
    }
    for name in in_circles(environment, project) {
        inherited
            .key_problem(
                &way!["spec", "secrets", name.as_str()],
                format!(
                    "the secret backend `{name}` needs a secret that it would have to read itself"
                ),
            )
            .expected(
                "references to other backends that don't lead back here, such as `env` or `file`",
            )
            .push(problems);
    }
}

/// The way to what a JSON pointer means.
fn within(way: &[Part], pointer: &str) -> Way {
    let mut way = way.to_vec();
    for part in pointer.split('/').skip(1) {
        match part.parse::<usize>() {
            Ok(index) => way.push(index.into()),
            Err(_) => way.push(part.replace("~1", "/").replace("~0", "~").as_str().into()),
        }
    }
    way
}

/// What the grants of a backend's plugin refer to.
fn materials(project: &Project, backend: &SecretBackend) -> Vec<SecretReference> {
    let grants = project
        .plugins
        .get(&backend.plugin)
        .map(PluginSpec::materials);
    let secrets = grants
        .into_iter()
        .flatten()
        .filter_map(|material| match material {
            Material::Secret(reference) => Some(reference.clone()),
            Material::File { .. } => None,
        });
    secrets.collect()
}

/// The backends that need themselves.
fn in_circles(environment: &Environment, project: &Project) -> BTreeSet<String> {
    let needs: BTreeMap<&str, BTreeSet<String>> = environment
        .secrets
        .iter()
        .map(|(name, backend)| (name.as_str(), backend.needs(project)))
        .collect();
    let leads_back = |start: &str| {
        let mut seen = BTreeSet::new();
        let mut waiting: Vec<&str> = vec![start];
        while let Some(name) = waiting.pop() {
            for next in needs.get(name).into_iter().flatten() {
                if next == start {
                    return true;
                }
                if seen.insert(next.as_str()) {
                    waiting.push(next);
                }
            }
        }
        false
    };
    needs
        .keys()
        .filter(|name| leads_back(name))
        .map(|name| (*name).to_owned())
        .collect()
}
