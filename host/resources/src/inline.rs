//! A migration that is the whole of its project: written into a folder that lives as long as it is worked on.

use std::io;
use std::path::Path;

use serde_json::{Value as Json, json};
use tempfile::TempDir;
use whimbrel_core::environment::ValueSource;
use whimbrel_core::fault::{Fault, FaultClass};
use whimbrel_project::Override;

use crate::request::{MigrationRequest, Request};

/// The project of migrations that are written elsewhere.
const PROJECT: &str = "terraform";

/// Writes the project. `said` has the addresses; what is secret in it stays there.
///
/// # Errors
/// The database has no address, or the folder can't be written.
pub fn write(
    request: &Request,
    migration: &MigrationRequest,
    said: &mut Override,
) -> Result<TempDir, Fault> {
    let here = std::env::current_dir().map_err(|error| unwritable(&error))?;
    let Some(database) = said.databases.get_mut(&migration.database) else {
        return Err(no_address(migration));
    };
    match &mut database.url {
        Some(ValueSource::Literal(url)) => *url = absolute(url, &here),
        Some(ValueSource::Secret(_)) => {}
        None => return Err(no_address(migration)),
    }
    let folder = files(request, migration).map_err(|error| unwritable(&error))?;
    Ok(folder)
}

fn files(request: &Request, migration: &MigrationRequest) -> io::Result<TempDir> {
    let folder = tempfile::Builder::new().prefix("whimbrel-").tempdir()?;
    let at = folder.path();
    write_document(at, "whimbrel.json", "Project", PROJECT, json!({}))?;
    std::fs::rename(at.join("whimbrel.json"), at.join("whimbrel.yaml"))?;
    // Whoever applies it has looked at it, and says so there. The address is said over it.
    let environment = json!({
        "databases": { migration.database.as_str(): { "url": "sqlite:unsaid.db" } },
        "policy": {
            "apply": "Auto", "destructive": "Confirm", "outOfOrder": "Allow", "onRevert": "Auto",
        },
    });
    std::fs::create_dir(at.join("environments"))?;
    let name = &request.environment;
    let path = format!("environments/{name}.json");
    write_document(at, &path, "Environment", name.as_str(), environment)?;
    let mut step = json!({ "sql": migration.up });
    if let (Some(down), Some(fields)) = (&migration.down, step.as_object_mut()) {
        fields.insert("revert".to_owned(), json!(down));
    }
    let definition = json!({ "database": migration.database, "steps": [step] });
    std::fs::create_dir(at.join("migrations"))?;
    let name = migration.name.as_str();
    let path = format!("migrations/{name}.json");
    write_document(at, &path, "Migration", name, definition)?;
    Ok(folder)
}

fn write_document(folder: &Path, path: &str, kind: &str, name: &str, spec: Json) -> io::Result<()> {
    let document = json!({
        "apiVersion": "whimbrel.dev/v1alpha1", "kind": kind,
        "metadata": { "name": name }, "spec": spec,
    });
    std::fs::write(folder.join(path), format!("{document:#}\n"))
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

fn no_address(migration: &MigrationRequest) -> Fault {
    let database = &migration.database;
    let message = format!("the database `{database}` has no address");
    Fault::new(FaultClass::Invalid, "engine.no-address", message)
}

fn unwritable(error: &io::Error) -> Fault {
    let message = format!("the definition can't be written down: {error}");
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
