//! What metrics cost: a run that is measured beside one that isn't, and what fifty who ask at once wait for.

use std::collections::BTreeMap;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use whimbrel_core::history::{Direction, History};
use whimbrel_core::name::{MigrationName, TargetName};
use whimbrel_core::plan::Plan;
use whimbrel_core::statement::Dialect;
use whimbrel_report::metrics::Metrics;
use whimbrel_signal::metric::{RunResult, StepKind};
use whimbrel_signal::{Bus, Progress, Scrubber, Signal};

use super::{Stage, note, ratio};
use crate::failure::{Doing, Result};
use crate::measure::in_turns;
use crate::project::{Project, Shape};
use crate::report::Report;

const MIGRATIONS: usize = 1_000;
/// Each turn takes seconds.
const TURNS: usize = 5;

const ENVIRONMENTS: usize = 10;
/// Of each environment; together they run a hundred migrations at once.
const DATABASES: usize = 10;
const SCRAPERS: usize = 50;
const SCRAPES: usize = 60;

/// Measures both.
pub fn run(stage: &Stage, report: &mut Report) -> Result {
    report.suite("gitops");
    overhead(stage, report)?;
    scrapes(report)
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

/// What one of fifty waits for who ask at once, while a hundred migrations run.
fn scrapes(report: &mut Report) -> Result {
    let metrics = Metrics::new();
    let mut runs = Vec::new();
    for environment in 0..ENVIRONMENTS {
        let environment = format!("environment-{environment}");
        let mut histories = BTreeMap::new();
        for database in 0..DATABASES {
            let name = format!("database-{database}");
            let target = TargetName::single(name.parse().doing("naming a database")?);
            histories.insert(target.clone(), History::default());
            runs.push((
                Bus::new(vec![metrics.sink(&environment)], Scrubber::default()),
                target,
            ));
        }
        let plan = Plan {
            environment: environment.parse().doing("naming an environment")?,
            revision: None,
            targets: Vec::new(),
        };
        metrics.surveyed(&environment, &histories, &plan);
    }
    let names = names(MIGRATIONS / DATABASES);
    for (bus, target) in &runs {
        for name in &names {
            migrate(bus, target, name);
        }
    }
    let (over, together) = (AtomicBool::new(false), Barrier::new(SCRAPERS));
    let mut waits = Vec::new();
    std::thread::scope(|scope| {
        // Two processors at least go on with the runs, each of many.
        for part in runs.chunks(runs.len() / 2) {
            let (over, names) = (&over, &names);
            scope.spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    for ((bus, target), name) in part.iter().zip(names.iter().cycle()) {
                        migrate(bus, target, name);
                    }
                    std::thread::sleep(Duration::from_millis(1));
                }
            });
        }
        let scrapers: Vec<_> = (0..SCRAPERS)
            .map(|_| {
                scope.spawn(|| {
                    let mut waits = Vec::new();
                    for _ in 0..SCRAPES {
                        together.wait();
                        let begun = Instant::now();
                        std::hint::black_box(metrics.render());
                        waits.push(begun.elapsed());
                    }
                    waits
                })
            })
            .collect();
        for scraper in scrapers {
            waits.extend(scraper.join().unwrap_or_default());
        }
        over.store(true, Ordering::Relaxed);
    });
    waits.sort_unstable();
    let at = |hundredths: usize| {
        let place = (waits.len() * hundredths / 100).min(waits.len().saturating_sub(1));
        waits.get(place).copied().unwrap_or_default().as_secs_f64() * 1e3
    };
    let lines = metrics.render().lines().count();
    report.at_most(
        "a scrape of 50 at once, 10 environments × 1,000 migrations, 100 of them running (p99)",
        at(99),
        "ms",
        20.0,
        format!(
            "{:.1} ms in the middle, {lines} lines, without HTTP",
            at(50)
        ),
    );
    Ok(())
}

fn names(count: usize) -> Vec<MigrationName> {
    (0..count)
        .filter_map(|number| format!("{number:05}-table").parse().ok())
        .collect()
}
