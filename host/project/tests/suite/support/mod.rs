//! Real projects in temporary Git repositories, on real SQLite files.

pub mod linting;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use whimbrel_core::definition::Migration;
use whimbrel_core::history::{History, MigrationState, Record};
use whimbrel_core::lineage::Revision;
use whimbrel_core::name::TargetName;
use whimbrel_core::plan::Goal;
use whimbrel_plugin::{Sandbox, Settings};
use whimbrel_project::{Location, OpenOptions, OpenProject, Planner, Plugins, Targets};
use whimbrel_secrets::Resolver;
use whimbrel_signal::Scrubber;

/// A project in a Git repository of its own.
pub struct Shop {
    folder: tempfile::TempDir,
}

/// One database in a SQLite file, and the policy of a developer.
pub const DEV: &str = "
apiVersion: whimbrel.dev/v1alpha1
kind: Environment
metadata: { name: dev }
spec:
  databases:
    shop: { url: \"sqlite:shop.db\" }
  policy: { apply: Auto, onRevert: Auto }
";

impl Shop {
    /// A project with one environment and no migrations, nothing committed.
    pub fn new() -> Self {
        let shop = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        shop.git(&["init", "--quiet", "--initial-branch=main"]);
        shop.write(
            "whimbrel.yaml",
            "apiVersion: whimbrel.dev/v1alpha1\nkind: Project\nmetadata: { name: shop }\n",
        );
        shop.write("environments/dev.yaml", DEV);
        shop
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn git(&self, arguments: &[&str]) -> String {
        let output = Command::new("git")
            .current_dir(self.path())
            .args(arguments)
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_SYSTEM", "/dev/null")
            .env("GIT_AUTHOR_NAME", "Ada")
            .env("GIT_AUTHOR_EMAIL", "ada@example.org")
            .env("GIT_COMMITTER_NAME", "Grace")
            .env("GIT_COMMITTER_EMAIL", "grace@example.org")
            .output()
            .unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "git {arguments:?}: {errors}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    pub fn write(&self, path: &str, text: &str) -> PathBuf {
        let file = self.path().join(path);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, text).unwrap();
        file
    }

    /// A migration that creates a table, as plain SQL.
    pub fn table(&self, migration: &str, table: &str) {
        self.write(
            &format!("migrations/{migration}.sql"),
            &format!(
                "-- whimbrel:database shop\n-- whimbrel:up\nCREATE TABLE {table} (id integer PRIMARY KEY);\n-- whimbrel:down\nDROP TABLE {table};\n"
            ),
        );
    }

    /// A migration of the database `shop` with these steps as YAML.
    pub fn migration(&self, name: &str, spec: &str) {
        self.write(
            &format!("migrations/{name}.yaml"),
            &format!(
                "apiVersion: whimbrel.dev/v1alpha1\nkind: Migration\nmetadata: {{ name: {name} }}\nspec:\n  database: shop\n{spec}"
            ),
        );
    }

    pub fn remove(&self, path: &str) {
        std::fs::remove_file(self.path().join(path)).unwrap();
    }

    pub fn commit(&self, message: &str) -> Revision {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--allow-empty", "-m", message]);
        Revision::commit(self.git(&["rev-parse", "HEAD"]))
    }

    pub fn location(&self, reference: Option<&str>) -> Location {
        Location {
            folder: self.path().to_path_buf(),
            reference: reference.map(str::to_owned),
        }
    }

    /// The project as its files are now.
    pub fn open(&self) -> OpenProject {
        OpenProject::open(&self.location(None), &OpenOptions::default()).unwrap()
    }

    /// The project at a revision.
    pub fn open_at(&self, reference: &str) -> OpenProject {
        OpenProject::open(&self.location(Some(reference)), &OpenOptions::default()).unwrap()
    }
}

/// Plugins without compiled code of earlier runs.
pub fn plugins(project: &OpenProject) -> Arc<Plugins> {
    let sandbox = Sandbox::new(Settings::default()).unwrap();
    Arc::new(Plugins::new(project, Arc::new(sandbox)))
}

/// The targets of an environment.
pub async fn targets(project: &OpenProject, environment: &str) -> Arc<Targets> {
    let resolver = Resolver::new(project.folder(), Scrubber::default());
    let environment = project.environment(environment).unwrap();
    let targets = Targets::list(environment, project.folder(), resolver, &[]).await;
    Arc::new(targets.unwrap())
}

/// A planner for the environment `dev`.
pub async fn planner(project: &OpenProject, goal: Goal) -> Planner {
    let targets = targets(project, "dev").await;
    Planner::new(project, targets, plugins(project), goal)
}

/// The only target of `dev`.
pub fn shop() -> TargetName {
    TargetName::single("shop".parse().unwrap())
}

/// A history in which everything that a project defines is applied, from a revision.
pub fn applied(project: &OpenProject, revision: Option<&Revision>) -> History {
    let migrations = &project.definitions().migrations;
    History {
        owner: Some(project.owner(project.environment("dev").unwrap())),
        epoch: 1,
        records: (1..)
            .zip(migrations)
            .map(|(sequence, migration)| record(sequence, migration, revision))
            .collect(),
        ..History::default()
    }
}

fn record(sequence: i64, migration: &Migration, revision: Option<&Revision>) -> Record {
    Record {
        name: migration.name.clone(),
        sequence,
        state: MigrationState::Applied,
        checksum: migration.checksum().unwrap(),
        definition: migration.canonical().unwrap(),
        parameters: BTreeMap::new(),
        plugins: BTreeMap::new(),
        revision: revision.cloned(),
        run: "run".to_owned(),
        actor: "ada".to_owned(),
        started: "2026-01-01T00:00:00Z".to_owned(),
        finished: Some("2026-01-01T00:00:01Z".to_owned()),
        duration_milliseconds: Some(1000),
        rows: 0,
        error: None,
        undo: BTreeMap::new(),
    }
}
