//! The first-party step `backfill` as a component, on a real SQLite.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use crate::support::sqlite::{Kept, Sqlite};
use crate::support::{built, call};
use rusqlite::Connection;
use serde_json::{Value as Json, json};
use tempfile::TempDir;
use whimbrel_core::statement::Dialect;
use whimbrel_plugin::{Call, Grants, Limits, Outcome, Plugin, PluginError};

/// A table of rows with an integer key and a text key, and the step on it.
struct Scene {
    folder: TempDir,
    plugin: Plugin,
    kept: Arc<Mutex<Kept>>,
}

impl Scene {
    async fn with_rows(rows: u32) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let bytes = built("components", "backfill");
        let plugin = crate::support::admit(bytes, Grants::default(), Limits::default())
            .await
            .unwrap();
        let scene = Self {
            folder,
            plugin,
            kept: Arc::default(),
        };
        scene
            .connection()
            .execute_batch(&format!(
                "CREATE TABLE \"my orders\" (id INTEGER PRIMARY KEY, code TEXT NOT NULL UNIQUE, \
                   total INTEGER, done INTEGER NOT NULL DEFAULT 0); \
                 WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows}) \
                 INSERT INTO \"my orders\" (id, code) SELECT i * 3, printf('k%06d', i) FROM n WHERE {rows} > 0"
            ))
            .unwrap();
        scene
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("shop.db")
    }

    fn connection(&self) -> Connection {
        Connection::open(self.path()).unwrap()
    }

    fn database(&self) -> Sqlite {
        Sqlite::open(&self.path(), &self.kept)
    }

    fn count(&self, condition: &str) -> i64 {
        let sql = format!("SELECT count(*) FROM \"my orders\" WHERE {condition}");
        self.connection()
            .query_row(&sql, [], |row| row.get(0))
            .unwrap()
    }

    async fn apply(&self, config: &Json) -> Result<Outcome, PluginError> {
        self.plugin
            .apply(config, call(), Box::new(self.database()))
            .await
    }

    /// The connection goes after so many commits.
    async fn apply_until(&self, config: &Json, commits: usize) -> PluginError {
        let mut database = self.database();
        database.commits_left = Some(commits);
        self.plugin
            .apply(config, call(), Box::new(database))
            .await
            .unwrap_err()
    }

    async fn revert(&self, config: &Json, undo: Vec<u8>) -> Result<Outcome, PluginError> {
        self.plugin
            .revert(config, undo, call(), Box::new(self.database()))
            .await
    }

    fn commits(&self) -> Vec<(u64, Option<u64>)> {
        self.kept.lock().unwrap().commits.clone()
    }
}

fn config(key: &str) -> Json {
    json!({
        "table": "my orders", "key": key, "set": "total = id * 2, done = done + 1 -- twice",
        "batchSize": 10, "revert": "total = NULL, done = done - 1",
    })
}

#[tokio::test]
async fn every_row_once_in_batches_with_progress() {
    for key in ["id", "code"] {
        let scene = Scene::with_rows(35).await;
        let outcome = scene.apply(&config(key)).await.unwrap();
        assert_eq!((outcome.rows, outcome.witnessed), (35, 35));
        assert_eq!(outcome.summary, "35 rows of my orders");
        assert_eq!(scene.count("done = 1 AND total = id * 2"), 35);
        let total = Some(35);
        assert_eq!(
            scene.commits(),
            [(10, total), (20, total), (30, total), (35, total)]
        );
    }
}

#[tokio::test]
async fn killed_at_every_batch_it_goes_on_where_it_was() {
    for key in ["id", "code"] {
        for commits in 0..4 {
            let scene = Scene::with_rows(35).await;
            let error = scene.apply_until(&config(key), commits).await;
            assert!(error.is_cancelled(), "{error}");
            assert_eq!(
                scene.count("done = 1"),
                10 * i64::try_from(commits).unwrap()
            );
            let outcome = scene.apply(&config(key)).await.unwrap();
            assert_eq!(outcome.rows, 35, "rows of all attempts together");
            assert_eq!(scene.count("done = 1"), 35, "every row once");
        }
    }
}

#[tokio::test]
async fn nothing_to_do_is_done() {
    let scene = Scene::with_rows(0).await;
    let outcome = scene.apply(&config("id")).await.unwrap();
    assert_eq!(outcome.rows, 0);
    assert!(scene.commits().is_empty());
    assert_eq!(
        scene
            .revert(&config("id"), outcome.undo)
            .await
            .unwrap()
            .rows,
        0
    );
}

#[tokio::test]
async fn only_the_rows_that_are_meant() {
    let scene = Scene::with_rows(35).await;
    let mut config = config("id");
    config["where"] = json!("id % 2 = 0 -- the even ones");
    let outcome = scene.apply(&config).await.unwrap();
    assert_eq!(outcome.rows, 17);
    assert_eq!(scene.count("done = 1 AND id % 2 = 0"), 17);
    assert_eq!(scene.count("done = 1"), 17);
}

