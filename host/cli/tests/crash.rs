//! Power cuts: the program is killed at every named point of the protocol, started again, and the database must show
//! every effect exactly once.
//!
//! The effects describe themselves: each migration appends its name to a table in its own transaction, and each row of
//! the backfill counts how often it was touched.

#![cfg(feature = "crash-points")]
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::panic,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout
)]

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Output};

use whimbrel_core::value::Value;
use whimbrel_database::{Endpoint, SessionSettings, connect};
use whimbrel_postgres_server::PostgresServer;

/// Every point, with the most times that it is tried in one run.
const POINTS: [(&str, u32); 19] = [
    ("lock.before", 1),
    ("lock.after", 1),
    ("begin.before", 6),
    ("begin.after", 6),
    ("statement.before", 6),
    ("statement.after", 6),
    ("record.before", 12),
    ("record.after", 12),
    ("fence.before", 8),
    ("fence.after", 8),
    ("commit.before", 9),
    ("commit.sent", 9),
    ("commit.after", 9),
    ("checkpoint.before", 3),
    ("checkpoint.after", 3),
    ("outside.before", 2),
    ("outside.after", 2),
    ("unlock.before", 1),
    ("unlock.after", 1),
];

struct Stage {
    folder: tempfile::TempDir,
    url: String,
}

fn write(folder: &Path, path: &str, text: &str) {
    let path = folder.join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

impl Stage {
    fn new(url: String, postgres: bool) -> Self {
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
            "INSERT INTO audit VALUES ('2');\n",
        );
        write(
            at,
            "migrations/3-fill.yaml",
            "apiVersion: whimbrel.dev/v1alpha1\nkind: Migration\nmetadata: {name: 3-fill}\nspec:\n  steps:\n    - sql: INSERT INTO audit VALUES ('3a')\n    - uses: backfill\n      with: {table: many, key: id, set: touched = touched + 1, batchSize: 40}\n    - sql: INSERT INTO audit VALUES ('3b')\n",
        );
        if postgres {
            write(
                at,
                "migrations/4-outside.sql",
                "INSERT INTO audit VALUES ('4a');\nCREATE INDEX CONCURRENTLY many_touched ON many (touched);\nINSERT INTO audit VALUES ('4b');\nVACUUM many;\n",
            );
        }
        write(
            at,
            "migrations/5-plain.sql",
            "INSERT INTO audit VALUES ('5');\n",
        );
        Self { folder, url }
    }

    fn apply(&self, crash_point: Option<&str>) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_whimbrel"));
        command
            .args(["apply", "--environment", "dev", "--project"])
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

    fn rows(&self, sql: &str) -> Vec<String> {
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

/// Kills at one point, starts again, and looks at every effect. Whether the point was reached at all.
fn survives(stage: &Stage, postgres: bool, point: &str) -> bool {
    let first = stage.apply(Some(point));
    let killed = first.status.signal() == Some(9);
    assert!(
        killed || first.status.success(),
        "{point}: {}",
        String::from_utf8_lossy(&first.stderr)
    );
    let second = stage.apply(None);
    assert!(
        second.status.success(),
        "{point}, started again: {}",
        String::from_utf8_lossy(&second.stderr)
    );
    let audit = stage.rows("SELECT id FROM audit ORDER BY id");
    let expected: &[&str] = if postgres {
        &["1", "2", "3a", "3b", "4a", "4b", "5"]
    } else {
        &["1", "2", "3a", "3b", "5"]
    };
    assert_eq!(audit, expected, "{point}");
    assert_eq!(
        stage.rows("SELECT count(*), min(touched), max(touched) FROM many"),
        ["120 1 1"],
        "{point}"
    );
    if postgres {
        let valid = "SELECT count(*) FROM pg_index JOIN pg_class ON oid = indexrelid WHERE relname LIKE 'many_touched%' AND indisvalid";
        assert_eq!(stage.rows(valid), ["1"], "{point}");
        assert_eq!(
            stage.rows("SELECT count(*) FROM whimbrel.journal"),
            ["0"],
            "{point}"
        );
        assert_eq!(
            stage.rows("SELECT count(*) FROM whimbrel.migration WHERE state <> 'applied'"),
            ["0"],
            "{point}"
        );
    } else {
        assert_eq!(
            stage.rows("SELECT count(*) FROM whimbrel_journal"),
            ["0"],
            "{point}"
        );
        assert_eq!(
            stage.rows("SELECT count(*) FROM whimbrel_migration WHERE state <> 'applied'"),
            ["0"],
            "{point}"
        );
    }
    killed
}

fn every_point(postgres: bool) {
    let mut reached = Vec::new();
    for (point, most) in POINTS {
        for time in 1..=most {
            let url = if postgres {
                PostgresServer::shared()
                    .database(&format!("crash_{}_{time}", point.replace('.', "_")))
            } else {
                "sqlite:main.db".to_owned()
            };
            let stage = Stage::new(url, postgres);
            if !survives(&stage, postgres, &format!("{point}:{time}")) {
                break;
            }
            reached.push(format!("{point}:{time}"));
        }
    }
    println!("{} crashes survived: {}", reached.len(), reached.join(" "));
    let never: Vec<_> = POINTS
        .iter()
        .map(|(point, _)| *point)
        .filter(|point| !reached.iter().any(|text| text.starts_with(point)))
        .filter(|point| postgres || !point.starts_with("outside"))
        .collect();
    assert!(never.is_empty(), "never reached: {never:?}");
}

#[test]
fn sqlite_shows_every_effect_once_whatever_dies() {
    every_point(false);
}

#[test]
fn postgres_shows_every_effect_once_whatever_dies() {
    every_point(true);
}
