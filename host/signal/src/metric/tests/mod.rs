//! The budget of series, gauges of objects, and what is shown of what was said.

#![allow(clippy::unwrap_used, clippy::cast_precision_loss, clippy::float_cmp)]

mod business;

use std::collections::BTreeSet;
use std::time::Duration;

use super::{
    Change, Custom, Dropped, ErrorClass, Measurement, Meter, MetricFamily, Name, OTHER, Origin,
    RunResult,
};
use crate::limits::{CUSTOM_SERIES, MIGRATION_SERIES};

/// What a series shows, by its labels in order of their names, or the count of a histogram.
fn shown(meter: &Meter, name: &str) -> Vec<(String, f64)> {
    let families = meter.gather();
    let family = families.iter().find(|family| family.name() == name);
    let metrics = family.map(MetricFamily::get_metric).unwrap_or_default();
    metrics
        .iter()
        .map(|metric| {
            let labels: Vec<_> = metric
                .get_label()
                .iter()
                .filter(|label| !label.value().is_empty())
                .map(|label| format!("{}={}", label.name(), label.value()))
                .collect();
            // Two of the three are always zero.
            let value = metric.get_counter().get_value()
                + metric.get_gauge().get_value()
                + metric.get_histogram().get_sample_count() as f64;
            (labels.join(","), value)
        })
        .collect()
}

fn one(meter: &Meter, name: &str, labels: &str) -> Option<f64> {
    let all = shown(meter, name);
    all.into_iter()
        .find(|(found, _)| found == labels)
        .map(|(_, value)| value)
}

fn dropped(meter: &Meter, reason: Dropped) -> f64 {
    let labels = format!("reason={}", reason.as_str());
    one(meter, "whimbrel_metrics_dropped_total", &labels).unwrap()
}

#[test]
fn the_catalogue_keeps_the_rules_of_the_format() {
    for name in Name::ALL {
        let family = name.family();
        assert!(family.name.starts_with("whimbrel_") && family.help.ends_with('.'));
        let is_counter = family.kind.as_str() == "counter";
        assert_eq!(
            family.name.ends_with("_total"),
            is_counter,
            "{}",
            family.name
        );
        if family.kind.as_str() == "histogram" {
            assert!(family.name.ends_with("_seconds"), "{}", family.name);
        }
    }
    let meter = Meter::default();
    assert!(Name::ALL.iter().all(|name| meter.table(*name).is_some()));
}

#[test]
fn only_what_was_said_is_shown_and_an_environment_counts_from_zero() {
    let meter = Meter::default();
    let names: Vec<_> = meter
        .gather()
        .iter()
        .map(|family| family.name().to_owned())
        .collect();
    assert_eq!(
        names,
        [
            "whimbrel_build_info",
            "whimbrel_metrics_dropped_total",
            "whimbrel_metrics_series"
        ]
    );
    meter.environment("dev");
    let runs = "whimbrel_runs_total";
    assert_eq!(
        one(&meter, runs, "environment=dev,result=failed"),
        Some(0.0)
    );
    meter.run("dev", RunResult::Failed, Duration::from_secs(1));
    meter.environment("dev");
    assert_eq!(
        one(&meter, runs, "environment=dev,result=failed"),
        Some(1.0)
    );
    assert!(shown(&meter, "whimbrel_last_success_timestamp_seconds").is_empty());
    meter.run("dev", RunResult::Succeeded, Duration::from_secs(1));
    meter.up_to_date("dev");
    assert!(
        one(
            &meter,
            "whimbrel_last_success_timestamp_seconds",
            "environment=dev"
        ) > Some(1.7e9)
    );
    meter.error("dev", ErrorClass::Fenced);
    assert_eq!(
        one(&meter, "whimbrel_fence_rejections_total", "environment=dev"),
        Some(1.0)
    );

    let lines: f64 = meter
        .gather()
        .iter()
        .flat_map(|family| family.get_metric().to_vec())
        .map(|metric| match metric.get_histogram().get_bucket().len() {
            0 => 1.0,
            buckets => buckets as f64 + 3.0,
        })
        .sum();
    assert_eq!(one(&meter, "whimbrel_metrics_series", ""), Some(lines));
}

