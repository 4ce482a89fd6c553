//! What everything that measures in one process shares.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use prometheus::Registry;
use prometheus::proto::MetricFamily;

use super::cluster;
use super::custom::Customs;
use super::family::{Family, Folding, Kind, Label, Name};
use super::gauge::Gauge;
use super::room::Room;
use super::series::{Child, OTHER, Sort, Table};
use super::word::{
    Dropped, ErrorClass, FetchResult, PluginResult, Provider, RunResult, SecretOperation,
    SecretResult, StepKind, WebhookResult,
};
use super::{Measurement, Origin};
use crate::limits::{LABEL_VALUE, MIGRATION_SERIES, SERIES};
use whimbrel_core::statement::Dialect;

/// Takes measurements, and shows them when asked. Clones share everything.
#[derive(Clone)]
pub struct Meter(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub(super) registry: Registry,
    tables: Vec<Table>,
    /// The series there are, those that stand for others and those of plugins apart.
    room: Room,
    /// Those of them that name a migration.
    of_migrations: Room,
    pub(super) customs: Customs,
    /// What counts from zero already.
    begun: Mutex<HashSet<(Name, String)>>,
    /// The namespace of the cluster's objects that are measured, if they are such.
    namespace: OnceLock<String>,
}

impl Default for Meter {
    fn default() -> Self {
        Self::with_budget(SERIES)
    }
}

impl Meter {
    /// A meter with another budget of series than [`Meter::default`]'s ten thousand.
    #[must_use]
    pub fn with_budget(series: usize) -> Self {
        let registry = Registry::new();
        let mut tables = Vec::new();
        for name in Name::ALL {
            let family = name.family();
            let labels: Vec<_> = family.labels.iter().map(|label| label.name()).collect();
            let (sort, bounds): (_, &[f64]) = match family.kind {
                Kind::Counter => (Sort::Counter, &[]),
                Kind::Gauge(_) => (Sort::Gauge, &[]),
                Kind::Histogram(bounds) => (Sort::Histogram, bounds),
            };
            // The catalogue's names keep the rules; a test looks.
            if let Some(table) = Table::new(family.name, family.help, &labels, sort, bounds) {
                let _ = registry.register(table.collector());
                tables.push(table);
            }
        }
        let meter = Self(Arc::new(Inner {
            registry,
            tables,
            room: Room::new(series),
            of_migrations: Room::new(MIGRATION_SERIES),
            customs: Customs::default(),
            begun: Mutex::default(),
            namespace: OnceLock::new(),
        }));
        meter.set(Name::BuildInfo, &[env!("CARGO_PKG_VERSION")], 1.0);
        for reason in Dropped::ALL {
            meter.add(Name::DroppedTotal, &[reason.as_str()], 0.0);
        }
        meter
    }

    /// What is measured are objects of a namespace of a cluster from now on, and series that name one say which.
    pub fn of_namespace(&self, namespace: &str) {
        let _ = self.0.namespace.set(tidy(namespace).into_owned());
    }

    /// The namespace that was said.
    #[must_use]
    pub fn namespace(&self) -> Option<&str> {
        self.0.namespace.get().map(String::as_str)
    }

    /// Begins to count an environment's runs and errors from zero, so that the first of them shows as a change.
    pub fn environment(&self, environment: &str) {
        if !self.begins(Name::Runs, environment) {
            return;
        }
        for result in RunResult::ALL {
            self.add(Name::Runs, &[environment, result.as_str()], 0.0);
        }
        for class in ErrorClass::ALL {
            self.add(Name::Errors, &[environment, class.as_str()], 0.0);
        }
        for name in [Name::Retries, Name::FenceRejections] {
            self.add(name, &[environment], 0.0);
        }
    }

    /// Whether this is the first time that somebody is heard of. As few are remembered as there may be series.
    fn begins(&self, name: Name, who: &str) -> bool {
        let mut begun = self.begun();
        let key = (name, who.to_owned());
        begun.len() < SERIES && begun.insert(key)
    }

