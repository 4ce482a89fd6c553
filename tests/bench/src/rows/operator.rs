//! The operator with a thousand and with ten thousand objects: how soon all are seen, how soon one is acted on, and what rest
//! costs; and a hundred databases of one environment that are all changed at once.

use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};

use super::Stage;
use crate::failure::{Doing, Failure, Result};
use crate::kubernetes::Cluster;
use crate::measure::milliseconds;
use crate::report::Report;
use crate::server::Server;

const FEW: usize = 1_000;
const MANY: usize = 10_000;
/// So that the ninety-ninth hundredth is one of them.
const CHANGES: usize = 100;
/// How many databases one environment has.
const DATABASES: usize = 100;
/// How long everything is left alone: watches are renewed within it, each after 290 seconds.
const REST: Duration = Duration::from_secs(300);
const PATIENCE: Duration = Duration::from_secs(600);

/// Measures them before a real API server.
pub fn run(stage: &Stage, report: &mut Report) -> Result {
    report.suite("operator");
    let mut cluster = Cluster::start(&stage.whimbrel)?;
    let few = cold(stage, &mut cluster, FEW)?;
    report.at_most(
        "cold start, 1,000 Migration objects, from the list to all reconciled",
        few.reconciled.as_secs_f64(),
        "s",
        5.0,
        format!(
            "every status as it was; they were applied in {:.1} s at first",
            few.applied.as_secs_f64()
        ),
    );
    report.at_most("memory after it", few.memory, "MiB", 100.0, String::new());
    let operator = &few.operator;
    changes(stage, &cluster, operator, report)?;
    // Statuses and events of what was done last.
    std::thread::sleep(Duration::from_secs(5));
    rest(&cluster, report)?;
    at_once(stage, &cluster, operator, report)?;
    few.operator.end()?;
    let many = cold(stage, &mut cluster, MANY)?;
    report.told(
        "cold start, 10,000 Migration objects, from the list to all reconciled",
        many.reconciled.as_secs_f64(),
        "s",
        format!(
            "{:.1} × that of 1,000; applied in {:.1} s at first",
            many.reconciled.as_secs_f64() / few.reconciled.as_secs_f64(),
            many.applied.as_secs_f64()
        ),
    );
    report.told(
        "memory with 10,000",
        many.memory,
        "MiB",
        format!("{:.1} × that with 1,000", many.memory / few.memory),
    );
    Ok(())
}

/// What a cold start took, and who started.
struct Cold {
    operator: Server,
    applied: Duration,
    reconciled: Duration,
    memory: f64,
}

/// An environment with so many migrations is applied; then an operator starts that finds everything as it should be.
fn cold(stage: &Stage, cluster: &mut Cluster, count: usize) -> Result<Cold> {
    let name = format!("of-{count}");
    cluster.enter(&name)?;
    let database = name.replace('-', "_");
    stage.cluster.create(&database)?;
    cluster.apply(
        "Environment",
        "dev",
        &environment([("shop".to_owned(), stage.cluster.url(&database))]),
    )?;
    let table = (
        "m-00000".to_owned(),
        migration("dev", "shop", "CREATE TABLE deeds (number bigint NOT NULL)"),
    );
    cluster.apply_all(
        "Migration",
        std::iter::once(table).chain((1..count).map(deed)),
    )?;
    let config = cluster.kubeconfig()?;
    let begun = Instant::now();
    let first = Server::operator(&stage.whimbrel, config.parent().unwrap_or(&config), &config)?;
    cluster.wait("all are applied", PATIENCE, |cluster| {
        Ok(says(cluster, "applied", &json!(count))? && is_ready(cluster, "dev")?)
    })?;
    let applied = begun.elapsed();
    // By force it would leave its Lease, and who comes after it would wait until that is over.
    first.end()?;

    // Everything is as it should be; that somebody asked for a look shows when all was looked at.
    cluster.request("dev", "now")?;
    let operator = Server::operator(&stage.whimbrel, config.parent().unwrap_or(&config), &config)?;
    cluster.wait("everything is listed", PATIENCE, |_| {
        Ok(operator.request("GET", "/readyz")?.0 == 200)
    })?;
    let listed = Instant::now();
    cluster.wait("all was looked at", PATIENCE, |cluster| {
        says(cluster, "lastHandledRequest", &json!("now"))
    })?;
    let reconciled = listed.elapsed();
    let memory = operator.memory()? / f64::from(1 << 20);
    Ok(Cold {
        operator,
        applied,
        reconciled,
        memory,
    })
}

