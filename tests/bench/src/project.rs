//! Projects of many small migrations, and the product run in them.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use crate::failure::{Doing, Result};
use crate::measure::timed;

const API: &str = "apiVersion: whimbrel.dev/v1alpha1";

/// How migrations are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Sections of plain SQL.
    Plain,
    /// Documents.
    Yaml,
}

/// A project's folder.
#[derive(Debug)]
pub struct Project {
    folder: TempDir,
    program: std::ffi::OsString,
}

impl Project {
    /// An empty project; its environment `dev` has the given databases, by name and URL, and isn't there without any.
    pub fn new(
        program: &std::ffi::OsStr,
        databases: &[(String, String)],
        policy: &str,
    ) -> Result<Self> {
        let folder = tempfile::tempdir().doing("making a project's folder")?;
        let project = Self {
            folder,
            program: program.to_owned(),
        };
        let first = databases.first().map_or("db", |(name, _)| name.as_str());
        project.write(
            "whimbrel.yaml",
            &format!("{API}\nkind: Project\nmetadata: {{ name: bench }}\nspec:\n  defaults: {{ database: {first} }}\n"),
        )?;
        if !databases.is_empty() {
            project.environment("dev", databases, policy)?;
        }
        Ok(project)
    }

    /// Writes an environment.
    pub fn environment(&self, name: &str, databases: &[(String, String)], policy: &str) -> Result {
        let databases: String = databases
            .iter()
            .map(|(name, url)| format!("    {name}: {{ url: \"{url}\" }}\n"))
            .collect();
        self.write(
            &format!("environments/{name}.yaml"),
            &format!(
                "{API}\nkind: Environment\nmetadata: {{ name: {name} }}\nspec:\n  databases:\n{databases}  \
                 policy: {{ apply: Auto, destructive: Allow{policy} }}\n"
            ),
        )
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Writes a file.
    pub fn write(&self, path: &str, text: &str) -> Result {
        let file = self.path().join(path);
        let folder = file.parent().unwrap_or(self.path());
        fs::create_dir_all(folder).doing(format!("making {}", folder.display()))?;
        fs::write(&file, text).doing(format!("writing {}", file.display()))
    }

    /// Writes the n-th migration of a database: one small table.
    pub fn table(&self, number: usize, database: &str, shape: Shape) -> Result {
        let name = format!("{number:05}-t{number}");
        let (up, down) = (table(number), format!("DROP TABLE t{number}"));
        match shape {
            Shape::Plain => self.write(
                &format!("migrations/{name}.sql"),
                &format!("-- whimbrel:database {database}\n-- whimbrel:up\n{up};\n-- whimbrel:down\n{down};\n"),
            ),
            Shape::Yaml => self.write(
                &format!("migrations/{name}.yaml"),
                &format!(
                    "{API}\nkind: Migration\nmetadata:\n  name: {name}\nspec:\n  database: {database}\n  steps:\n    \
                     - sql: {up}\n      revert: {down}\n"
                ),
            ),
        }
    }

    /// Runs `whimbrel` with `--environment dev` and gives its wall time.
    pub fn run(&self, command: &str) -> Result<Duration> {
        self.run_with(command, &[])
    }

    /// The same with more arguments.
    pub fn run_with(&self, command: &str, arguments: &[&str]) -> Result<Duration> {
        timed(
            Command::new(&self.program)
                .args([command, "--environment", "dev"])
                .args(arguments)
                .current_dir(self.path()),
        )
    }
}

/// The statement of the n-th small migration.
pub fn table(number: usize) -> String {
    format!("CREATE TABLE t{number} (id bigint PRIMARY KEY, word text NOT NULL)")
}