    pub(super) fn begun(&self) -> std::sync::MutexGuard<'_, HashSet<(Name, String)>> {
        self.0.begun.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A run ended.
    pub fn run(&self, environment: &str, result: RunResult, took: Duration) {
        self.add(Name::Runs, &[environment, result.as_str()], 1.0);
        self.observe(Name::RunDuration, &[environment], took.as_secs_f64());
    }

    /// Every database of an environment was brought or found to be as defined, now. Whoever ran knows whether it was
    /// about all of them.
    pub fn up_to_date(&self, environment: &str) {
        self.set(Name::LastSuccess, &[environment], now());
    }

    /// A step ended.
    pub fn step(&self, kind: StepKind, dialect: Dialect, took: Duration) {
        let dialect = dialect.to_string();
        let labels = [kind.as_str(), dialect.as_str()];
        self.observe(Name::StepDuration, &labels, took.as_secs_f64());
    }

    /// Rows were committed.
    pub fn rows(&self, environment: &str, database: &str, rows: u64) {
        self.add(Name::Rows, &[environment, database], to_float(rows));
    }

    /// The work on a database ended early.
    pub fn error(&self, environment: &str, class: ErrorClass) {
        self.add(Name::Errors, &[environment, class.as_str()], 1.0);
        if class == ErrorClass::Fenced {
            self.add(Name::FenceRejections, &[environment], 1.0);
        }
    }

    /// A transaction is tried again.
    pub fn retry(&self, environment: &str) {
        self.add(Name::Retries, &[environment], 1.0);
    }

    /// A lock was had.
    pub fn lock(&self, environment: &str, waited: Duration) {
        self.observe(Name::LockWait, &[environment], waited.as_secs_f64());
    }

    /// A repository was fetched.
    pub fn fetch(&self, source: &str, result: FetchResult) {
        self.add(Name::GitFetches, &[source, result.as_str()], 1.0);
    }

    /// Begins to count webhooks from zero, as [`Self::environment`] does: who lets them in wants to be told of the first.
    pub fn webhooks(&self) {
        for (provider, result) in
            (Provider::ALL.iter()).flat_map(|p| WebhookResult::ALL.iter().map(move |r| (p, r)))
        {
            self.add(Name::Webhooks, &[provider.as_str(), result.as_str()], 0.0);
        }
    }

    /// A webhook was delivered.
    pub fn webhook(&self, provider: Provider, result: WebhookResult) {
        self.add(Name::Webhooks, &[provider.as_str(), result.as_str()], 1.0);
    }

    /// A secret store was asked.
    pub fn secret(&self, backend: &str, operation: SecretOperation, result: SecretResult) {
        if self.begins(Name::SecretRequests, backend) {
            for result in SecretResult::ALL {
                let labels = [backend, SecretOperation::Read.as_str(), result.as_str()];
                self.add(Name::SecretRequests, &labels, 0.0);
            }
        }
        let labels = [backend, operation.as_str(), result.as_str()];
        self.add(Name::SecretRequests, &labels, 1.0);
    }

    /// A plugin was called.
    pub fn plugin(&self, plugin: &str, result: PluginResult, took: Duration) {
        if self.begins(Name::PluginCalls, plugin) {
            for result in PluginResult::ALL {
                self.add(Name::PluginCalls, &[plugin, result.as_str()], 0.0);
            }
        }
        self.add(Name::PluginCalls, &[plugin, result.as_str()], 1.0);
        self.observe(Name::PluginDuration, &[plugin], took.as_secs_f64());
    }

    /// Something that was measured is lost.
    pub fn dropped(&self, reason: Dropped, count: u64) {
        let labels = [reason.as_str()];
        self.add(Name::DroppedTotal, &labels, to_float(count));
    }

    /// Takes a business metric of a plugin or of a migration's query in.
    pub fn custom(&self, origin: &Origin<'_>, measurement: &Measurement) {
        let said = match measurement {
            Measurement::Custom(custom) => self.0.customs.say(&self.0.registry, origin, custom),
            Measurement::Dropped(reason) => Err(*reason),
        };
        if let Err(reason) = said {
            self.dropped(reason, 1);
        }
    }

    /// A gauge of an object: its series goes when the handle does.
    #[must_use]
    pub fn gauge(&self, name: Name, values: &[&str]) -> Gauge {
        Gauge::new(self, name, values)
    }

