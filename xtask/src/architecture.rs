//! The direction of dependencies: each crate of the host may use only crates before it. Read from `cargo metadata`.

use std::path::Path;

use serde_json::Value as Json;

use crate::command::Call;
use crate::failure::{Doing, Result};

/// The host's crates in order; each may depend only on those before it.
const ORDER: &[&str] = &[
    "whimbrel-allocator",
    "whimbrel-core",
    "whimbrel-signal",
    "whimbrel-config",
    "whimbrel-database",
    "whimbrel-secrets",
    "whimbrel-plugin",
    "whimbrel-git",
    "whimbrel-project",
    "whimbrel-run",
    "whimbrel-report",
    "whimbrel-engine",
    "whimbrel-server",
    "whimbrel-operator",
    "whimbrel-terraform",
    "whimbrel-resources",
    "whimbrel",
];

/// Crates that may use even fewer of the host's crates than the order lets them.
const NARROWER: &[(&str, &[&str])] = &[
    ("whimbrel-allocator", &[]),
    ("whimbrel-core", &[]),
    ("whimbrel-signal", &["whimbrel-core"]),
    ("whimbrel-terraform", &["whimbrel-core", "whimbrel-signal"]),
    (
        "whimbrel-plugin",
        &["whimbrel-core", "whimbrel-signal", "whimbrel-secrets"],
    ),
];

/// Crates that only one crate of the host may use: whoever else needs them asks that one.
const PRIVATE: &[(&str, &str)] = &[
    ("yaml_serde", "whimbrel-config"),
    ("wasmtime", "whimbrel-plugin"),
    ("wasmtime-wasi", "whimbrel-plugin"),
    ("git2", "whimbrel-git"),
    ("tokio-postgres", "whimbrel-database"),
    ("rusqlite", "whimbrel-database"),
    ("kube", "whimbrel-operator"),
    ("k8s-openapi", "whimbrel-operator"),
];

/// Crates that do input or output: none of them may come near `core`.
const WORLDLY: &[&str] = &[
    "async-trait",
    "cap-std",
    "futures",
    "git2",
    "reqwest",
    "rusqlite",
    "tempfile",
    "tokio",
    "tokio-postgres",
    "wasmtime",
];

/// One crate and the crates that it names.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Crate {
    name: String,
    uses: Vec<String>,
}

/// The forbidden edges of the workspace, each as a sentence.
pub fn forbidden_edges(root: &Path) -> Result<Vec<String>> {
    let metadata = Call::cargo()
        .args([
            "metadata",
            "--format-version",
            "1",
            "--no-deps",
            "--offline",
        ])
        .within(root)
        .text()?;
    let metadata: Json = serde_json::from_str(&metadata).doing("reading cargo's metadata")?;
    Ok(violations(&crates(&metadata)))
}

/// Crates under `host/`, without what only their tests use.
fn crates(metadata: &Json) -> Vec<Crate> {
    let list = |value: Option<&Json>| value.and_then(Json::as_array).cloned().unwrap_or_default();
    let text = |value: &Json, key: &str| {
        value
            .get(key)
            .and_then(Json::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    list(metadata.get("packages"))
        .iter()
        .filter(|package| text(package, "manifest_path").contains("/host/"))
        .map(|package| Crate {
            name: text(package, "name"),
            uses: list(package.get("dependencies"))
                .iter()
                .filter(|dependency| text(dependency, "kind") != "dev")
                .map(|dependency| text(dependency, "name"))
                .collect(),
        })
        .collect()
}

fn place(name: &str) -> Option<usize> {
    ORDER.iter().position(|known| *known == name)
}

fn violations(crates: &[Crate]) -> Vec<String> {
    let mut found = Vec::new();
    for one in crates {
        let Some(here) = place(&one.name) else {
            found.push(format!(
                "{} has no place in the order of host crates",
                one.name
            ));
            continue;
        };
        for used in &one.uses {
            if let Some(there) = place(used) {
                if there >= here {
                    found.push(format!(
                        "{} must not use {used}, which comes after it",
                        one.name
                    ));
                }
                let narrower = NARROWER.iter().find(|(name, _)| *name == one.name);
                if let Some((_, allowed)) = narrower
                    && !allowed.contains(&used.as_str())
                {
                    found.push(format!(
                        "{} must not use {used}, but {allowed:?} only",
                        one.name
                    ));
                }
            }
            let owner = PRIVATE.iter().find(|(private, _)| private == used);
            if let Some((_, owner)) = owner
                && *owner != one.name
            {
                found.push(format!(
                    "{} must not use {used}: {owner} is its only user",
                    one.name
                ));
            }
            if one.name == "whimbrel-core" && WORLDLY.contains(&used.as_str()) {
                found.push(format!(
                    "whimbrel-core must not use {used}: core never does I/O"
                ));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(name: &str, uses: &[&str]) -> Crate {
        Crate {
            name: name.to_owned(),
            uses: uses.iter().map(|used| (*used).to_owned()).collect(),
        }
    }

    #[test]
    fn the_workspace_has_no_forbidden_edge() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        assert_eq!(forbidden_edges(root).unwrap(), Vec::<String>::new());
    }

    #[test]
    fn every_crate_under_host_is_seen() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let folders = std::fs::read_dir(root.join("host")).unwrap().count();
        let metadata = Call::cargo()
            .args([
                "metadata",
                "--format-version",
                "1",
                "--no-deps",
                "--offline",
            ])
            .within(root)
            .text()
            .unwrap();
        let seen = crates(&serde_json::from_str(&metadata).unwrap());
        assert_eq!(seen.len(), folders);
        assert!(
            seen.iter()
                .any(|one| one.uses.contains(&"whimbrel-core".to_owned()))
        );
    }

    #[test]
    fn an_edge_against_the_order_is_found() {
        let found = violations(&[one("whimbrel-database", &["serde", "whimbrel-run"])]);
        assert_eq!(
            found,
            ["whimbrel-database must not use whimbrel-run, which comes after it"]
        );
    }

    #[test]
    fn a_crate_with_a_narrower_circle_is_held_to_it() {
        let found = violations(&[one("whimbrel-plugin", &["whimbrel-database"])]);
        assert_eq!(found.len(), 1, "{found:?}");
    }

    #[test]
    fn a_private_crate_has_one_user() {
        let found = violations(&[one("whimbrel-run", &["rusqlite"])]);
        assert_eq!(
            found,
            ["whimbrel-run must not use rusqlite: whimbrel-database is its only user"]
        );
    }

    #[test]
    fn core_stays_out_of_the_world() {
        let found = violations(&[one("whimbrel-core", &["tokio"])]);
        assert_eq!(
            found,
            ["whimbrel-core must not use tokio: core never does I/O"]
        );
    }

    #[test]
    fn a_crate_without_a_place_is_found() {
        let found = violations(&[one("whimbrel-toolbox", &[])]);
        assert_eq!(
            found,
            ["whimbrel-toolbox has no place in the order of host crates"]
        );
    }
}
