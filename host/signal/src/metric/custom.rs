//! Business metrics: what plugins and the queries of migrations say, under names that they choose and rules that the host
//! keeps.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use prometheus::Registry;

use super::cluster::NAMESPACE;
use super::meter::tidy;
use super::room::Room;
use super::series::{Child, OTHER, Sort, Table};
use super::word::Dropped;
use crate::limits::{
    ALL_CUSTOM_SERIES, CUSTOM_METRICS, CUSTOM_SERIES, LABEL_VALUE, LABELS, METRIC_NAME,
};

/// The prefix of all of them.
const PREFIX: &str = "whimbrel_custom_";

/// The labels that the host gives.
const GIVEN: [&str; 3] = ["environment", "database", "plugin"];

/// Bounds for values of any kind.
const BOUNDS: [f64; 10] = [
    0.001,
    0.01,
    0.1,
    1.0,
    10.0,
    100.0,
    1_000.0,
    10_000.0,
    100_000.0,
    1_000_000.0,
];

/// What is done to a business metric.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Change {
    /// Adds to a counter.
    Add(f64),
    /// Says what a counter that somebody else keeps has come to.
    Total(f64),
    /// Sets a gauge.
    Set(f64),
    /// Records a value in a histogram.
    Observe(f64),
}

impl Change {
    const fn sort(self) -> Sort {
        match self {
            Self::Add(_) | Self::Total(_) => Sort::Counter,
            Self::Set(_) => Sort::Gauge,
            Self::Observe(_) => Sort::Histogram,
        }
    }

    const fn value(self) -> f64 {
        match self {
            Self::Add(value) | Self::Total(value) | Self::Set(value) | Self::Observe(value) => {
                value
            }
        }
    }

    /// How many series one set of label values makes.
    const fn lines(self) -> usize {
        match self {
            Self::Observe(_) => BOUNDS.len() + 3,
            _ => 1,
        }
    }
}

/// One value of a business metric.
#[derive(Clone, Debug, PartialEq)]
pub struct Custom {
    /// Without the prefix.
    pub name: String,
    /// Names and values.
    pub labels: Vec<(String, String)>,
    /// What is done to it.
    pub change: Change,
}

/// What a plugin measured.
#[derive(Clone, Debug, PartialEq)]
pub enum Measurement {
    /// A value that keeps the rules.
    Custom(Custom),
    /// One that doesn't, which is only counted.
    Dropped(Dropped),
}

/// Who says a business metric, and where. Empty where there is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Origin<'a> {
    /// The environment that is worked on.
    pub environment: &'a str,
    /// The database that is worked on.
    pub database: &'a str,
    /// The plugin; none for the query of a migration.
    pub plugin: &'a str,
}

/// Whether a name and labels keep the rules: lower case letters, digits and `_`, a letter first; no label of the host's.
///
/// # Errors
/// They don't: the reason under which it is counted.
pub fn check_custom(name: &str, labels: &[(String, String)]) -> Result<(), Dropped> {
    if !is_name(name) {
        return Err(Dropped::Name);
    }
    let is_taken =
        |label: &str| GIVEN.contains(&label) || [NAMESPACE, "le", "quantile"].contains(&label);
    let twice = |place: usize, label: &str| labels.iter().take(place).any(|(l, _)| l == label);
    let mut each = labels.iter().enumerate();
    if labels.len() > LABELS
        || each.any(|(place, (label, value))| {
            let is_long = value.len() > LABEL_VALUE;
            is_long || !is_name(label) || is_taken(label) || twice(place, label)
        })
    {
        return Err(Dropped::Labels);
    }
    Ok(())
}

fn is_name(text: &str) -> bool {
    (1..=METRIC_NAME).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
        // These endings belong to the parts of a histogram.
        && !["_bucket", "_sum", "_count", "_created", "_info"]
            .iter()
            .any(|end| text.ends_with(end))
}

/// All business metrics.
#[derive(Default)]
pub(super) struct Customs(Mutex<Known>);

struct Known {
    metrics: HashMap<String, Arc<Metric>>,
    room: Room,
    plugins: HashMap<String, Arc<Room>>,
}

impl Default for Known {
    fn default() -> Self {
        Self {
            metrics: HashMap::new(),
            room: Room::new(ALL_CUSTOM_SERIES),
            plugins: HashMap::new(),
        }
    }
}

/// One of them: its kind and its labels are those of its first use.
struct Metric {
    table: Table,
    /// The metric's own labels, in order.
    labels: Vec<String>,
    lines: usize,
}

