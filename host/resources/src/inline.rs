//! Migrations that are the whole of their project: its documents are written in memory.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use serde_json::{Value as Json, json};
use whimbrel_core::environment::ValueSource;
use whimbrel_core::fault::{Fault, FaultClass};
use whimbrel_core::name::{DatabaseName, EnvironmentName, ProjectName};
use whimbrel_project::{Override, Place, WrittenTree};

use crate::request::MigrationRequest;
use crate::written::EnvironmentDocument;

/// Each that is taken back was asked for by itself.
const MOST: u32 = 10_000;

/// Writes the project. `said` has the addresses; what is secret in it stays there.
///
/// # Errors
/// A database has no address, or nobody knows where relative paths are counted from.
pub fn write(
    project: &ProjectName,
    environment: &EnvironmentName,
    migrations: &[&MigrationRequest],
    said: &mut Override,
) -> Result<Place, Fault> {
    let here = std::env::current_dir().map_err(|error| nowhere(&error))?;
    for migration in migrations {
        let name = &migration.database;
        let url = said.databases.get_mut(name);
        match url.and_then(|database| database.url.as_mut()) {
            Some(ValueSource::Literal(url)) => *url = absolute(url, &here),
            Some(ValueSource::Secret(_)) => {}
            None => return Err(no_address(name)),
        }
    }
    Ok(Place::Written {
        tree: documents(project, environment, migrations),
        folder: here,
    })
}

fn documents(
    project: &ProjectName,
    environment: &EnvironmentName,
    migrations: &[&MigrationRequest],
) -> WrittenTree {
    // The addresses are said over these.
    let databases = migrations.iter().map(|migration| {
        let unsaid = json!({ "url": "sqlite:unsaid.db" });
        (migration.database.to_string(), unsaid)
    });
    let databases: BTreeMap<String, Json> = databases.collect();
    // Whoever applies it has looked at it, and says so there.
    let policy = json!({
        "apply": "Auto", "destructive": "Confirm", "outOfOrder": "Allow", "onRevert": "Auto", "maxReverts": MOST,
    });
    let environment = environment.as_str();
    let whole = [
        document("whimbrel.yaml", "Project", project.as_str(), &json!({})),
        document(
            &format!("environments/{environment}.json"),
            "Environment",
            environment,
            &json!({ "databases": databases, "policy": policy }),
        ),
    ];
    whole.into_iter().chain(each(migrations)).collect()
}

fn each(migrations: &[&MigrationRequest]) -> impl Iterator<Item = (String, String)> {
    migrations.iter().map(|migration| {
        let mut step = json!({ "sql": migration.up });
        if let (Some(down), Some(fields)) = (&migration.down, step.as_object_mut()) {
            fields.insert("revert".to_owned(), json!(down));
        }
        let definition = json!({ "database": migration.database, "steps": [step] });
        let name = migration.name.as_str();
        let path = format!("migrations/{name}.json");
        document(&path, "Migration", name, &definition)
    })
}

/// The same with a document that says what the environment is.
pub fn with_document(
    project: &ProjectName,
    environment: &EnvironmentDocument,
    migrations: &[&MigrationRequest],
) -> WrittenTree {
    let whole = [
        document("whimbrel.yaml", "Project", project.as_str(), &json!({})),
        (
            format!("environments/{}", environment.file),
            environment.text.clone(),
        ),
    ];
    whole.into_iter().chain(each(migrations)).collect()
}

/// A document with its path. JSON is YAML.
fn document(path: &str, kind: &str, name: &str, spec: &Json) -> (String, String) {
    let document = json!({
        "apiVersion": "whimbrel.dev/v1alpha1", "kind": kind,
        "metadata": { "name": name }, "spec": spec,
    });
    (path.to_owned(), format!("{document:#}\n"))
}

/// Relative paths are counted from where whoever asks is.
fn absolute(url: &str, here: &Path) -> String {
    match url.strip_prefix("sqlite:") {
        Some(path) if !path.starts_with('/') && !path.starts_with(':') => {
            format!("sqlite://{}", here.join(path).display())
        }
        _ => url.to_owned(),
    }
}

fn no_address(database: &DatabaseName) -> Fault {
    let message = format!("the database `{database}` has no address");
    Fault::new(FaultClass::Invalid, "engine.no-address", message)
}

fn nowhere(error: &io::Error) -> Fault {
    let message = format!("the folder that paths are counted from is gone: {error}");
    Fault::new(FaultClass::Unavailable, "engine.folder", message)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::absolute;

    #[test]
    fn relative_files_are_where_one_is() {
        let here = Path::new("/here");
        assert_eq!(absolute("sqlite:a.db", here), "sqlite:///here/a.db");
        assert_eq!(absolute("sqlite:///a.db", here), "sqlite:///a.db");
        assert_eq!(absolute("postgres://a/b", here), "postgres://a/b");
    }
}
