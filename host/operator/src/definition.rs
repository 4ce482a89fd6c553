//! Documents of the cluster as a project: what has no repository is written into a folder that can be rebuilt at any time,
//! and from there read like any project.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use kube::ResourceExt as _;
use serde_json::{Map, Value as Json, json};

use crate::api::{Environment, GROUP, Migration, SOURCE_LABEL, VERSION};

/// The files of a project, by their paths.
pub type Files = BTreeMap<PathBuf, String>;

/// The fields of an environment that name another one.
const REFERENCES: [&str; 2] = ["extends", "after"];

/// The project that the objects of a namespace define for one environment.
#[must_use]
pub fn files(
    namespace: &str,
    environment: &Environment,
    environments: &[Arc<Environment>],
    migrations: &[Arc<Migration>],
) -> Files {
    let mut files = Files::new();
    let mut project = json!({});
    if let Some(database) = only_database(environment) {
        project = json!({ "defaults": { "database": database } });
    }
    add(&mut files, "whimbrel.yaml", "Project", namespace, &project);
    for other in needed(environment, environments) {
        let name = other.name_any();
        let path = format!("environments/{name}.json");
        add(
            &mut files,
            &path,
            "Environment",
            &name,
            &json!(other.spec.definition),
        );
    }
    for migration in migrations {
        let name = migration.name_any();
        let path = format!("migrations/{name}.json");
        add(
            &mut files,
            &path,
            "Migration",
            &name,
            &json!(migration.spec.definition),
        );
    }
    files
}

/// The environment, and of the others those that it is defined by: what it extends and what it comes after, and so on. What is
/// wrong in any other is no matter of its own.
pub fn needed<'e>(
    environment: &'e Environment,
    environments: &'e [Arc<Environment>],
) -> Vec<&'e Environment> {
    let mut needed = vec![environment];
    let mut known = BTreeSet::from([environment.name_any()]);
    let mut next = 0;
    while let Some(one) = needed.get(next) {
        next += 1;
        let named = REFERENCES.map(|field| one.spec.definition.get(field).and_then(Json::as_str));
        let found: Vec<_> = environments
            .iter()
            .filter(|other| other.spec.source_ref.is_none())
            .filter(|other| named.contains(&Some(&other.name_any())))
            .filter(|other| known.insert(other.name_any()))
            .collect();
        needed.extend(found.into_iter().map(AsRef::as_ref));
    }
    needed
}

/// Whether others may be part of what defines an environment.
#[must_use]
pub fn refers(environment: &Environment) -> bool {
    let definition = &environment.spec.definition;
    REFERENCES
        .iter()
        .any(|field| definition.contains_key(*field))
}

/// Whether a migration was written by a person, and belongs to an environment: to the one that it names, or to the only one
/// that is defined here.
#[must_use]
pub fn belongs(migration: &Migration, environment: &str, only: Option<&str>) -> bool {
    let labels = migration.metadata.labels.as_ref();
    if labels.is_some_and(|labels| labels.contains_key(SOURCE_LABEL)) {
        return false;
    }
    match &migration.spec.environment_ref {
        Some(named) => named.name == environment,
        None => only == Some(environment),
    }
}

/// The only environment that is defined by an object and can be used; none when there are several.
#[must_use]
pub fn only_environment(environments: &[Arc<Environment>]) -> Option<String> {
    let mut usable = environments
        .iter()
        .filter(|other| other.spec.source_ref.is_none() && !is_abstract(other));
    match (usable.next(), usable.next()) {
        (Some(only), None) => Some(only.name_any()),
        _ => None,
    }
}

/// Whether others only extend it.
#[must_use]
pub fn is_abstract(environment: &Environment) -> bool {
    let said = environment.spec.definition.get("abstract");
    said.and_then(Json::as_bool).unwrap_or_default()
}

/// Makes a folder hold these files and no other definitions. What else is in it stays: a SQLite file may be. What is as it
/// should be isn't written again: of a thousand migrations, one is new.
///
/// # Errors
/// It can't be written.
pub fn write(folder: &Path, files: &Files) -> io::Result<()> {
    for place in ["environments", "migrations"] {
        std::fs::create_dir_all(folder.join(place))?;
        for found in std::fs::read_dir(folder.join(place))? {
            let found = found?;
            if files.contains_key(&Path::new(place).join(found.file_name())) {
                continue;
            }
            if found.file_type()?.is_dir() {
                std::fs::remove_dir_all(found.path())?;
            } else {
                std::fs::remove_file(found.path())?;
            }
        }
    }
    for (path, text) in files {
        let path = folder.join(path);
        if std::fs::read(&path).is_ok_and(|there| there == text.as_bytes()) {
            continue;
        }
        std::fs::write(path, text)?;
    }
    Ok(())
}