#[test]
fn beyond_the_budget_databases_share_a_series() {
    let meter = Meter::with_budget(3);
    for database in 0..10 {
        meter.rows("dev", &format!("db{database}"), 5);
    }
    let rows = shown(&meter, "whimbrel_rows_total");
    assert_eq!(rows.len(), 4);
    let other = format!("database={OTHER},environment={OTHER}");
    assert_eq!(one(&meter, "whimbrel_rows_total", &other), Some(35.0));
    assert_eq!(dropped(&meter, Dropped::SeriesBudget), 7.0);
}

#[test]
fn a_gauge_goes_with_its_object_and_gives_its_room_back() {
    let meter = Meter::with_budget(1);
    let name = "whimbrel_migrations";
    let pending = |database: &str| meter.gauge(Name::Migrations, &["dev", database, "pending"]);
    let (first, second, third) = (pending("a"), pending("b"), pending("c"));
    first.set(3.0);
    second.set(4.0);
    third.set(5.0);
    third.add(-1.0);
    let other = format!("database={OTHER},environment={OTHER},state=pending");
    assert_eq!(
        one(&meter, name, "database=a,environment=dev,state=pending"),
        Some(3.0)
    );
    assert_eq!(one(&meter, name, &other), Some(8.0), "the others' sum");
    drop(second);
    assert_eq!(one(&meter, name, &other), Some(4.0));
    drop(first);
    assert_eq!(
        one(&meter, name, "database=a,environment=dev,state=pending"),
        None
    );
    let fourth = pending("d");
    fourth.set(1.0);
    assert_eq!(
        one(&meter, name, "database=d,environment=dev,state=pending"),
        Some(1.0)
    );
}

#[test]
fn two_holders_of_one_series_add_up() {
    let meter = Meter::default();
    let pending = || meter.gauge(Name::Migrations, &["dev", "a", "pending"]);
    let (one_run, another) = (pending(), pending());
    one_run.set(3.0);
    another.set(2.0);
    let shown = || {
        one(
            &meter,
            "whimbrel_migrations",
            "database=a,environment=dev,state=pending",
        )
    };
    assert_eq!(shown(), Some(5.0));
    drop(one_run);
    assert_eq!(shown(), Some(2.0));
    assert_eq!(another.value(), 2.0);
    drop(another);
    assert_eq!(shown(), None);
}

#[test]
fn gauges_without_a_meaningful_sum_are_not_shown_beyond_the_budget() {
    let meter = Meter::default();
    let held: Vec<_> = (0..MIGRATION_SERIES + 5)
        .map(|number| {
            let gauge = meter.gauge(
                Name::MigrationProgress,
                &["dev", "a", &format!("m{number}")],
            );
            gauge.set(0.5);
            gauge
        })
        .collect();
    let name = "whimbrel_migration_progress_ratio";
    assert_eq!(shown(&meter, name).len(), MIGRATION_SERIES);
    assert_eq!(dropped(&meter, Dropped::SeriesBudget), 5.0);
    drop(held);
    assert!(shown(&meter, name).is_empty());
}

#[test]
fn what_is_forgotten_leaves_room() {
    let meter = Meter::with_budget(40);
    meter.environment("dev");
    meter.rows("dev", "a", 1);
    let held = meter.gauge(Name::DriftObjects, &["dev", "a"]);
    held.set(1.0);
    let origin = Origin {
        environment: "dev",
        ..Origin::default()
    };
    let custom = Custom {
        name: "x".to_owned(),
        labels: Vec::new(),
        change: Change::Set(1.0),
    };
    meter.custom(&origin, &Measurement::Custom(custom));
    meter.forget_environment("dev");
    for family in meter.gather() {
        for metric in family.get_metric() {
            let mut labels = metric.get_label().iter();
            assert!(labels.all(|label| label.value() != "dev"), "{family:?}");
        }
    }
    drop(held);
    for number in 0..40 {
        meter.rows("prod", &format!("db{number}"), 1);
    }
    assert_eq!(dropped(&meter, Dropped::SeriesBudget), 0.0);
    meter.fetch("shop", super::FetchResult::Changed);
    assert_eq!(dropped(&meter, Dropped::SeriesBudget), 1.0);
    meter.forget_source("shop");
}

