//! A million rows in batches, as a component against the same batches by a native client.

use std::time::{Duration, Instant};

use tokio_postgres::{Client, Config, NoTls};

use super::{Stage, note, ratio};
use crate::failure::{Doing, Result};
use crate::measure::in_turns;
use crate::project::Project;
use crate::report::Report;

const ROWS: u32 = 1_000_000;
const BATCH: u32 = 10_000;
const TURNS: usize = 3;

/// Measures it.
pub fn run(stage: &Stage, report: &mut Report) -> Result {
    let url = stage.cluster.url("backfill_ours");
    let project = Project::new(&stage.whimbrel, &[("db".to_owned(), url)], "")?;
    project.write(
        "migrations/0000-first.sql",
        "CREATE TABLE first (id bigint);\n",
    )?;
    let step = "migrations/0001-fill.yaml";
    let definition = format!(
        "apiVersion: whimbrel.dev/v1alpha1\nkind: Migration\nmetadata: {{ name: 0001-fill }}\nspec:\n  database: db\n  \
             steps:\n    - uses: backfill\n      timeout: 30m\n      with: {{ table: items, key: id, set: \"total = amount * 2\", \
             where: \"total IS NULL\", batchSize: {BATCH} }}\n"
    );
    let ours = || {
        fill(stage, "backfill_ours")?;
        // The history's tables are there before, as the client's checkpoint table is.
        let _ = std::fs::remove_file(project.path().join(step));
        project.run("apply")?;
        project.write(step, &definition)?;
        project.run("apply")
    };
    let theirs = || {
        fill(stage, "backfill_theirs")?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .doing("starting a runtime")?;
        runtime.block_on(native(stage))
    };
    let (ours, theirs) = in_turns(ours, theirs, TURNS)?;
    report.at_most(
        "backfill of 1,000,000 rows, PostgreSQL",
        ratio(ours, theirs),
        "×",
        1.1,
        note(ours, theirs, "a native client"),
    );
    Ok(())
}

/// A fresh database with the rows, its statistics and its pages written out: both sides begin alike.
fn fill(stage: &Stage, name: &str) -> Result {
    stage.cluster.create(name)?;
    stage.cluster.sql(
        name,
        &format!(
            "CREATE TABLE items (id bigint PRIMARY KEY, amount bigint NOT NULL, total bigint); \
             INSERT INTO items SELECT n, n % 97, NULL FROM generate_series(1, {ROWS}) AS n; \
             CREATE TABLE checkpoint (last bigint NOT NULL, batch bigint NOT NULL); INSERT INTO checkpoint VALUES (0, 0)"
        ),
    )?;
    stage.cluster.sql(name, "VACUUM ANALYZE items")?;
    stage.cluster.sql(name, "CHECKPOINT")
}

/// The batches: rows and checkpoint in one commit, keys in order.
async fn native(stage: &Stage) -> Result<Duration> {
    let begun = Instant::now();
    let mut config = Config::new();
    config
        .host_path(stage.cluster.path())
        .user("postgres")
        .dbname("backfill_theirs");
    let (client, connection) = config.connect(NoTls).await.doing("connecting")?;
    tokio::spawn(connection);
    // As the component does: how many rows there are, for the progress.
    client
        .query_one("SELECT count(*) FROM items WHERE total IS NULL", &[])
        .await
        .doing("counting")?;
    let mut last = 0;
    while let Some(key) = batch(&client, last).await? {
        last = key;
    }
    Ok(begun.elapsed())
}

async fn batch(client: &Client, last: i64) -> Result<Option<i64>> {
    let update = format!(
        "WITH range AS MATERIALIZED (SELECT id FROM items WHERE id > $1 AND total IS NULL ORDER BY id LIMIT {BATCH}), \
         bound AS MATERIALIZED (SELECT max(id) AS last FROM range), \
         changed AS (UPDATE items SET total = amount * 2 WHERE id > $1 AND id <= (SELECT last FROM bound) \
         AND total IS NULL RETURNING 1) SELECT (SELECT last FROM bound), (SELECT count(*) FROM changed)"
    );
    client
        .batch_execute("BEGIN")
        .await
        .doing("beginning a batch")?;
    let row = client.query_one(&update, &[&last]).await.doing("a batch")?;
    let key: Option<i64> = row.try_get(0).doing("reading the last key")?;
    if let Some(key) = key {
        client
            .execute(
                "UPDATE checkpoint SET last = $1, batch = batch + 1",
                &[&key],
            )
            .await
            .doing("the checkpoint")?;
    }
    client
        .batch_execute("COMMIT")
        .await
        .doing("committing a batch")?;
    Ok(key)
}
