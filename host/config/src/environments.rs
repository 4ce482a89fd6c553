//! The folder of environments: reading, inheriting, and checking what comes out.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value as Json};
use whimbrel_core::environment::{Environment, InheritError, ancestry, merge};
use whimbrel_core::name::EnvironmentName;

use crate::check::Completeness;
use crate::document::{Document, Envelope, language};
use crate::environment_checks::{self, Elsewhere, Inherited};
use crate::files::{Files, join, unreadable};
use crate::load::{LoadOptions, Notice};
use crate::node::way;
use crate::problem::Problem;
use crate::project::ProjectDocument;
use crate::shape::Kind;
use crate::tree::EntryKind;

/// The environments of a tree.
#[derive(Default)]
pub struct Environments {
    /// Those that can be used.
    pub resolved: BTreeMap<EnvironmentName, Environment>,
    /// Those that only others extend.
    pub abstract_names: Vec<EnvironmentName>,
}

/// One document, before it is merged.
struct Written {
    document: Document,
    is_abstract: bool,
    parent: Option<EnvironmentName>,
    spec: Json,
}

/// Reads all environments; what is wrong is said in `problems`.
pub fn read(
    files: &Files<'_>,
    project: &ProjectDocument,
    options: &LoadOptions,
    problems: &mut Vec<Problem>,
    notices: &mut Vec<Notice>,
) -> Environments {
    let written = read_documents(files, project, problems, notices);
    let parents: BTreeMap<_, _> = written
        .iter()
        .map(|(name, written)| (name.clone(), written.parent.clone()))
        .collect();
    let elsewhere = configured(&written);
    let mut environments = Environments::default();
    for (name, own) in &written {
        let chain = match ancestry(name, &parents) {
            Ok(chain) => chain,
            Err(error) => {
                inherit_problem(name, own, &error, &written, problems);
                continue;
            }
        };
        if own.is_abstract {
            environments.abstract_names.push(name.clone());
            continue;
        }
        let mut spec = Json::Object(Map::new());
        for ancestor in chain.iter().rev() {
            if let Some(written) = written.get(ancestor) {
                merge(&mut spec, &written.spec);
            }
        }
        let documents = chain
            .iter()
            .filter_map(|name| written.get(name).map(|written| &written.document))
            .collect();
        let inherited = Inherited {
            name,
            documents,
            elsewhere: &elsewhere,
        };
        if let Some(environment) = environment_checks::resolve(&inherited, &spec, problems) {
            environment_checks::check(&inherited, &environment, project, options, problems);
            environments.resolved.insert(name.clone(), environment);
        }
    }
    check_promotion(&environments, &written, problems);
    environments
}

/// Which documents configure a secret backend, by its name.
fn configured(written: &BTreeMap<EnvironmentName, Written>) -> Elsewhere {
    let mut configured = Elsewhere::new();
    for (name, document) in written {
        let secrets = document.spec.get("secrets").and_then(Json::as_object);
        for backend in secrets.into_iter().flat_map(Map::keys) {
            let names = configured.entry(backend.clone()).or_default();
            names.insert(name.clone());
        }
    }
    configured
}

fn read_documents(
    files: &Files<'_>,
    project: &ProjectDocument,
    problems: &mut Vec<Problem>,
    notices: &mut Vec<Notice>,
) -> BTreeMap<EnvironmentName, Written> {
    let folder = &project.project.environments;
    let mut written: BTreeMap<EnvironmentName, Written> = BTreeMap::new();
    let entries = match files.entries(folder) {
        Ok(Some(entries)) => entries,
        Ok(None) => {
            let way = way!["spec", "environments"];
            if project.document.has(&way) {
                project
                    .document
                    .problem(&way, format!("there is no folder `{folder}`"))
                    .expected("the folder of the environments")
                    .push(problems);
            } else {
                notices.push(Notice {
                    path: folder.clone(),
                    message: "there is no such folder, and so there are no environments".to_owned(),
                });
            }
            return written;
        }
        Err(problem) => {
            problems.push(problem);
            return written;
        }
    };
    for entry in entries {
        let path = join(folder, &entry.name);
        if let Some(problem) = unreadable(&path, entry.kind) {
            problems.push(problem);
            continue;
        }
        let Some((stem, language)) = language(&entry.name) else {
            if entry.kind == EntryKind::Folder || !entry.name.ends_with(".md") {
                notices.push(Notice {
                    path,
                    message: "is not read: environments are `.yaml` or `.json` files".to_owned(),
                });
            }
            continue;
        };
        let source = match files.read(&path) {
            Ok(Some(source)) => source,
            Ok(None) => continue,
            Err(problem) => {
                problems.push(problem);
                continue;
            }
        };
        let overlay = Completeness::Overlay;
        match Document::read::<Spec>(source, language, Kind::Environment, overlay) {
            Ok((document, envelope)) => place(&mut written, stem, document, envelope, problems),
            Err(found) => problems.extend(found),
        }
    }
    written
}

