//! References of an environment to its secret backends: are they whole, and do they lead to one?

use std::collections::BTreeSet;

use serde_json::Value as Json;
use whimbrel_core::environment::{BUILTIN_BACKENDS, CLUSTER_BACKEND, Environment, SecretReference};

use crate::environment_checks::Inherited;
use crate::node::Way;
use crate::problem::{Problem, alternatives};

/// Says what a merged reference lacks.
pub fn require_reference(
    inherited: &Inherited<'_>,
    way: &Way,
    key: &str,
    value: Option<&Json>,
    problems: &mut Vec<Problem>,
) {
    let is_reference = |value: &&Json| value.is_object() && value.get(CLUSTER_BACKEND).is_none();
    let Some(value) = value.filter(is_reference) else {
        return;
    };
    for part in ["secret", "path"] {
        if value.get(part).is_none() {
            inherited
                .key_problem(
                    way,
                    format!("the secret reference of `{key}` has no `{part}`"),
                )
                .expected(format!("`{part}: …`"))
                .push(problems);
        }
    }
}

/// Says that a reference leads to no backend.
pub fn check_reference(
    inherited: &Inherited<'_>,
    environment: &Environment,
    way: &Way,
    reference: &SecretReference,
    problems: &mut Vec<Problem>,
) {
    let own = environment.secrets.keys().map(String::as_str);
    let names: BTreeSet<_> = own.chain(BUILTIN_BACKENDS).collect();
    if names.contains(reference.backend.as_str()) || reference.backend == CLUSTER_BACKEND {
        return;
    }
    let mut inner = way.clone();
    inner.push("secret".into());
    let mapped = inherited
        .documents
        .iter()
        .any(|document| document.has(&inner));
    let way = if mapped { &inner } else { way };
    let problem = match inherited.elsewhere.get(&reference.backend) {
        None => inherited
            .problem(
                way,
                format!("there is no secret backend `{}`", reference.backend),
            )
            .nearest(&reference.backend, names.iter().copied()),
        Some(others) => {
            let others: Vec<_> = others.iter().map(|name| format!("`{name}`")).collect();
            let (backend, name) = (&reference.backend, inherited.name);
            let others = others.join(", ");
            inherited
                .problem(
                    way,
                    format!("the secret backend `{backend}` is configured by {others}, and not by `{name}`"),
                )
                .suggest(format!(
                    "an environment's secrets are its own: configure `{backend}` under `secrets` of `{name}` too, or in what it extends"
                ))
        }
    };
    problem
        .expected(alternatives(names.iter().copied()))
        .push(problems);
}
