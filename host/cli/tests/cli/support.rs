//! A project in a folder of its own, and the program run in it.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value as Json;

/// What a run of the program gave.
pub struct Ended {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Ended {
    pub fn json(&self) -> Json {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}\n{self}"))
    }
}

impl std::fmt::Display for Ended {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { code, out, err } = self;
        write!(
            formatter,
            "exit code {code}\n-- stdout\n{out}-- stderr\n{err}"
        )
    }
}

pub struct Project {
    folder: tempfile::TempDir,
}

pub const DEV: &str = "  databases:\n    main: {url: 'sqlite:var/dev.db'}\n  policy: {apply: Auto, onRevert: Auto, destructive: Allow}\n";

impl Project {
    /// A project with the environment `dev` on SQLite and no migration.
    pub fn new() -> Self {
        let project = Self::empty();
        project.write(
            "whimbrel.yaml",
            "apiVersion: whimbrel.dev/v1alpha1\nkind: Project\nmetadata: {name: shop}\nspec: {defaults: {database: main}}\n",
        );
        project.environment("dev", DEV);
        project
    }

    /// A folder with nothing in it.
    pub fn empty() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    /// With the two migrations that most stories begin with.
    pub fn with_two() -> Self {
        let project = Self::new();
        project.table("0001-people");
        project.table("0002-orders");
        project
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn file(&self, path: &str) -> PathBuf {
        self.path().join(path)
    }

    pub fn write(&self, path: &str, text: &str) {
        let path = self.file(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    pub fn remove(&self, path: &str) {
        std::fs::remove_file(self.file(path)).unwrap();
    }

    pub fn environment(&self, name: &str, spec: &str) {
        self.write(
            &format!("environments/{name}.yaml"),
            &format!("apiVersion: whimbrel.dev/v1alpha1\nkind: Environment\nmetadata: {{name: {name}}}\nspec:\n{spec}"),
        );
    }

    /// A migration in SQL that can be reverted.
    pub fn sql(&self, name: &str, up: &str, down: &str) {
        self.write(
            &format!("migrations/{name}.sql"),
            &format!("-- whimbrel:up\n{up}\n-- whimbrel:down\n{down}\n"),
        );
    }

    /// A migration that creates a table called as the migration without its number.
    pub fn table(&self, name: &str) {
        let table = name.split_once('-').unwrap().1;
        self.sql(
            name,
            &format!("CREATE TABLE {table} (id INTEGER PRIMARY KEY, n INTEGER);"),
            &format!("DROP TABLE {table};"),
        );
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_whimbrel"));
        command
            .args(arguments)
            .current_dir(self.path())
            .stdin(Stdio::null())
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CEILING_DIRECTORIES", self.path().parent().unwrap())
            .env(
                "WHIMBREL_CACHE",
                std::env::temp_dir().join("whimbrel-cli-test-cache"),
            )
            .env("WHIMBREL_ACTOR", "ann@laptop")
            .env_remove("NO_COLOR");
        for name in ["ENVIRONMENT", "PROJECT", "CONTROL_REF", "APPROVER", "LOG"] {
            command.env_remove(format!("WHIMBREL_{name}"));
        }
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Ended {
        ended(&mut self.command(arguments))
    }

    /// Runs it in the environment `dev` and wants this exit code.
    pub fn dev(&self, code: i32, arguments: &[&str]) -> Ended {
        self.within("dev", code, arguments)
    }

    /// Runs it in an environment and wants this exit code.
    pub fn within(&self, environment: &str, code: i32, arguments: &[&str]) -> Ended {
        let all = [arguments, &["--environment", environment]].concat();
        let ended = self.run(&all);
        assert_eq!(ended.code, code, "whimbrel {}\n{ended}", all.join(" "));
        ended
    }

    pub fn start(&self, arguments: &[&str]) -> Child {
        let mut command = self.command(arguments);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().unwrap()
    }

    /// The states of all migrations of `dev`, in order.
    pub fn states(&self) -> Vec<(String, String)> {
        let status = self.dev(0, &["status", "--format", "json"]).json();
        let targets = status["targets"].as_array().unwrap();
        let of = |migration: &Json, key: &str| migration[key].as_str().unwrap().to_owned();
        targets
            .iter()
            .flat_map(|target| target["migrations"].as_array().unwrap())
            .map(|migration| (of(migration, "name"), of(migration, "state")))
            .collect()
    }

    pub fn digest(&self, environment: &str) -> String {
        let plan = self
            .within(environment, 0, &["plan", "--format", "json"])
            .json();
        plan["digest"].as_str().unwrap().to_owned()
    }

    /// The first column of a query on a SQLite file of the project.
    pub fn rows(&self, file: &str, sql: &str) -> Vec<String> {
        let connection = rusqlite::Connection::open(self.file(file)).unwrap();
        let mut statement = connection.prepare(sql).unwrap();
        let rows = statement
            .query_map([], |row| {
                let value: rusqlite::types::Value = row.get(0)?;
                Ok(match value {
                    rusqlite::types::Value::Integer(number) => number.to_string(),
                    rusqlite::types::Value::Text(text) => text,
                    other => format!("{other:?}"),
                })
            })
            .unwrap();
        rows.map(Result::unwrap).collect()
    }

    /// The tables of `dev` that aren't Whimbrel's.
    pub fn tables(&self) -> Vec<String> {
        self.rows(
            "var/dev.db",
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'whimbrel%' AND name NOT LIKE 'sqlite%' ORDER BY name",
        )
    }

    pub fn git(&self, arguments: &[&str]) -> String {
        let done = Command::new("git")
            .args([
                "-c",
                "user.name=Ann",
                "-c",
                "user.email=ann@example.com",
                "-c",
                "init.defaultBranch=main",
            ])
            .args(arguments)
            .current_dir(self.path())
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .output()
            .unwrap();
        let err = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "git {arguments:?}: {err}");
        String::from_utf8(done.stdout).unwrap().trim().to_owned()
    }

    /// Makes it a repository, or commits what there is.
    pub fn commit(&self, message: &str) -> String {
        if !self.file(".git").exists() {
            self.git(&["init", "--quiet"]);
            self.write(".gitignore", "/var/\n");
        }
        self.git(&["add", "."]);
        self.git(&["commit", "--quiet", "--message", message]);
        self.git(&["rev-parse", "HEAD"])
    }
}

pub fn ended(command: &mut Command) -> Ended {
    let done = command.output().unwrap();
    Ended {
        code: done.status.code().unwrap_or(-1),
        out: String::from_utf8(done.stdout).unwrap(),
        err: String::from_utf8(done.stderr).unwrap(),
    }
}

pub fn pairs(states: &[(String, String)]) -> Vec<(&str, &str)> {
    states
        .iter()
        .map(|(a, b)| (a.as_str(), b.as_str()))
        .collect()
}