#[derive(Default, Deserialize)]
#[serde(transparent)]
struct Spec(Map<String, Json>);

fn place(
    written: &mut BTreeMap<EnvironmentName, Written>,
    stem: &str,
    document: Document,
    envelope: Envelope<Spec>,
    problems: &mut Vec<Problem>,
) {
    let Ok(name) = envelope.metadata.name.parse::<EnvironmentName>() else {
        return;
    };
    let way = way!["metadata", "name"];
    if let Some(first) = written.get(&name) {
        document
            .problem(&way, format!("there are two environments `{name}`"))
            .expected(format!(
                "another name: the first is in `{}`",
                first.document.source.path
            ))
            .push(problems);
        return;
    }
    if name.as_str() != stem {
        document
            .problem(
                &way,
                format!("the environment is called `{name}` and its file `{stem}`"),
            )
            .expected("the same name for both")
            .suggest(format!("write `name: {stem}`, or rename the file"))
            .push(problems);
    }
    let mut spec = envelope.spec.0;
    // An operator's, of the object and not of the environment.
    for key in ["sourceRef", "suspend", "execution", "job"] {
        spec.remove(key);
    }
    let is_abstract = spec.remove("abstract").and_then(|value| value.as_bool());
    let parent = spec
        .remove("extends")
        .and_then(|value| value.as_str()?.parse().ok());
    let written_one = Written {
        document,
        is_abstract: is_abstract.unwrap_or_default(),
        parent,
        spec: Json::Object(spec),
    };
    written.insert(name, written_one);
}

fn inherit_problem(
    name: &EnvironmentName,
    own: &Written,
    error: &InheritError,
    written: &BTreeMap<EnvironmentName, Written>,
    problems: &mut Vec<Problem>,
) {
    let way = way!["spec", "extends"];
    match error {
        InheritError::Unknown {
            environment,
            parent,
        } if environment == name => own
            .document
            .problem(
                &way,
                format!("there is no environment `{parent}` to extend"),
            )
            .expected("the name of another environment")
            .nearest(
                parent.as_str(),
                written
                    .keys()
                    .map(EnvironmentName::as_str)
                    .filter(|other| *other != name.as_str()),
            )
            .push(problems),
        // A circle is said once, where its first name is.
        InheritError::Cycle(circle) if circle.iter().min() == Some(name) => own
            .document
            .problem(&way, error.to_string())
            .expected("an environment that doesn't lead back here")
            .push(problems),
        _ => {}
    }
}

/// `after:` names environments that can be used, and leads nowhere twice.
fn check_promotion(
    environments: &Environments,
    written: &BTreeMap<EnvironmentName, Written>,
    problems: &mut Vec<Problem>,
) {
    let way = way!["spec", "after"];
    for (name, environment) in &environments.resolved {
        let Some(after) = &environment.after else {
            continue;
        };
        let Some(own) = written.get(name) else {
            continue;
        };
        let problem = |message: String| own.document.problem(&way, message);
        if environments.abstract_names.contains(after) {
            problem(format!(
                "`{after}` is abstract: nothing is ever applied to it"
            ))
            .expected("an environment that can be used")
            .push(problems);
        } else if !written.contains_key(after) {
            let others = environments.resolved.keys().map(EnvironmentName::as_str);
            problem(format!("there is no environment `{after}` to come after"))
                .expected("the name of another environment")
                .nearest(
                    after.as_str(),
                    others.filter(|other| *other != name.as_str()),
                )
                .push(problems);
        }
        let mut circle = vec![name];
        let mut next = Some(after);
        while let Some(current) = next {
            if current == name {
                if circle.iter().min() == Some(&name) {
                    let names: Vec<_> = circle.iter().map(|name| format!("`{name}`")).collect();
                    problem(format!(
                        "the environments {} come after each other in a circle",
                        names.join(" → ")
                    ))
                    .expected("an environment that doesn't lead back here")
                    .push(problems);
                }
                break;
            }
            if circle.contains(&current) {
                break;
            }
            circle.push(current);
            next = environments
                .resolved
                .get(current)
                .and_then(|environment| environment.after.as_ref());
        }
    }
}