    /// Everything that is shown, in order of names.
    #[must_use]
    pub fn gather(&self) -> Vec<MetricFamily> {
        // There before it is counted.
        self.set(Name::Series, &[], 0.0);
        let own: usize = Name::ALL
            .iter()
            .filter_map(|name| Some(self.table(*name)?.len() * name.family().kind.lines()))
            .sum();
        let all = own + self.0.customs.len();
        self.set(Name::Series, &[], to_float(all as u64));
        let mut families = self.0.registry.gather();
        if let Some(namespace) = self.namespace() {
            cluster::mark(&mut families, namespace);
        }
        families
    }

    pub(super) fn table(&self, name: Name) -> Option<&Table> {
        self.0.tables.get(name as usize)
    }

    pub(super) fn give_back(&self, family: &Family, series: usize) {
        self.room(family).give_back(series * family.kind.lines());
    }

    fn room(&self, family: &Family) -> &Room {
        if family.is_of_a_migration {
            &self.0.of_migrations
        } else {
            &self.0.room
        }
    }

    /// The series of these values, or where there is no room for it, the one that stands for others.
    pub(super) fn find(&self, name: Name, values: &[&str], holders: usize) -> Option<Found> {
        let table = self.table(name)?;
        if holders == 0
            && let Some(child) = table.find(values)
        {
            return Some(Found::own(child));
        }
        let family = name.family();
        let values: Vec<Cow<'_, str>> = values.iter().map(|value| tidy(value)).collect();
        let values: Vec<&str> = values.iter().map(AsRef::as_ref).collect();
        let own = family
            .labels
            .iter()
            .all(|label| matches!(label, Label::Word(_)));
        let room = || own || self.room(&family).take(family.kind.lines());
        if let Some(child) = table.make(&values, holders, room) {
            return Some(Found::own(child));
        }
        self.dropped(Dropped::SeriesBudget, 1);
        if family.kind == Kind::Gauge(Folding::Drop) {
            return None;
        }
        let values: Vec<&str> = std::iter::zip(family.labels, &values)
            .map(|(label, value)| match label {
                Label::Word(_) => value,
                Label::Open(_) => OTHER,
            })
            .collect();
        // However many there are, they share as many series as the words allow.
        Some(Found {
            child: table.make(&values, 1, || true)?,
            is_shared: true,
        })
    }

    fn add(&self, name: Name, values: &[&str], amount: f64) {
        if let Some(Child::Counter(counter)) = self.find(name, values, 0).map(|found| found.child) {
            counter.inc_by(amount);
        }
    }

    fn set(&self, name: Name, values: &[&str], value: f64) {
        if let Some(Found {
            child: Child::Gauge(gauge),
            is_shared: false,
        }) = self.find(name, values, 0)
        {
            gauge.set(value);
        }
    }

    fn observe(&self, name: Name, values: &[&str], value: f64) {
        if let Some(Child::Histogram(histogram)) =
            self.find(name, values, 0).map(|found| found.child)
        {
            histogram.observe(value);
        }
    }
}

/// A series, and whether it stands for others too.
pub(super) struct Found {
    pub(super) child: Child,
    pub(super) is_shared: bool,
}

impl Found {
    const fn own(child: Child) -> Self {
        Self {
            child,
            is_shared: false,
        }
    }
}

/// A value of a label within its bounds, and without what divides keys.
pub(super) fn tidy(value: &str) -> Cow<'_, str> {
    if value.len() <= LABEL_VALUE && !value.contains(char::is_control) {
        return Cow::Borrowed(value);
    }
    let end = (0..=LABEL_VALUE.min(value.len()))
        .rev()
        .find(|end| value.is_char_boundary(*end))
        .unwrap_or(0);
    let kept = value.get(..end).unwrap_or_default();
    Cow::Owned(kept.replace(char::is_control, " "))
}

fn now() -> f64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0.0, |since| since.as_secs_f64())
}

/// Exact up to 2⁵³, as every number of the exposition.
#[allow(clippy::cast_precision_loss)]
fn to_float(count: u64) -> f64 {
    count as f64
}
