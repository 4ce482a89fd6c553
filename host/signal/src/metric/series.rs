//! One metric's series, each found by the values of its labels.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use prometheus::core::Collector;
use prometheus::{CounterVec, GaugeVec, HistogramOpts, HistogramVec, Opts};

/// What stands for the names for which there is no room.
pub const OTHER: &str = "__other__";

/// One series, or those of one histogram.
#[derive(Clone)]
pub(super) enum Child {
    Counter(prometheus::Counter),
    Gauge(prometheus::Gauge),
    Histogram(prometheus::Histogram),
}

/// One and all who hold it.
struct Entry {
    child: Child,
    holders: usize,
}

/// The store behind a metric.
#[derive(Clone)]
enum Store {
    Counter(CounterVec),
    Gauge(GaugeVec),
    Histogram(HistogramVec),
}

/// What a store holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sort {
    Counter,
    Gauge,
    Histogram,
}

/// The series of one metric.
pub(super) struct Table {
    store: Store,
    entries: RwLock<HashMap<String, Entry>>,
}

/// Divides the values in a key; a control character, which no value has.
const DIVIDER: char = '\u{1f}';

/// The series' key.
pub(super) fn key(values: &[&str]) -> String {
    let mut key = String::with_capacity(values.iter().map(|value| value.len() + 1).sum());
    for value in values {
        key.push_str(value);
        key.push(DIVIDER);
    }
    key
}

/// The values of a key.
fn divide(key: &str) -> Vec<&str> {
    let key = key.strip_suffix(DIVIDER).unwrap_or(key);
    key.split(DIVIDER).collect()
}

impl Table {
    /// An empty one; none if the names break the format's rules.
    pub(super) fn new(
        name: &str,
        help: &str,
        labels: &[&str],
        sort: Sort,
        bounds: &[f64],
    ) -> Option<Self> {
        let store = match sort {
            Sort::Counter => Store::Counter(CounterVec::new(Opts::new(name, help), labels).ok()?),
            Sort::Gauge => Store::Gauge(GaugeVec::new(Opts::new(name, help), labels).ok()?),
            Sort::Histogram => {
                let opts = HistogramOpts::new(name, help).buckets(bounds.to_vec());
                Store::Histogram(HistogramVec::new(opts, labels).ok()?)
            }
        };
        Some(Self {
            store,
            entries: RwLock::default(),
        })
    }

    pub(super) const fn sort(&self) -> Sort {
        match self.store {
            Store::Counter(_) => Sort::Counter,
            Store::Gauge(_) => Sort::Gauge,
            Store::Histogram(_) => Sort::Histogram,
        }
    }

    pub(super) fn collector(&self) -> Box<dyn Collector> {
        match self.store.clone() {
            Store::Counter(store) => Box::new(store),
            Store::Gauge(store) => Box::new(store),
            Store::Histogram(store) => Box::new(store),
        }
    }

    /// The series, if it is there.
    pub(super) fn find(&self, values: &[&str]) -> Option<Child> {
        self.read()
            .get(&key(values))
            .map(|entry| entry.child.clone())
    }

    /// The series, made if `room` is there for it.
    pub(super) fn make(
        &self,
        values: &[&str],
        holders: usize,
        room: impl FnOnce() -> bool,
    ) -> Option<Child> {
        let mut entries = self.write();
        if let Some(entry) = entries.get_mut(&key(values)) {
            entry.holders += holders;
            return Some(entry.child.clone());
        }
        if !room() {
            return None;
        }
        let child = match &self.store {
            Store::Counter(store) => {
                Child::Counter(store.get_metric_with_label_values(values).ok()?)
            }
            Store::Gauge(store) => Child::Gauge(store.get_metric_with_label_values(values).ok()?),
            Store::Histogram(store) => {
                Child::Histogram(store.get_metric_with_label_values(values).ok()?)
            }
        };
        let entry = Entry {
            child: child.clone(),
            holders,
        };
        entries.insert(key(values), entry);
        Some(child)
    }

    /// Gives one holder's part back; whether the series went with it.
    pub(super) fn release(&self, values: &[&str]) -> bool {
        let mut entries = self.write();
        let key = key(values);
        let Some(entry) = entries.get_mut(&key) else {
            return false;
        };
        entry.holders = entry.holders.saturating_sub(1);
        if entry.holders > 0 {
            return false;
        }
        entries.remove(&key);
        self.remove(values);
        true
    }

    /// Takes every series away of which this is so, by the values of its labels; how many those were for each value of
    /// the label of one place.
    pub(super) fn forget(
        &self,
        is_gone: impl Fn(&[&str]) -> bool,
        by: usize,
    ) -> HashMap<String, usize> {
        let mut counts = HashMap::new();
        let gone: Vec<String> = (self.read().keys())
            .filter(|key| is_gone(&divide(key)))
            .cloned()
            .collect();
        // Mostly nothing: nobody who measures waits for that.
        if gone.is_empty() {
            return counts;
        }
        let mut entries = self.write();
        for key in &gone {
            if entries.remove(key).is_none() {
                continue;
            }
            let values = divide(key);
            self.remove(&values);
            let by = values.get(by).copied().unwrap_or_default();
            *counts.entry(by.to_owned()).or_default() += 1;
        }
        counts
    }

    fn remove(&self, values: &[&str]) {
        // It is there: both are changed under this lock only.
        let _ = match &self.store {
            Store::Counter(store) => store.remove_label_values(values),
            Store::Gauge(store) => store.remove_label_values(values),
            Store::Histogram(store) => store.remove_label_values(values),
        };
    }

    pub(super) fn len(&self) -> usize {
        self.read().len()
    }

    fn read(&self) -> RwLockReadGuard<'_, HashMap<String, Entry>> {
        self.entries.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, HashMap<String, Entry>> {
        self.entries.write().unwrap_or_else(PoisonError::into_inner)
    }
}
