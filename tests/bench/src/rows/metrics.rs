//! What metrics cost: a run that is measured beside one that isn't, and what fifty who ask at once wait for.

use std::sync::Barrier;
use std::time::{Duration, Instant};

use whimbrel_core::history::Direction;
use whimbrel_core::name::{MigrationName, TargetName};
use whimbrel_core::statement::Dialect;
use whimbrel_report::metrics::Metrics;
use whimbrel_signal::metric::{RunResult, StepKind};
use whimbrel_signal::{Bus, Progress, Scrubber, Signal};

use super::{Stage, note, ratio};
use crate::failure::{Doing, Failure, Result};
use crate::measure::{in_turns, milliseconds};
use crate::project::{Project, Shape};
use crate::report::Report;
use crate::repository::Repository;
use crate::scraper::Scraper;
use crate::server::Server;

const MIGRATIONS: usize = 1_000;
/// Each turn takes seconds.
const TURNS: usize = 5;

const SOURCE: &str = "shop";
const ENVIRONMENTS: usize = 10;
/// Of each environment; together they run a hundred migrations at once.
const DATABASES: usize = 10;
const SCRAPERS: usize = 50;
const SCRAPES: usize = 60;

/// Measures both.
pub fn run(stage: &Stage, report: &mut Report) -> Result {
    report.suite("gitops");
    overhead(stage, report)?;
    scrapes(stage, report)
}

/// A run of a thousand migrations with and without. Their difference is smaller than what two runs of one kind differ by,
/// so what must hold is the cost of all that such a run says and of its file, as a part of the run.
fn overhead(stage: &Stage, report: &mut Report) -> Result {
    let url = stage.cluster.url("metrics");
    let project = Project::new(&stage.whimbrel, &[("db".to_owned(), url)], "")?;
    for number in 1..=MIGRATIONS {
        project.table(number, "db", Shape::Plain)?;
    }
    let run = |arguments: &[&str]| {
        stage.cluster.create("metrics")?;
        project.run_with("apply", arguments)
    };
    let file = project.path().join("metrics.prom").display().to_string();
    let (with, without) = in_turns(|| run(&["--metrics-textfile", &file]), || run(&[]), TURNS)?;
    report.told(
        "the same run with and without metrics",
        ratio(with, without),
        "×",
        note(with, without, "a run without"),
    );
    let own = cost(&project)?;
    report.at_most(
        "all metrics on a run of 1,000 migrations",
        100.0 * ratio(own, without),
        "%",
        1.0,
        note(own, without, "the run"),
    );
    Ok(())
}

/// What everything costs that such a run says to metrics, and its file.
fn cost(project: &Project) -> Result<Duration> {
    let names = names(MIGRATIONS);
    let target = TargetName::single("db".parse().doing("naming a database")?);
    let metrics = Metrics::new();
    let bus = Bus::new(vec![metrics.sink("dev")], Scrubber::default());
    let silent = Bus::default();
    let say = |bus: &Bus| {
        let begun = Instant::now();
        for name in &names {
            migrate(bus, &target, name);
        }
        bus.emit(Signal::RunFinished {
            run: "run".to_owned(),
            result: RunResult::Succeeded,
            milliseconds: 1,
        });
        begun.elapsed()
    };
    // Making the events is the run's own.
    let (alone, heard) = (say(&silent), say(&bus));
    let begun = Instant::now();
    project.write("cost.prom", &metrics.render())?;
    Ok(heard.saturating_sub(alone) + begun.elapsed())
}

fn migrate(bus: &Bus, target: &TargetName, migration: &MigrationName) {
    let (target, migration) = (target.clone(), migration.clone());
    bus.emit(Signal::MigrationStarted {
        target: target.clone(),
        migration: migration.clone(),
        direction: Direction::Apply,
        resumed: false,
    });
    bus.emit(Signal::StepStarted {
        target: target.clone(),
        migration: migration.clone(),
        title: "step 1".to_owned(),
    });
    bus.emit(Signal::StepProgress {
        target: target.clone(),
        migration: migration.clone(),
        title: "step 1".to_owned(),
        progress: Progress {
            done: 500,
            total: Some(1_000),
        },
        rows: 500,
    });
    bus.emit(Signal::StepFinished {
        target: target.clone(),
        migration: migration.clone(),
        title: "step 1".to_owned(),
        kind: StepKind::Sql,
        dialect: Dialect::Postgres,
        took: Duration::from_millis(2),
        rows: 0,
        rest: 0,
    });
    bus.emit(Signal::MigrationFinished {
        target,
        migration,
        direction: Direction::Apply,
        milliseconds: 2,
        rows: 0,
    });
}