#[tokio::test]
async fn what_was_done_is_reverted_and_no_more() {
    let scene = Scene::with_rows(35).await;
    let outcome = scene.apply(&config("id")).await.unwrap();
    scene
        .connection()
        .execute(
            "INSERT INTO \"my orders\" (id, code, done) VALUES (1000, 'new', 5)",
            [],
        )
        .unwrap();
    *scene.kept.lock().unwrap() = Kept::default();
    let outcome = scene.revert(&config("id"), outcome.undo).await.unwrap();
    assert_eq!(outcome.rows, 35);
    assert_eq!(scene.count("done = 0 AND total IS NULL"), 35);
    assert_eq!(scene.count("done = 5"), 1);
    assert_eq!(scene.commits().last(), Some(&(35, Some(35))));
}

#[tokio::test]
async fn an_unfinished_step_is_reverted_as_far_as_it_came() {
    let scene = Scene::with_rows(35).await;
    scene.apply_until(&config("code"), 2).await;
    assert_eq!(scene.count("done = 1"), 20);
    // The revert is cut off, too, and goes on.
    let mut database = scene.database();
    database.commits_left = Some(1);
    let cut = scene
        .plugin
        .revert(&config("code"), Vec::new(), call(), Box::new(database))
        .await;
    assert!(cut.is_err());
    assert_eq!(scene.count("done = 1"), 10);
    let outcome = scene.revert(&config("code"), Vec::new()).await.unwrap();
    assert_eq!(outcome.rows, 20);
    assert_eq!(scene.count("done = 0"), 35);
}

#[tokio::test]
async fn without_a_revert_it_says_so() {
    let scene = Scene::with_rows(1).await;
    let config = json!({ "table": "my orders", "set": "total = 1" });
    let error = scene.revert(&config, Vec::new()).await.unwrap_err();
    assert_eq!(error.fault().unwrap().code, "backfill.not-reversible");
    assert!(error.hint().unwrap().contains("revert:"));
}

#[tokio::test]
async fn rows_without_a_key_are_not_left_out_silently() {
    let scene = Scene::with_rows(3).await;
    scene
        .connection()
        .execute_batch(
            "CREATE TABLE loose (k TEXT, a INTEGER); INSERT INTO loose VALUES ('x', 0), (NULL, 0)",
        )
        .unwrap();
    let mut config = json!({ "table": "loose", "key": "k", "set": "a = 1" });
    let error = scene.apply(&config).await.unwrap_err();
    assert_eq!(error.fault().unwrap().code, "backfill.no-key");
    config["where"] = json!("k IS NOT NULL");
    assert_eq!(scene.apply(&config).await.unwrap().rows, 1);
}

#[tokio::test]
async fn it_pauses_between_batches_and_stops_in_a_pause() {
    let scene = Scene::with_rows(35).await;
    let mut config = config("id");
    config["pause"] = json!("1h");
    let call = call();
    let stop = call.stop.clone();
    let running = scene
        .plugin
        .apply(&config, call, Box::new(scene.database()));
    let (ended, ()) = tokio::join!(running, async {
        while scene.commits().is_empty() {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        stop.stop();
    });
    assert!(ended.unwrap_err().is_cancelled());
    assert_eq!(scene.count("done = 1"), 10);
}

#[tokio::test]
async fn it_estimates_plans_and_describes() {
    let scene = Scene::with_rows(35).await;
    let estimate = scene
        .plugin
        .estimate(
            &config("id"),
            Call::new("r", "o"),
            Box::new(scene.database()),
        )
        .await
        .unwrap();
    assert_eq!(estimate, json!({ "rows": 35, "batches": 4 }));
    let preview = scene
        .plugin
        .plan(&config("id"), Dialect::Postgres)
        .await
        .unwrap();
    assert!(preview.reversible);
    assert_eq!(preview.effects.len(), 2);
    assert!(
        preview.effects[0].contains("10 rows at a time by id"),
        "{preview:?}"
    );
    let description = scene.plugin.describe().await.unwrap();
    assert_eq!(description["dialects"], json!(["sqlite", "postgres"]));
    assert_eq!(
        description["with"]["properties"]["batchSize"]["default"],
        5_000
    );
    assert_eq!(scene.plugin.manifest().unwrap().id, "backfill");
}

#[tokio::test]
async fn a_wrong_configuration_is_pointed_at() {
    let scene = Scene::with_rows(1).await;
    for (config, pointer) in [
        (
            json!({ "table": "t", "set": "a = 1", "pause": "soon" }),
            "/pause",
        ),
        (
            json!({ "table": "t", "set": "a = 1", "batchSize": 0 }),
            "/batchSize",
        ),
        (json!({ "table": "t", "set": 5 }), "/set"),
        (json!({ "table": "t", "set": "a = 1", "batch": 5 }), ""),
    ] {
        let error = scene
            .plugin
            .plan(&config, Dialect::Sqlite)
            .await
            .unwrap_err();
        let found = error.fault().unwrap().pointer.clone().unwrap();
        assert!(found.starts_with(pointer), "{error}: {found}");
    }
}

#[test]
fn the_binary_carries_what_was_there_when_it_was_built() {
    for name in whimbrel_plugin::builtin_names() {
        assert!(
            whimbrel_plugin::builtin(name)
                .unwrap()
                .starts_with(b"\0asm")
        );
    }
    assert!(whimbrel_plugin::builtin("nothing").is_none());
}
