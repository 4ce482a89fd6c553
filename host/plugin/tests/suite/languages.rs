//! A step that isn't written in Rust, built here and now and run for real: the interfaces must serve every language.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};

use crate::support::sqlite::{Kept, Sqlite};
use crate::support::{admit, call, listening, trap};
use rusqlite::Connection;
use serde_json::json;
use tokio::sync::OnceCell;
use whimbrel_core::fault::FaultClass;
use whimbrel_core::statement::Dialect;
use whimbrel_plugin::{Grants, Limits, Plugin};

/// Compiling 18 MB takes a while, so the tests share one.
static PYTHON: OnceCell<Plugin> = OnceCell::const_new();

async fn python() -> &'static Plugin {
    PYTHON
        .get_or_init(|| async {
            let out = std::env::var_os("WHIMBREL_TEST_GUESTS").map_or_else(
                || PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("../guests"),
                PathBuf::from,
            );
            let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/guests/build.sh");
            let built = Command::new(script).arg(&out).output().unwrap();
            assert!(
                built.status.success(),
                "{}",
                String::from_utf8_lossy(&built.stderr)
            );
            let bytes = std::fs::read(out.join("step-python.wasm")).unwrap();
            admit(bytes, Grants::default(), Limits::default())
                .await
                .unwrap()
        })
        .await
}

/// A table of five rows in a file of its own.
fn table(folder: &Path) -> PathBuf {
    let path = folder.join("shop.db");
    Connection::open(&path)
        .unwrap()
        .execute_batch(
            "CREATE TABLE t (id INTEGER PRIMARY KEY, done TEXT); \
             INSERT INTO t (id) VALUES (1), (2), (3), (4), (5)",
        )
        .unwrap();
    path
}

#[tokio::test]
async fn python_needs_wasi_and_gets_it_empty() {
    let plugin = python().await;
    assert!(
        plugin
            .imports()
            .iter()
            .any(|name| name.starts_with("wasi:"))
    );
    let description = plugin.describe().await.unwrap();
    assert_eq!(description["summary"], "Sets a column");
}

#[tokio::test]
async fn python_plans_estimates_applies_and_goes_on() {
    let plugin = python().await;
    let preview = plugin
        .plan(&json!({ "table": "t" }), Dialect::Sqlite)
        .await
        .unwrap();
    assert_eq!(preview.effects, ["sets done on t"]);

    let folder = tempfile::tempdir().unwrap();
    let path = table(folder.path());
    let kept: Arc<Mutex<Kept>> = Arc::default();
    let config = json!({ "table": "t", "until": 5 });
    let database = Box::new(Sqlite::open(&path, &kept));
    let estimate = plugin.estimate(&config, call(), database).await.unwrap();
    assert_eq!(estimate, json!({ "rows": 5 }));

    let mut database = Sqlite::open(&path, &kept);
    database.commits_left = Some(2);
    let cut = plugin.apply(&config, call(), Box::new(database)).await;
    assert!(cut.is_err());
    let database = Box::new(Sqlite::open(&path, &kept));
    let outcome = plugin.apply(&config, call(), database).await.unwrap();
    assert_eq!((outcome.rows, outcome.witnessed), (5, 3));
    assert_eq!(outcome.undo, [0, 255]);
    assert_eq!(outcome.details, json!({ "attempt": 1 }));
    let done: i64 = Connection::open(&path)
        .unwrap()
        .query_row("SELECT count(*) FROM t WHERE done = 'é'", [], |row| {
            row.get(0)
        })
        .unwrap();
    assert_eq!(done, 5);
    let database = Box::new(Sqlite::open(&path, &kept));
    let outcome = plugin
        .revert(&config, outcome.undo, call(), database)
        .await
        .unwrap();
    assert_eq!(outcome.summary, "00ff");
}

#[tokio::test]
async fn a_fault_of_python_is_a_fault() {
    let error = python()
        .await
        .plan(&json!({}), Dialect::Postgres)
        .await
        .unwrap_err();
    let fault = error.fault().unwrap();
    assert_eq!(
        (fault.class, fault.pointer.as_deref()),
        (FaultClass::Invalid, Some("/table"))
    );
}

#[tokio::test]
async fn what_python_says_at_its_death_is_shown() {
    let folder = tempfile::tempdir().unwrap();
    let path = table(folder.path());
    let (call, _) = listening();
    let database = Box::new(Sqlite::open(&path, &Arc::default()));
    let config = json!({ "table": "t", "raise": true });
    let report = trap(
        python()
            .await
            .apply(&config, call, database)
            .await
            .unwrap_err(),
    );
    assert!(
        report
            .stderr
            .contains("RuntimeError: a Python exception on purpose"),
        "{report}"
    );
    assert!(report.to_string().contains("it wrote:"));
}

#[tokio::test]
async fn python_is_denied_what_it_imports_and_was_not_granted() {
    let error = python()
        .await
        .plan(&json!({ "read-the-clock": true }), Dialect::Sqlite)
        .await
        .unwrap_err();
    assert!(trap(error).reason.contains("denied: clock"));
    let folder = tempfile::tempdir().unwrap();
    let path = table(folder.path());
    let database = Box::new(Sqlite::open(&path, &Arc::default()));
    let config = json!({ "table": "t", "fetch": true });
    let error = python()
        .await
        .apply(&config, call(), database)
        .await
        .unwrap_err();
    assert_eq!(error.fault().unwrap().code, "http.denied");
}
