//! The metrics of a process: what is said on the bus and what was surveyed, as Prometheus reads it.

mod exposition;
mod listener;
mod standing;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use whimbrel_core::history::History;
use whimbrel_core::name::TargetName;
use whimbrel_core::plan::Plan;
use whimbrel_signal::Sink;
use whimbrel_signal::metric::{Gauge, Meter, Name};

use listener::Listener;
use standing::Standings;

pub use exposition::{OPENMETRICS, TEXT};

/// Everything that is measured in one process. Clones share it.
#[derive(Clone, Default)]
pub struct Metrics(Arc<Inner>);

#[derive(Default)]
struct Inner {
    meter: Meter,
    standings: Mutex<BTreeMap<(String, TargetName), Arc<Standings>>>,
    drift: Mutex<BTreeMap<(String, TargetName), Gauge>>,
    shown: Mutex<Option<Shown>>,
    has_run: AtomicBool,
}

/// An exposition, and since when what it says was there.
struct Shown {
    begun: Instant,
    text: Arc<str>,
}

impl Metrics {
    /// Metrics of which nothing is measured yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Where the other parts of the program say what they measure.
    #[must_use]
    pub fn meter(&self) -> &Meter {
        &self.0.meter
    }

    /// Who listens to the runs of an environment. It counts from zero what never happened.
    #[must_use]
    pub fn sink(&self, environment: &str) -> Box<dyn Sink> {
        self.0.meter.environment(environment);
        Box::new(Listener::new(self.clone(), environment))
    }

    /// Takes everything away that an environment had beyond these databases: they are all that it has.
    pub fn keep_databases<'t>(
        &self,
        environment: &str,
        databases: impl IntoIterator<Item = &'t TargetName>,
    ) {
        let databases: BTreeSet<&TargetName> = databases.into_iter().collect();
        self.standings()
            .retain(|(of, target), _| of != environment || databases.contains(target));
        self.drift()
            .retain(|(of, target), _| of != environment || databases.contains(target));
        let databases = databases.iter().map(ToString::to_string).collect();
        self.0.meter.keep_databases(environment, &databases);
    }

    /// Takes in where the migrations of these databases of an environment stand, by what they record and what is planned
    /// for them.
    pub fn surveyed(
        &self,
        environment: &str,
        histories: &BTreeMap<TargetName, History>,
        plan: &Plan,
    ) {
        // Also where nothing is to be done, so that the first run that fails shows as a change.
        self.0.meter.environment(environment);
        for (target, history) in histories {
            let planned = plan.targets.iter().find(|one| one.target == *target);
            let standings = Arc::clone(
                self.standings()
                    .entry((environment.to_owned(), target.clone()))
                    .or_insert_with(|| {
                        Arc::new(Standings::new(&self.0.meter, environment, target))
                    }),
            );
            standings.surveyed(history, planned);
        }
    }

    /// Takes in how many migrations of a database differ from what was applied.
    pub fn drifted(&self, environment: &str, target: &TargetName, objects: usize) {
        self.0.meter.environment(environment);
        let mut drift = self.drift();
        let gauge = drift
            .entry((environment.to_owned(), target.clone()))
            .or_insert_with(|| {
                let values = [environment, &target.to_string()];
                self.0.meter.gauge(Name::DriftObjects, &values)
            });
        gauge.set(u32::try_from(objects).map_or(f64::MAX, f64::from));
    }

    /// Takes everything of an environment away that is no more.
    pub fn forget_environment(&self, environment: &str) {
        self.standings()
            .retain(|(known, _), _| known != environment);
        self.drift().retain(|(known, _), _| known != environment);
        self.0.meter.forget_environment(environment);
    }

    /// All metrics in Prometheus' text format 0.0.4, to be sent as [`TEXT`].
    ///
    /// Many may ask at once: one rendering serves all who asked before it began.
    #[must_use]
    pub fn render(&self) -> Arc<str> {
        let asked = Instant::now();
        let mut shown = self.0.shown.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(shown) = &*shown
            && shown.begun >= asked
        {
            return Arc::clone(&shown.text);
        }
        let begun = Instant::now();
        let text: Arc<str> = exposition::text(&self.0.meter.gather()).into();
        *shown = Some(Shown {
            begun,
            text: Arc::clone(&text),
        });
        text
    }

    /// All metrics as OpenMetrics 1.0, to be sent as [`OPENMETRICS`].
    #[must_use]
    pub fn render_openmetrics(&self) -> String {
        exposition::openmetrics(&self.render())
    }

    /// Whether a run ended.
    #[must_use]
    pub fn has_run(&self) -> bool {
        self.0.has_run.load(Ordering::Relaxed)
    }

    fn standing_of(&self, environment: &str, target: &TargetName) -> Option<Arc<Standings>> {
        let key = (environment.to_owned(), target.clone());
        self.standings().get(&key).cloned()
    }

    fn drift(&self) -> MutexGuard<'_, BTreeMap<(String, TargetName), Gauge>> {
        self.0.drift.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn standings(&self) -> MutexGuard<'_, BTreeMap<(String, TargetName), Arc<Standings>>> {
        self.0
            .standings
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Metrics").finish_non_exhaustive()
    }
}
