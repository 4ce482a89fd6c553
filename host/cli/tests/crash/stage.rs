//! A project whose effects describe themselves, on a database of its own.

use std::path::Path;
use std::process::{Command, Output};

use whimbrel_core::value::Value;
use whimbrel_database::{Endpoint, SessionSettings, connect};

/// A project in a folder, with the URL of its database.
pub(crate) struct Stage {
    folder: tempfile::TempDir,
    url: String,
}

fn write(folder: &Path, path: &str, text: &str) {
    let path = folder.join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

impl Stage {
    pub(crate) fn new(url: String, postgres: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path();
        write(
            at,
            "whimbrel.yaml",
            "apiVersion: whimbrel.dev/v1alpha1\nkind: Project\nmetadata: {name: crash}\nspec: {defaults: {database: main}}\n",
        );
        write(
            at,
            "environments/dev.yaml",
            &format!(
                "apiVersion: whimbrel.dev/v1alpha1\nkind: Environment\nmetadata: {{name: dev}}\nspec:\n  databases:\n    main: {{url: '{url}'}}\n  policy: {{apply: Auto, onRevert: Auto, destructive: Allow, lockWait: 30s}}\n"
            ),
        );
        write(
            at,
            "migrations/1-tables.sql",
            "CREATE TABLE audit (id text NOT NULL);\nCREATE TABLE many (id integer PRIMARY KEY, touched integer NOT NULL DEFAULT 0);\nWITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 120) INSERT INTO many (id) SELECT i FROM n;\nINSERT INTO audit VALUES ('1');\n",
        );
        write(
            at,
            "migrations/2-plain.sql",
            "-- whimbrel:up\nINSERT INTO audit VALUES ('2');\n-- whimbrel:down\nINSERT INTO audit VALUES ('2 back');\n",
        );
        write(
            at,
            "migrations/3-fill.yaml",
            "apiVersion: whimbrel.dev/v1alpha1\nkind: Migration\nmetadata: {name: 3-fill}\nspec:\n  steps:\n    - sql: INSERT INTO audit VALUES ('3a')\n      revert: INSERT INTO audit VALUES ('3a back')\n    - uses: backfill\n      with: {table: many, key: id, set: touched = touched + 1, revert: touched = touched + 100, batchSize: 40}\n    - sql: INSERT INTO audit VALUES ('3b')\n      revert: INSERT INTO audit VALUES ('3b back')\n",
        );
        if postgres {
            write(
                at,
                "migrations/4-outside.sql",
                "-- whimbrel:up\nINSERT INTO audit VALUES ('4a');\nCREATE TYPE mood AS ENUM ('good');\nCREATE INDEX CONCURRENTLY many_touched ON many (touched);\nALTER TYPE mood ADD VALUE 'bad';\nINSERT INTO audit VALUES ('4b');\nVACUUM many;\n-- whimbrel:down\nINSERT INTO audit VALUES ('4b back');\nDROP INDEX CONCURRENTLY many_touched;\nDROP TYPE mood;\nINSERT INTO audit VALUES ('4a back');\n",
            );
        }
        write(
            at,
            "migrations/5-plain.sql",
            "-- whimbrel:up\nINSERT INTO audit VALUES ('5');\n-- whimbrel:down\nINSERT INTO audit VALUES ('5 back');\n",
        );
        Self { folder, url }
    }

    /// Writes a file of the project.
    pub(crate) fn write(&self, path: &str, text: &str) {
        write(self.folder.path(), path, text);
    }

    /// Commits `whimbrel.yaml`, environments and the first migration, and then the others: what is taken back by
    /// `--to HEAD~1`.
    pub(crate) fn commit(&self) {
        let git = |arguments: &[&str]| {
            let mut git = Command::new("git");
            git.args(["-c", "user.name=Ada", "-c", "user.email=ada@example.com"]);
            let done = git.args(arguments).current_dir(&self.folder).output();
            let done = done.unwrap();
            assert!(done.status.success(), "{done:?}");
        };
        self.write(".gitignore", "main.db*\n");
        git(&["init", "--quiet", "--initial-branch=main"]);
        git(&[
            "add",
            "whimbrel.yaml",
            "environments",
            ".gitignore",
            "migrations/1-tables.sql",
        ]);
        git(&["commit", "--quiet", "--message=First"]);
        git(&["add", "."]);
        git(&["commit", "--quiet", "--message=The others"]);
    }

    pub(crate) fn apply(&self, crash_point: Option<&str>) -> Output {
        self.run(&["apply"], crash_point)
    }

    /// Runs a command for the environment, which dies at a point if one is said.
    pub(crate) fn run(&self, arguments: &[&str], crash_point: Option<&str>) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_whimbrel"));
        command
            .args(arguments)
            .args(["--environment", "dev", "--project"])
            .arg(self.folder.path())
            .env_remove("WHIMBREL_CRASH_POINT")
            .env(
                "WHIMBREL_CACHE",
                std::env::temp_dir().join("whimbrel-crash-cache"),
            );
        if let Some(point) = crash_point {
            command.env("WHIMBREL_CRASH_POINT", point);
        }
        command.output().unwrap()
    }

    pub(crate) fn rows(&self, sql: &str) -> Vec<String> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let endpoint = Endpoint::parse(&self.url, self.folder.path()).unwrap();
            let mut session = connect(&endpoint, &SessionSettings::default())
                .await
                .unwrap();
            let command = whimbrel_database::Command::with(sql, Vec::new());
            let mut done = session.run(&[command]).await.unwrap();
            let rows = done.pop().unwrap().rows.rows;
            rows.into_iter()
                .map(|row| row.iter().map(Value::display).collect::<Vec<_>>().join(" "))
                .collect()
        })
    }
}
