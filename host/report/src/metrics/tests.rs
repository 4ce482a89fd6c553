use std::collections::BTreeMap;
use std::time::Duration;

use whimbrel_core::history::Direction;
use whimbrel_core::name::{MigrationName, TargetName};
use whimbrel_core::statement::Dialect;
use whimbrel_signal::metric::{
    Change, Custom, Dropped, ErrorClass, FetchResult, Measurement, Name, RunResult, StepKind,
};
use whimbrel_signal::{Bus, Progress, Scrubber, Signal};

use super::Metrics;
use crate::plan::tests::{recorded, surveyed};

fn target() -> TargetName {
    TargetName::single("main".parse().unwrap())
}

fn migration(name: &str) -> MigrationName {
    name.parse().unwrap()
}

fn bus(metrics: &Metrics) -> Bus {
    Bus::new(vec![metrics.sink("dev")], Scrubber::default())
}

/// The lines of one metric.
fn lines(metrics: &Metrics, name: &str) -> Vec<String> {
    let text = metrics.render();
    let ours = text
        .lines()
        .filter(|line| line.split(['{', ' ']).next() == Some(name));
    ours.map(|line| line.trim_start_matches(name).to_owned())
        .collect()
}

fn started(name: &str, direction: Direction) -> Signal {
    Signal::MigrationStarted {
        target: target(),
        migration: migration(name),
        direction,
        resumed: false,
    }
}

fn finished(name: &str, direction: Direction) -> Signal {
    Signal::MigrationFinished {
        target: target(),
        migration: migration(name),
        direction,
        milliseconds: 1,
        rows: 900,
    }
}

fn failed(name: &str, direction: Direction) -> Signal {
    Signal::MigrationFailed {
        target: target(),
        migration: migration(name),
        direction,
        error: "no".to_owned(),
        committed: String::new(),
    }
}