/// One more of a thousand, until its row is there.
fn changes(stage: &Stage, cluster: &Cluster, operator: &Server, report: &mut Report) -> Result {
    let database = format!("of_{FEW}");
    let mut took = acted_on(stage, cluster, "dev", &database, FEW)?;
    took.sort_unstable();
    report.at_most(
        "change of one Migration → acted on, 1,000 present (p99)",
        milliseconds(&took, 99),
        "ms",
        500.0,
        format!("{:.0} ms in the middle", milliseconds(&took, 50)),
    );
    let applied = json!(FEW + CHANGES);
    cluster.wait("all say so", PATIENCE, |cluster| {
        says(cluster, "applied", &applied)
    })?;
    report.told(
        "memory after a hundred more",
        operator.memory()? / f64::from(1 << 20),
        "MiB",
        String::new(),
    );
    Ok(())
}

fn acted_on(
    stage: &Stage,
    cluster: &Cluster,
    environment: &str,
    database: &str,
    first: usize,
) -> Result<Vec<Duration>> {
    let url = stage.cluster.url(database);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build();
    let runtime = runtime.doing("starting a runtime")?;
    let client = runtime.block_on(async {
        let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await?;
        tokio::spawn(connection);
        Ok::<_, tokio_postgres::Error>(client)
    });
    let client = client.doing("connecting to PostgreSQL")?;
    (first..first + CHANGES)
        .map(|number| {
            let sql = format!("INSERT INTO deeds VALUES ({number})");
            let begun = Instant::now();
            cluster.apply(
                "Migration",
                &format!("m-{environment}-{number:05}"),
                &migration(environment, "shop", &sql),
            )?;
            let wanted = format!("SELECT 1 FROM deeds WHERE number = {number}");
            cluster.wait("it is acted on", PATIENCE, |_| {
                let rows = runtime
                    .block_on(client.query(&wanted, &[]))
                    .doing("looking for the row")?;
                Ok(!rows.is_empty())
            })?;
            Ok(begun.elapsed())
        })
        .collect()
}

/// What the operator asks while nothing changes.
fn rest(cluster: &Cluster, report: &mut Report) -> Result {
    let before = cluster.requests()?;
    std::thread::sleep(REST);
    let asked = cluster.requests()? - before;
    let objects = cluster.list("Migration")?.len() + 1;
    #[expect(clippy::cast_precision_loss, reason = "a thousand objects")]
    let each = asked as f64 / objects as f64 * 3_600.0 / REST.as_secs_f64();
    report.at_most(
        "requests to the API server at rest, for each object and hour",
        each,
        "requests",
        12.0,
        format!(
            "{asked} of every kind in {} s about {objects} objects, of {before} in all before, by the API server's audit log",
            REST.as_secs()
        ),
    );
    Ok(())
}