/// What one of fifty waits for who ask a server at once, over HTTP and connections that they keep, while it runs a hundred
/// migrations.
fn scrapes(stage: &Stage, report: &mut Report) -> Result {
    let folder = tempfile::tempdir().doing("making a folder")?;
    let project = Project::new(&stage.whimbrel, &[], "")?;
    let environments: Vec<_> = (0..ENVIRONMENTS)
        .map(|at| format!("environment-{at}"))
        .collect();
    for (at, environment) in environments.iter().enumerate() {
        let mut databases = Vec::new();
        for database in 0..DATABASES {
            let name = format!("scraped_{at}_{database}");
            stage.cluster.create(&name)?;
            databases.push((logical(database), stage.cluster.url(&name)));
        }
        let policy = format!(", concurrency: {DATABASES}");
        project.environment(environment, &databases, &policy)?;
    }
    for number in 0..MIGRATIONS {
        project.table(number + 1, &logical(number % DATABASES), Shape::Plain)?;
    }
    let repository = Repository::new(project.path(), folder.path().join("shop.git"))?;
    let (program, url) = (&stage.whimbrel, repository.address());
    let server = Server::start(program, folder.path(), SOURCE, &url)?;
    for environment in &environments {
        server.wait_for(environment, |view| view["phase"] == "current")?;
    }
    for database in 0..DATABASES {
        let number = MIGRATIONS + 1 + database;
        let database = logical(database);
        let text =
            format!("-- whimbrel:database {database}\n-- whimbrel:up\nSELECT pg_sleep(3600);\n");
        project.write(&format!("migrations/{number:05}-slow.sql"), &text)?;
    }
    let commit = repository.commit()?;
    repository.push()?;
    server.deliver(SOURCE, &commit, &commit)?;
    server.wait_for_metrics(|text| running(text) == ENVIRONMENTS * DATABASES)?;
    let measured = at_once(&server);
    let (_, text) = server.request("GET", "/metrics")?;
    let still = running(&text);
    // Nobody goes on waiting for them.
    drop(server);
    let end =
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname LIKE 'scraped%'";
    stage.cluster.sql("postgres", end)?;
    let mut waits = measured?;
    if still < ENVIRONMENTS * DATABASES {
        return Err(Failure::new(format!(
            "only {still} migrations ran to the end"
        )));
    }
    waits.sort_unstable();
    report.at_most(
        "a scrape of 50 at once, 10 environments × 1,000 migrations, 100 of them running (p99)",
        milliseconds(&waits, 99),
        "ms",
        20.0,
        format!(
            "{:.1} ms in the middle, {} lines, over HTTP",
            milliseconds(&waits, 50),
            text.lines().count()
        ),
    );
    Ok(())
}

/// The name that a project's migrations have for a database; the first is the one that they change if they name none.
fn logical(number: usize) -> String {
    match number {
        0 => "db".to_owned(),
        number => format!("db{number}"),
    }
}

/// How many migrations run, by what a server shows.
fn running(text: &str) -> usize {
    let is_running = |line: &&str| {
        line.starts_with("whimbrel_migrations{")
            && line.contains("state=\"applying\"")
            && line.ends_with(" 1")
    };
    text.lines().filter(is_running).count()
}

/// Fifty scrape together, again and again.
fn at_once(server: &Server) -> Result<Vec<Duration>> {
    let mut scrapers = Vec::new();
    for _ in 0..SCRAPERS {
        scrapers.push(Scraper::new(server.address())?);
    }
    let together = Barrier::new(SCRAPERS);
    let mut waits = Vec::new();
    std::thread::scope(|scope| {
        let threads: Vec<_> = scrapers
            .iter_mut()
            .map(|scraper| {
                let together = &together;
                scope.spawn(move || {
                    let mut scrapes = Vec::new();
                    for _ in 0..SCRAPES {
                        together.wait();
                        // Whoever fails goes on meeting the others.
                        scrapes.push(scraper.scrape());
                    }
                    scrapes
                })
            })
            .collect();
        for thread in threads {
            let scrapes = thread.join();
            let scrapes = scrapes.map_err(|_| Failure::new("a scraper is gone"))?;
            for scrape in scrapes {
                waits.push(scrape?.0);
            }
        }
        Ok::<(), Failure>(())
    })?;
    Ok(waits)
}

fn names(count: usize) -> Vec<MigrationName> {
    (0..count)
        .filter_map(|number| format!("{number:05}-table").parse().ok())
        .collect()
}