#[test]
fn series_that_name_an_object_of_a_cluster_say_its_namespace() {
    let meter = Meter::default();
    meter.environment("dev");
    meter.fetch("shop", super::FetchResult::Changed);
    let origin = Origin {
        environment: "dev",
        ..Origin::default()
    };
    let custom = |labels: Vec<(String, String)>| {
        Measurement::Custom(Custom {
            name: "x".to_owned(),
            labels,
            change: Change::Set(1.0),
        })
    };
    meter.custom(&origin, &custom(Vec::new()));
    assert_eq!(meter.namespace(), None);
    meter.of_namespace("team-a");
    meter.of_namespace("team-b");
    for family in meter.gather() {
        for metric in family.get_metric() {
            let labels = metric.get_label();
            let value = |name: &str| {
                let found = labels.iter().find(|label| label.name() == name);
                found.map(|label| label.value().to_owned())
            };
            let of = value("environment").or_else(|| value("source"));
            let expected = of.map(|_| "team-a".to_owned());
            assert_eq!(value("environment_namespace"), expected, "{family:?}");
            assert!(labels.is_sorted_by_key(|label| label.name().to_owned()));
        }
    }
    // It is no label of a plugin's.
    let labels = vec![("environment_namespace".to_owned(), "other".to_owned())];
    meter.custom(&origin, &custom(labels));
    assert_eq!(dropped(&meter, Dropped::Labels), 1.0);
    // What is gone is gone under its own labels.
    meter.forget_environment("dev");
    assert!(shown(&meter, "whimbrel_runs_total").is_empty());
}

#[test]
fn what_a_database_had_leaves_room() {
    let meter = Meter::with_budget(4);
    let custom = Measurement::Custom(Custom {
        name: "x".to_owned(),
        labels: Vec::new(),
        change: Change::Add(1.0),
    });
    let say = |environment: &str, database: &str| {
        meter.rows(environment, database, 1);
        let origin = Origin {
            environment,
            database,
            plugin: "p",
        };
        meter.custom(&origin, &custom);
    };
    // More than there is room for at once, of the plugin as well.
    for number in 0..2 * CUSTOM_SERIES {
        let database = number.to_string();
        say("dev", &database);
        say("prod", "0");
        meter.keep_databases("dev", &BTreeSet::from([database.clone()]));
        for name in ["whimbrel_rows_total", "whimbrel_custom_x_total"] {
            let shown: Vec<_> = shown(&meter, name).into_iter().map(|of| of.0).collect();
            let dev = shown.iter().filter(|of| of.contains("environment=dev"));
            assert_eq!(dev.count(), 1, "{shown:?}");
            assert!(shown.iter().any(|of| of.contains("environment=prod")));
        }
    }
    assert_eq!(dropped(&meter, Dropped::SeriesBudget), 0.0);
    assert_eq!(dropped(&meter, Dropped::PluginBudget), 0.0);
    // The room of the one that is gone is had by another one.
    meter.keep_databases("dev", &BTreeSet::new());
    assert_eq!(shown(&meter, "whimbrel_rows_total").len(), 1);
}

#[test]
fn many_threads_count_exactly() {
    let meter = Meter::default();
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let meter = meter.clone();
            scope.spawn(move || {
                for number in 0..1_000 {
                    meter.rows("dev", &format!("db{}", number % 7), 1);
                    let gauge = meter.gauge(Name::DriftObjects, &["dev", &thread.to_string()]);
                    gauge.set(1.0);
                    if number % 100 == 0 {
                        assert!(!meter.gather().is_empty());
                    }
                }
            });
        }
    });
    let rows: f64 = shown(&meter, "whimbrel_rows_total")
        .iter()
        .map(|(_, rows)| rows)
        .sum();
    assert_eq!(rows, 8_000.0);
    assert!(shown(&meter, "whimbrel_drift_objects").is_empty());
}