/// A hundred databases of one environment, each with a migration that takes a second; and another environment meanwhile, on
/// which it must not be felt.
fn at_once(stage: &Stage, cluster: &Cluster, operator: &Server, report: &mut Report) -> Result {
    stage.cluster.create("meanwhile")?;
    let meanwhile = [("shop".to_owned(), stage.cluster.url("meanwhile"))];
    cluster.apply("Environment", "meanwhile", &environment(meanwhile))?;
    let table = migration(
        "meanwhile",
        "shop",
        "CREATE TABLE deeds (number bigint NOT NULL)",
    );
    cluster.apply("Migration", "m-meanwhile-00000", &table)?;
    let mut databases = Vec::new();
    for number in 0..DATABASES {
        let name = format!("tenant_{number}");
        stage.cluster.create(&name)?;
        databases.push((format!("tenant-{number}"), stage.cluster.url(&name)));
    }
    let names: Vec<_> = databases.iter().map(|(name, _)| name.clone()).collect();
    cluster.wait("the other one is ready", PATIENCE, |cluster| {
        is_ready(cluster, "meanwhile")
    })?;
    let migrations = names.iter().map(|name| {
        let object = migration(
            "crowd",
            name,
            "CREATE TABLE one (id bigint); SELECT pg_sleep(10)",
        );
        (format!("m-crowd-{name}"), object)
    });
    cluster.apply_all("Migration", migrations)?;
    cluster.apply("Environment", "crowd", &all_at_once(databases))?;
    let begun = Instant::now();
    cluster.wait("the crowd is run", PATIENCE, |cluster| {
        let status = cluster.status("Environment", "crowd")?;
        Ok(conditions(&status).any(|one| one["type"] == "Reconciling" && one["status"] == "True"))
    })?;
    let mut took = acted_on(stage, cluster, "meanwhile", "meanwhile", 1)?;
    took.sort_unstable();
    let is_over = is_ready(cluster, "crowd")?;
    cluster.wait("the crowd is done", PATIENCE, |cluster| {
        is_ready(cluster, "crowd")
    })?;
    report.at_most(
        "change in another environment → acted on, while 100 migrations run at once in one (p99)",
        milliseconds(&took, 99),
        "ms",
        1_000.0,
        format!(
            "{:.0} ms in the middle{}",
            milliseconds(&took, 50),
            if is_over {
                "; the hundred ended before the last of them"
            } else {
                ""
            }
        ),
    );
    report.told(
        "100 migrations at once in one environment, 10 s each, until it is ready",
        begun.elapsed().as_secs_f64(),
        "s",
        String::new(),
    );
    let waits = operator.metric("whimbrel_queue_depth")?;
    let waits = waits.ok_or_else(|| Failure::new("the operator tells of no queue".to_owned()))?;
    report.at_most(
        "environments that wait after it",
        waits,
        "environments",
        0.0,
        String::new(),
    );
    Ok(())
}

fn environment(databases: impl IntoIterator<Item = (String, String)>) -> Json {
    json!({ "databases": by_name(databases), "policy": { "apply": "Auto" } })
}

/// An environment whose databases don't wait for each other.
fn all_at_once(databases: impl IntoIterator<Item = (String, String)>) -> Json {
    json!({ "databases": by_name(databases), "policy": { "apply": "Auto", "concurrency": DATABASES } })
}

fn by_name(databases: impl IntoIterator<Item = (String, String)>) -> Json {
    let databases = databases.into_iter();
    databases
        .map(|(name, url)| (name, json!({ "url": url })))
        .collect()
}

fn migration(environment: &str, database: &str, sql: &str) -> Json {
    json!({ "environmentRef": { "name": environment }, "database": database, "steps": [{ "sql": sql }] })
}

fn deed(number: usize) -> (String, Json) {
    let sql = format!("INSERT INTO deeds VALUES ({number})");
    (format!("m-{number:05}"), migration("dev", "shop", &sql))
}

/// Whether the status of `dev` says this.
fn says(cluster: &Cluster, field: &str, value: &Json) -> Result<bool> {
    Ok(cluster.status("Environment", "dev")?.get(field) == Some(value))
}

fn is_ready(cluster: &Cluster, name: &str) -> Result<bool> {
    let status = cluster.status("Environment", name)?;
    Ok(conditions(&status).any(|one| one["type"] == "Ready" && one["status"] == "True"))
}

fn conditions(status: &Json) -> impl Iterator<Item = &Json> {
    status["conditions"].as_array().into_iter().flatten()
}
