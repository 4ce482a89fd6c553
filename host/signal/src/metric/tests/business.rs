//! What plugins and queries may say, and how much of it.

use super::super::{Change, Custom, Dropped, Measurement, Meter, Origin, check_custom};
use super::{dropped, one, shown};
use crate::limits::{ALL_CUSTOM_SERIES, CUSTOM_METRICS, CUSTOM_SERIES};

fn custom(name: &str, labels: &[(&str, &str)], change: Change) -> Measurement {
    Measurement::Custom(Custom {
        name: name.to_owned(),
        labels: labels
            .iter()
            .map(|(label, value)| ((*label).to_owned(), (*value).to_owned()))
            .collect(),
        change,
    })
}

const FILL: Origin<'static> = Origin {
    environment: "dev",
    database: "main",
    plugin: "fill",
};

#[test]
fn business_metrics_have_rules() {
    let labels = |names: &[&str]| -> Vec<(String, String)> {
        names
            .iter()
            .map(|name| ((*name).to_owned(), String::new()))
            .collect()
    };
    assert_eq!(
        check_custom("rows_left_2", &labels(&["table", "kind"])),
        Ok(())
    );
    for name in [
        "",
        "Rows",
        "2rows",
        "a-b",
        "ü",
        "a\n",
        "x_bucket",
        "x_sum",
        &"a".repeat(65),
    ] {
        assert_eq!(check_custom(name, &[]), Err(Dropped::Name), "{name}");
    }
    let many: Vec<_> = ('a'..='i').map(|name| name.to_string()).collect();
    let many: Vec<_> = many.iter().map(String::as_str).collect();
    for names in [
        &["environment"][..],
        &["le"],
        &["__name__"],
        &["a", "a"],
        &many,
    ] {
        assert_eq!(
            check_custom("x", &labels(names)),
            Err(Dropped::Labels),
            "{names:?}"
        );
    }
}

#[test]
fn a_business_metric_has_one_kind_and_one_set_of_labels() {
    let meter = Meter::default();
    let say = |measurement: &Measurement| meter.custom(&FILL, measurement);
    say(&custom(
        "orders",
        &[("b", "1"), ("a", "2")],
        Change::Add(2.0),
    ));
    say(&custom(
        "orders",
        &[("a", "2"), ("b", "1")],
        Change::Add(3.0),
    ));
    let name = "whimbrel_custom_orders_total";
    let labels = "a=2,b=1,database=main,environment=dev,plugin=fill";
    assert_eq!(one(&meter, name, labels), Some(5.0));
    say(&custom(
        "orders_total",
        &[("a", "2"), ("b", "1")],
        Change::Total(9.0),
    ));
    assert_eq!(one(&meter, name, labels), Some(9.0));
    say(&custom("orders", &[("a", "2")], Change::Add(1.0)));
    assert_eq!(dropped(&meter, Dropped::Labels), 1.0);
    say(&custom(
        "orders_total",
        &[("a", "2"), ("b", "1")],
        Change::Set(1.0),
    ));
    assert_eq!(dropped(&meter, Dropped::Kind), 1.0);
    for value in [f64::NAN, f64::INFINITY, -1.0] {
        say(&custom(
            "orders",
            &[("a", "2"), ("b", "1")],
            Change::Add(value),
        ));
    }
    assert_eq!(dropped(&meter, Dropped::Value), 3.0);
    say(&custom("No", &[], Change::Set(1.0)));
    say(&Measurement::Dropped(Dropped::Name));
    assert_eq!(dropped(&meter, Dropped::Name), 2.0);
    say(&custom("size", &[], Change::Observe(3.0)));
    let labels = "database=main,environment=dev,plugin=fill";
    assert_eq!(one(&meter, "whimbrel_custom_size", labels), Some(1.0));
    say(&custom("left", &[], Change::Set(-3.0)));
    assert_eq!(one(&meter, "whimbrel_custom_left", labels), Some(-3.0));
}

#[test]
fn a_flood_of_labels_and_names_is_bounded() {
    let meter = Meter::default();
    let long = "é".repeat(50);
    for number in 0..3 * CUSTOM_SERIES {
        let value = format!("{number}\u{1f}{long}");
        meter.custom(&FILL, &custom("flood", &[("id", &value)], Change::Add(1.0)));
    }
    let flood = shown(&meter, "whimbrel_custom_flood_total");
    assert_eq!(flood.len(), CUSTOM_SERIES + 1);
    assert!(flood.iter().all(|(labels, _)| labels.len() < 300));
    let sum: f64 = flood.iter().map(|(_, value)| value).sum();
    assert_eq!(
        sum,
        3.0 * CUSTOM_SERIES as f64,
        "nothing is lost of a counter"
    );
    assert_eq!(
        dropped(&meter, Dropped::PluginBudget),
        2.0 * CUSTOM_SERIES as f64
    );
    let value = "é".repeat(65);
    meter.custom(&FILL, &custom("flood", &[("id", &value)], Change::Add(1.0)));
    assert_eq!(dropped(&meter, Dropped::Labels), 1.0);
    // Another plugin isn't in the way of it.
    let origin = Origin {
        plugin: "copy",
        ..FILL
    };
    meter.custom(&origin, &custom("rows", &[], Change::Set(1.0)));
    assert_eq!(shown(&meter, "whimbrel_custom_rows").len(), 1);
    for plugin in 0..20 {
        let plugin = format!("p{plugin}");
        let origin = Origin {
            plugin: &plugin,
            ..FILL
        };
        for number in 0..CUSTOM_SERIES {
            meter.custom(&origin, &custom("rows", &[], Change::Set(1.0)));
            let labels = [("id", number.to_string())];
            let labels = labels
                .each_ref()
                .map(|(name, value)| (*name, value.as_str()));
            meter.custom(&origin, &custom("flood", &labels, Change::Add(1.0)));
        }
    }
    let all = shown(&meter, "whimbrel_custom_flood_total").len();
    assert!(all <= ALL_CUSTOM_SERIES + 22, "{all}");
    for number in 0..2 * CUSTOM_METRICS {
        let name = format!("name{number}");
        meter.custom(&origin, &custom(&name, &[], Change::Set(1.0)));
    }
    assert!(meter.gather().len() <= CUSTOM_METRICS + 10);
}