/// How many migrations stand so.
fn standing(metrics: &Metrics, state: &str) -> u32 {
    let all = lines(metrics, "whimbrel_migrations");
    let wanted = format!("state=\"{state}\"}} ");
    let line = all.iter().find(|line| line.contains(&wanted)).unwrap();
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

#[test]
fn a_run_moves_what_was_surveyed() {
    let metrics = Metrics::new();
    let plan = surveyed(&["0002-b", "0003-c", "0004-d"]);
    let histories = BTreeMap::from([(
        target(),
        recorded(&[("0001-a", "applied"), ("0004-d", "failed")]),
    )]);
    metrics.surveyed("dev", &histories, &plan);
    assert_eq!(
        standing(&metrics, "pending"),
        2,
        "0004-d is failed, not pending"
    );
    assert_eq!(standing(&metrics, "applied"), 1);
    assert_eq!(lines(&metrics, "whimbrel_migration_failed").len(), 1);

    let bus = bus(&metrics);
    bus.emit(started("0002-b", Direction::Apply));
    assert_eq!(standing(&metrics, "applying"), 1);
    bus.emit(finished("0002-b", Direction::Apply));
    bus.emit(started("0003-c", Direction::Apply));
    bus.emit(failed("0003-c", Direction::Apply));
    bus.emit(started("0004-d", Direction::Apply));
    bus.emit(finished("0004-d", Direction::Apply));
    let all = ["pending", "applying", "applied", "failed"].map(|state| standing(&metrics, state));
    assert_eq!(all, [0, 0, 3, 1]);
    assert_eq!(
        lines(&metrics, "whimbrel_migration_failed"),
        ["{database=\"main\",environment=\"dev\",migration=\"0003-c\"} 1"]
    );
    bus.emit(started("0001-a", Direction::Revert));
    assert_eq!(standing(&metrics, "reverting"), 1);
    bus.emit(failed("0001-a", Direction::Revert));
    assert_eq!(standing(&metrics, "reverting"), 1);
    assert_eq!(lines(&metrics, "whimbrel_migration_failed").len(), 2);
    bus.emit(finished("0001-a", Direction::Revert));
    assert_eq!(standing(&metrics, "applied"), 2);
    // Somebody else's migration, which nobody surveyed.
    bus.emit(started("0009-x", Direction::Apply));
    bus.emit(finished("0009-x", Direction::Apply));
    assert_eq!(standing(&metrics, "applied"), 3);

    metrics.keep_databases("dev", []);
    metrics.surveyed("dev", &BTreeMap::new(), &plan);
    assert!(
        lines(&metrics, "whimbrel_migrations").is_empty(),
        "its databases are gone"
    );
    assert!(lines(&metrics, "whimbrel_migration_failed").is_empty());
}

#[test]
fn what_a_run_says_is_counted() {
    let metrics = Metrics::new();
    let bus = bus(&metrics);
    assert!(!metrics.has_run());
    bus.emit(Signal::RunStarted {
        run: "r".to_owned(),
        environment: "dev".to_owned(),
        targets: 1,
    });
    bus.emit(Signal::TargetStarted {
        target: target(),
        migrations: 1,
    });
    bus.emit(Signal::LockTaken {
        target: target(),
        epoch: 1,
        waited_milliseconds: 300,
    });
    for (done, rows) in [(600, 500), (800, 200)] {
        bus.emit(Signal::StepProgress {
            target: target(),
            migration: migration("0001-a"),
            title: "fill".to_owned(),
            progress: Progress {
                done,
                total: Some(1_000),
            },
            rows,
        });
    }
    assert_eq!(
        lines(&metrics, "whimbrel_migration_progress_ratio"),
        ["{database=\"main\",environment=\"dev\",migration=\"0001-a\"} 0.8"]
    );
    bus.emit(Signal::StepFinished {
        target: target(),
        migration: migration("0001-a"),
        title: "fill".to_owned(),
        kind: StepKind::Plugin,
        dialect: Dialect::Postgres,
        took: Duration::from_millis(20),
        rows: 850,
        rest: 50,
    });
    bus.emit(Signal::Retrying {
        target: target(),
        migration: migration("0001-a"),
        attempt: 1,
        reason: "deadlock".to_owned(),
    });
    bus.emit(finished("0001-a", Direction::Apply));
    assert!(lines(&metrics, "whimbrel_migration_progress_ratio").is_empty());
    for (name, r#type, value) in [("orders", "gauge", 2.5), ("sold", "counter", 7.0)] {
        bus.emit(Signal::Metric {
            target: target(),
            migration: migration("0001-a"),
            name: name.to_owned(),
            r#type: r#type.to_owned(),
            value,
        });
    }
    bus.emit(Signal::TargetFinished {
        target: target(),
        result: "no".to_owned(),
        class: Some(ErrorClass::Fenced),
    });
    bus.emit(Signal::RunFinished {
        run: "r".to_owned(),
        result: RunResult::Failed,
        milliseconds: 1_500,
    });
    assert!(metrics.has_run());
    let text = metrics.render();
    for line in [
        "whimbrel_rows_total{database=\"main\",environment=\"dev\"} 750",
        "whimbrel_lock_wait_seconds_sum{environment=\"dev\"} 0.3",
        "whimbrel_step_duration_seconds_count{dialect=\"postgres\",kind=\"plugin\"} 1",
        "whimbrel_retries_total{environment=\"dev\"} 1",
        "whimbrel_errors_total{class=\"fenced\",environment=\"dev\"} 1",
        "whimbrel_errors_total{class=\"migration\",environment=\"dev\"} 0",
        "whimbrel_fence_rejections_total{environment=\"dev\"} 1",
        "whimbrel_runs_total{environment=\"dev\",result=\"failed\"} 1",
        "whimbrel_runs_total{environment=\"dev\",result=\"succeeded\"} 0",
        "whimbrel_run_duration_seconds_sum{environment=\"dev\"} 1.5",
        "whimbrel_custom_orders{database=\"main\",environment=\"dev\",plugin=\"\"} 2.5",
        "whimbrel_custom_sold_total{database=\"main\",environment=\"dev\",plugin=\"\"} 7",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
}

#[test]
fn what_a_plugin_measures_is_scrubbed() {
    let metrics = Metrics::new();
    let scrubber = Scrubber::default();
    scrubber.register("correct-horse");
    let bus = Bus::new(vec![metrics.sink("dev")], scrubber);
    let custom = Custom {
        name: "seen".to_owned(),
        labels: vec![("what".to_owned(), "a correct-horse b".to_owned())],
        change: Change::Add(1.0),
    };
    bus.measure(&target(), "fill", Measurement::Custom(custom));
    assert_eq!(
        lines(&metrics, "whimbrel_custom_seen_total"),
        ["{database=\"main\",environment=\"dev\",plugin=\"fill\",what=\"a [redacted] b\"} 1"]
    );
    Bus::default().measure(&target(), "fill", Measurement::Dropped(Dropped::Name));
}

#[test]
fn what_is_gone_is_not_shown() {
    let metrics = Metrics::new();
    metrics.drifted("dev", &target(), 2);
    metrics.drifted("dev", &target(), 1);
    metrics.drifted("prod", &target(), 3);
    let drift = || lines(&metrics, "whimbrel_drift_objects");
    assert_eq!(drift()[0], "{database=\"main\",environment=\"dev\"} 1");
    metrics.forget_environment("dev");
    assert_eq!(drift(), ["{database=\"main\",environment=\"prod\"} 3"]);
}

#[test]
fn what_a_database_had_goes_with_it() {
    let metrics = Metrics::new();
    let tenant = |name: &str| TargetName {
        database: "main".parse().unwrap(),
        instance: Some(name.to_owned()),
    };
    let (stays, goes) = (tenant("acme"), tenant("globex"));
    let said_of = |environment: &str, target: &TargetName| {
        let bus = Bus::new(vec![metrics.sink(environment)], Scrubber::default());
        let histories = BTreeMap::from([(target.clone(), recorded(&[("0001-a", "failed")]))]);
        metrics.surveyed(environment, &histories, &surveyed(&[]));
        bus.emit(Signal::TargetStarted {
            target: target.clone(),
            migrations: 1,
        });
        for r#type in ["gauge", "counter"] {
            bus.emit(Signal::Metric {
                target: target.clone(),
                migration: migration("0001-a"),
                name: r#type.to_owned(),
                r#type: r#type.to_owned(),
                value: 1.0,
            });
        }
        bus.measure(
            target,
            "fill",
            Measurement::Custom(Custom {
                name: "size".to_owned(),
                labels: vec![("what".to_owned(), "x".to_owned())],
                change: Change::Observe(1.0),
            }),
        );
        metrics.drifted(environment, target, 1);
    };
    let shown = |environment: &str, target: &TargetName| {
        let labels = format!("database=\"{target}\",environment=\"{environment}\"");
        let text = metrics.render();
        text.lines().filter(|line| line.contains(&labels)).count()
    };
    for (environment, target) in [("dev", &stays), ("dev", &goes), ("prod", &goes)] {
        said_of(environment, target);
    }
    let all = shown("dev", &stays);
    assert!(all > 20 && shown("dev", &goes) == all && shown("prod", &goes) == all);
    metrics.keep_databases("dev", [&stays]);
    assert_eq!(shown("dev", &goes), 0, "{}", metrics.render());
    assert_eq!((shown("dev", &stays), shown("prod", &goes)), (all, all));
    // Whoever comes back is shown again.
    said_of("dev", &goes);
    assert_eq!(shown("dev", &goes), all);
}

#[test]
fn openmetrics_names_counters_without_their_ending() {
    let metrics = Metrics::new();
    metrics.meter().fetch("shop", FetchResult::Failed);
    metrics.meter().lock("dev", Duration::from_secs(1));
    let text = metrics.render_openmetrics();
    assert!(text.ends_with("\n# EOF\n"), "{text}");
    for line in [
        "# TYPE whimbrel_git_fetch counter",
        "# HELP whimbrel_git_fetch Fetches of a repository.",
        "whimbrel_git_fetch_total{result=\"failed\",source=\"shop\"} 1",
        "# TYPE whimbrel_lock_wait_seconds histogram",
        "whimbrel_lock_wait_seconds_bucket{environment=\"dev\",le=\"+Inf\"} 1",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
}

#[test]
fn who_asks_sees_all_that_was_said_before() {
    let metrics = Metrics::new();
    let counted = |metrics: &Metrics| -> u32 {
        let lines = lines(metrics, "whimbrel_retries_total");
        lines[0].rsplit(' ').next().unwrap().parse().unwrap()
    };
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let mut before = 0;
                for _ in 0..200 {
                    metrics.meter().retry("dev");
                    let now = counted(&metrics);
                    assert!(now > before);
                    before = now;
                }
            });
        }
    });
    assert_eq!(counted(&metrics), 1_600);
    assert_eq!(format!("{metrics:?}"), "Metrics { .. }");
}

#[test]
fn the_documentation_lists_every_metric() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/metrics.md");
    let text = std::fs::read_to_string(file).unwrap();
    let documented: Vec<&str> = text
        .lines()
        .filter(|line| line.starts_with("| `whimbrel_"))
        .collect();
    let catalogue: Vec<String> = Name::ALL
        .iter()
        .map(|name| {
            let family = name.family();
            let labels: Vec<_> = family
                .labels
                .iter()
                .map(|label| format!("`{}`", label.name()))
                .collect();
            let (name, kind, labels) = (family.name, family.kind.as_str(), labels.join(", "));
            format!("| `{name}` | {kind} | {labels} | {} |", family.help)
        })
        .collect();
    assert_eq!(documented, catalogue, "{}", catalogue.join("\n"));
    for reason in Dropped::ALL {
        let line = format!("| `{}` | ", reason.as_str());
        assert!(text.contains(&line), "{line}");
    }
}