impl Customs {
    /// Takes a value in.
    pub(super) fn say(
        &self,
        registry: &Registry,
        origin: &Origin<'_>,
        custom: &Custom,
    ) -> Result<(), Dropped> {
        check_custom(&custom.name, &custom.labels)?;
        let value = custom.change.value();
        let grows = matches!(custom.change, Change::Add(_) | Change::Total(_));
        if !value.is_finite() || (grows && value < 0.0) {
            return Err(Dropped::Value);
        }
        let mut labels: Vec<(&str, &str)> = custom
            .labels
            .iter()
            .map(|(label, value)| (label.as_str(), value.as_str()))
            .collect();
        labels.sort_unstable();
        let mut known = self.lock();
        let metric = known.metric(registry, custom, &labels)?;
        let given = [origin.environment, origin.database, origin.plugin];
        let values: Vec<_> = given
            .into_iter()
            .chain(labels.iter().map(|(_, value)| *value))
            .map(tidy)
            .collect();
        let values: Vec<&str> = values.iter().map(AsRef::as_ref).collect();
        let plugin = known.plugin(origin.plugin);
        let room = || {
            if !plugin.take(metric.lines) {
                return false;
            }
            let is_there = known.room.take(metric.lines);
            if !is_there {
                plugin.give_back(metric.lines);
            }
            is_there
        };
        if let Some(child) = metric.table.make(&values, 0, room) {
            change(&child, custom.change);
            return Ok(());
        }
        // A sum of gauges that somebody else chose may mean nothing; of totals that others count, it is none.
        if matches!(custom.change, Change::Add(_) | Change::Observe(_)) {
            let others: Vec<&str> = (0..values.len())
                .map(|place| match place {
                    2 => origin.plugin,
                    _ => OTHER,
                })
                .collect();
            let others: Vec<_> = others.into_iter().map(tidy).collect();
            let others: Vec<&str> = others.iter().map(AsRef::as_ref).collect();
            if let Some(child) = metric.table.make(&others, 0, || true) {
                change(&child, custom.change);
            }
        }
        Err(Dropped::PluginBudget)
    }

    /// Takes every series of an environment's databases away of which this is so: of all but those that are kept.
    pub(super) fn forget(&self, is_gone: impl Fn(&str, &str) -> bool) {
        let known = self.lock();
        for metric in known.metrics.values() {
            let is_gone = |values: &[&str]| match values {
                [environment, database, ..] => is_gone(environment, database),
                _ => false,
            };
            for (plugin, count) in metric.table.forget(is_gone, 2) {
                if let Some(room) = known.plugins.get(&plugin) {
                    room.give_back(count * metric.lines);
                }
                known.room.give_back(count * metric.lines);
            }
        }
    }

    /// How many series there are.
    pub(super) fn len(&self) -> usize {
        let known = self.lock();
        let metrics = known.metrics.values();
        metrics
            .map(|metric| metric.table.len() * metric.lines)
            .sum()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn metric(
        &mut self,
        registry: &Registry,
        custom: &Custom,
        labels: &[(&str, &str)],
    ) -> Result<Arc<Metric>, Dropped> {
        let sort = custom.change.sort();
        let name = exposed(&custom.name, sort);
        if let Some(metric) = self.metrics.get(&name) {
            if metric.table.sort() != sort {
                return Err(Dropped::Kind);
            }
            let own = labels.iter().map(|(label, _)| *label);
            if !own.eq(metric.labels.iter().map(String::as_str)) {
                return Err(Dropped::Labels);
            }
            return Ok(Arc::clone(metric));
        }
        if self.metrics.len() >= CUSTOM_METRICS {
            return Err(Dropped::PluginBudget);
        }
        let own = labels.iter().map(|(label, _)| *label);
        let all: Vec<&str> = GIVEN.into_iter().chain(own.clone()).collect();
        let table = Table::new(&name, "A business metric.", &all, sort, &BOUNDS);
        let table = table.ok_or(Dropped::Name)?;
        registry
            .register(table.collector())
            .map_err(|_| Dropped::Name)?;
        let metric = Arc::new(Metric {
            table,
            labels: own.map(str::to_owned).collect(),
            lines: custom.change.lines(),
        });
        self.metrics.insert(name, Arc::clone(&metric));
        Ok(metric)
    }

    fn plugin(&mut self, name: &str) -> Arc<Room> {
        let room = self
            .plugins
            .entry(name.to_owned())
            .or_insert_with(|| Arc::new(Room::new(CUSTOM_SERIES)));
        Arc::clone(room)
    }
}

/// A counter's name ends as the format wants it.
fn exposed(name: &str, sort: Sort) -> String {
    let end = if sort == Sort::Counter && !name.ends_with("_total") {
        "_total"
    } else {
        ""
    };
    format!("{PREFIX}{name}{end}")
}

fn change(child: &Child, change: Change) {
    match (child, change) {
        (Child::Counter(counter), Change::Add(amount)) => counter.inc_by(amount),
        (Child::Counter(counter), Change::Total(total)) => {
            counter.reset();
            counter.inc_by(total);
        }
        (Child::Gauge(gauge), Change::Set(value)) => gauge.set(value),
        (Child::Histogram(histogram), Change::Observe(value)) => histogram.observe(value),
        // A table holds one kind.
        _ => {}
    }
}
