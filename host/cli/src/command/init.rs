//! `whimbrel init`: a project that can be applied at once.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::path::Path;

use whimbrel_core::name::ProjectName;

use crate::arguments::Init;
use crate::error::CliError;
use crate::exit::Exit;
use crate::folder::PROJECT_FILE;
use crate::output::Output;

const PROJECT: &str = "\
apiVersion: whimbrel.dev/v1alpha1
kind: Project
metadata:
  name: NAME
spec:
  defaults:
    database: main                # the database of a migration that names none
";

const BASE: &str = "\
apiVersion: whimbrel.dev/v1alpha1
kind: Environment
metadata:
  name: base
spec:
  abstract: true                  # nothing can be applied to it; others extend it
  policy:
    lockTimeout: 5s               # how long a statement waits for the database's locks
    statementTimeout: 5m
";

const DEV: &str = "\
apiVersion: whimbrel.dev/v1alpha1
kind: Environment
metadata:
  name: dev
spec:
  extends: base
  databases:
    main:
      url: sqlite:var/dev.db      # or postgres://localhost:5432/dev
  policy:
    apply: Auto                   # no approval here
    onRevert: Auto                # a `git revert` runs the stored down at once
    destructive: Allow
";

const PRODUCTION: &str = "\
apiVersion: whimbrel.dev/v1alpha1
kind: Environment
metadata:
  name: production
spec:
  extends: base
  after: dev                      # only what dev has applied, byte for byte
  databases:
    main:
      url: sqlite:var/production.db   # or postgres://db:5432/main?sslmode=verify-full
      # username: { secret: env, path: DATABASE_USER }
      # password: { secret: env, path: DATABASE_PASSWORD }
  policy:
    apply: Approve                # somebody else than the commit's author approves each plan
    destructive: Forbid
";

const FIRST: &str = "\
-- whimbrel:up
CREATE TABLE notes (
    id INTEGER PRIMARY KEY,
    text TEXT NOT NULL
);

-- whimbrel:down
DROP TABLE notes;
";

const IGNORED: &str = "/var/\n";

pub(crate) fn run(arguments: &Init, output: &Output) -> Result<Exit, CliError> {
    output.words_only()?;
    let here = std::env::current_dir()
        .map_err(|error| CliError::failed(format!("the current folder is gone: {error}")))?;
    let folder = arguments
        .folder
        .as_ref()
        .map_or_else(|| here.clone(), |folder| here.join(folder));
    let name = match &arguments.name {
        Some(name) => name
            .parse::<ProjectName>()
            .map_err(|error| CliError::usage(format!("`{name}` is no name of a project: {error}")))?
            .to_string(),
        None => named_after(&folder),
    };
    let project = folder.join(PROJECT_FILE);
    if project.exists() {
        return Err(
            CliError::failed(format!("there is a {} already", project.display()))
                .hint("`whimbrel new NAME` adds a migration to it"),
        );
    }
    let project_text = PROJECT.replace("NAME", &name);
    for (path, text) in [
        (PROJECT_FILE, project_text.as_str()),
        ("environments/base.yaml", BASE),
        ("environments/dev.yaml", DEV),
        ("environments/production.yaml", PRODUCTION),
        ("migrations/0001-create-notes.sql", FIRST),
    ] {
        write_new(&folder.join(path), text)?;
        output.answer(&format!("wrote {path}\n"));
    }
    if !folder.join(".gitignore").exists() {
        write_new(&folder.join(".gitignore"), IGNORED)?;
        output.answer("wrote .gitignore\n");
    }
    output.notice(
        "\nnext: `whimbrel plan --environment dev`, then `whimbrel apply --environment dev`",
    );
    Ok(Exit::Success)
}

/// The folder's name, as far as a project may be called so.
fn named_after(folder: &Path) -> String {
    let folder = folder
        .canonicalize()
        .unwrap_or_else(|_| folder.to_path_buf());
    let text = folder
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .to_lowercase();
    let fit: String = text
        .chars()
        .map(|character| {
            if character.is_ascii_alphanumeric() {
                character
            } else {
                '-'
            }
        })
        .collect();
    let fit = fit.trim_matches('-');
    fit.parse::<ProjectName>()
        .map_or_else(|_| "project".to_owned(), |name| name.to_string())
}

/// Writes a file that isn't there yet, and the folders on its way.
pub(crate) fn write_new(path: &Path, text: &str) -> Result<(), CliError> {
    let failed = |error: std::io::Error| match error.kind() {
        ErrorKind::AlreadyExists => {
            CliError::failed(format!("there is a {} already", path.display()))
        }
        _ => CliError::failed(format!("can't write {}: {error}", path.display())),
    };
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(failed)?;
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(path)
        .map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)
}