fn only_database(environment: &Environment) -> Option<&String> {
    let databases = environment.spec.definition.get("databases");
    let mut names = databases.and_then(Json::as_object).map(Map::keys)?;
    match (names.next(), names.next()) {
        (only, None) => only,
        _ => None,
    }
}

fn add(files: &mut Files, path: &str, kind: &str, name: &str, spec: &Json) {
    let document = json!({
        "apiVersion": format!("{GROUP}/{VERSION}"), "kind": kind,
        "metadata": { "name": name }, "spec": spec,
    });
    files.insert(path.into(), format!("{document:#}\n"));
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use serde_json::{Value as Json, json};
    use whimbrel_config::Kind;

    use super::{belongs, files, only_environment, write};
    use crate::api::{Environment, Migration, resource};

    fn environment(name: &str, spec: Json) -> Arc<Environment> {
        let spec = serde_json::from_value(spec).unwrap();
        Arc::new(Environment::new(name, &resource(Kind::Environment), spec))
    }

    fn migration(name: &str, spec: Json) -> Arc<Migration> {
        let spec = serde_json::from_value(spec).unwrap();
        Arc::new(Migration::new(name, &resource(Kind::Migration), spec))
    }

    #[test]
    fn objects_are_a_project() {
        let dev = environment(
            "dev",
            json!({"extends": "base", "databases": {"shop": {"url": "sqlite:x"}}}),
        );
        let base = environment("base", json!({"abstract": true}));
        let one = migration(
            "0001-a",
            json!({"environmentRef": {"name": "dev"}, "steps": [{"sql": "SELECT 1"}]}),
        );
        let files = files("shop", &dev, &[Arc::clone(&dev), base], &[one]);
        let text = |path: &str| -> Json { serde_json::from_str(&files[Path::new(path)]).unwrap() };
        assert_eq!(
            text("whimbrel.yaml")["spec"]["defaults"]["database"],
            "shop"
        );
        assert_eq!(text("environments/base.json")["spec"]["abstract"], true);
        assert_eq!(
            text("migrations/0001-a.json")["spec"],
            json!({"steps": [{"sql": "SELECT 1"}]})
        );
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("migrations/old")).unwrap();
        write(folder.path(), &files).unwrap();
        assert!(!folder.path().join("migrations/old").exists());
        std::fs::write(folder.path().join("shop.db"), "").unwrap();
        std::fs::write(folder.path().join("migrations/0001-a.json"), "half").unwrap();
        write(folder.path(), &files).unwrap();
        let one = std::fs::read_to_string(folder.path().join("migrations/0001-a.json"));
        assert_eq!(&one.unwrap(), &files[Path::new("migrations/0001-a.json")]);
        assert!(folder.path().join("shop.db").exists());
    }

    #[test]
    fn an_environment_is_written_down_with_what_it_refers_to_and_no_other() {
        let one = |name: &str, spec| environment(name, spec);
        let all = [
            one("root", json!({"abstract": true})),
            one("base", json!({"abstract": true, "extends": "root"})),
            one("test", json!({"extends": "base", "databases": {}})),
            one("live", json!({"after": "test", "databases": {}})),
            one("dev", json!({"databases": {}, "after": "dev"})),
            one("followed", json!({"sourceRef": {"name": "shop"}})),
        ];
        let written = |name: &str| {
            let own = all
                .iter()
                .find(|one| one.metadata.name.as_deref() == Some(name));
            let files = files("shop", own.unwrap(), &all, &[]);
            let names = files
                .keys()
                .filter_map(|path| path.strip_prefix("environments").ok());
            names
                .map(|path| path.display().to_string())
                .collect::<Vec<_>>()
        };
        assert_eq!(written("dev"), ["dev.json"]);
        assert_eq!(written("test"), ["base.json", "root.json", "test.json"]);
        let live = ["base.json", "live.json", "root.json", "test.json"];
        assert_eq!(written("live"), live);
    }

    #[test]
    fn a_migration_that_names_no_environment_belongs_to_the_only_one() {
        let base = environment("base", json!({"abstract": true}));
        let dev = environment("dev", json!({"databases": {}}));
        let followed = environment("prod", json!({"sourceRef": {"name": "shop"}}));
        let all = [base, Arc::clone(&dev), followed];
        let only = only_environment(&all);
        assert_eq!(only.as_deref(), Some("dev"));
        let nameless = migration("a", json!({}));
        assert!(belongs(&nameless, "dev", only.as_deref()));
        assert!(!belongs(&nameless, "prod", only.as_deref()));
        let test = environment("test", json!({"databases": {}}));
        let [base, dev, followed] = all;
        assert_eq!(only_environment(&[base, dev, followed, test]), None);
        assert!(!belongs(&nameless, "dev", None));
    }
}
