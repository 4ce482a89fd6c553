//! What a run says, as metrics.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use whimbrel_core::name::TargetName;
use whimbrel_signal::metric::{Change, Custom, Gauge, Measurement, Name, Origin};
use whimbrel_signal::{Progress, Signal, Sink};

use super::Metrics;
use super::standing::Standings;

/// Listens to the runs of one environment.
pub(super) struct Listener {
    metrics: Metrics,
    environment: String,
    targets: Mutex<BTreeMap<TargetName, Arc<Target>>>,
}

/// What a target's signals need again and again.
struct Target {
    label: String,
    /// They go with the database, whoever listens.
    standings: Weak<Standings>,
    progress: Mutex<Option<Gauge>>,
}

impl Listener {
    pub(super) fn new(metrics: Metrics, environment: &str) -> Self {
        Self {
            metrics,
            environment: environment.to_owned(),
            targets: Mutex::default(),
        }
    }

    fn target(&self, name: &TargetName) -> Arc<Target> {
        let mut targets = self.targets.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(target) = targets.get(name) {
            return Arc::clone(target);
        }
        let target = Arc::new(Target {
            label: name.to_string(),
            standings: self
                .metrics
                .standing_of(&self.environment, name)
                .map_or_else(Weak::new, |standings| Arc::downgrade(&standings)),
            progress: Mutex::default(),
        });
        targets.insert(name.clone(), Arc::clone(&target));
        target
    }
}

impl Target {
    fn standings(&self, tell: impl FnOnce(&Standings)) {
        if let Some(standings) = self.standings.upgrade() {
            tell(&standings);
        }
    }

    fn progress(&self) -> std::sync::MutexGuard<'_, Option<Gauge>> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sink for Listener {
    fn emit(&self, signal: &Signal) {
        let (meter, environment) = (self.metrics.meter(), self.environment.as_str());
        match signal {
            Signal::TargetStarted { target, .. } => {
                meter.rows(environment, &self.target(target).label, 0);
            }
            Signal::LockTaken {
                waited_milliseconds,
                ..
            } => meter.lock(environment, Duration::from_millis(*waited_milliseconds)),
            Signal::MigrationStarted {
                target,
                migration,
                direction,
                ..
            } => self
                .target(target)
                .standings(|standings| standings.started(migration, *direction)),
            Signal::StepProgress {
                target,
                migration,
                progress,
                rows,
                ..
            } => {
                let target = self.target(target);
                meter.rows(environment, &target.label, *rows);
                if let Some(ratio) = ratio(*progress) {
                    let labels = [environment, &target.label, migration.as_str()];
                    target
                        .progress()
                        .get_or_insert_with(|| meter.gauge(Name::MigrationProgress, &labels))
                        .set(ratio);
                }
            }
            Signal::StepFinished {
                target,
                kind,
                dialect,
                took,
                rest,
                ..
            } => {
                meter.step(*kind, *dialect, *took);
                if *rest > 0 {
                    meter.rows(environment, &self.target(target).label, *rest);
                }
            }
            Signal::Retrying { .. } => meter.retry(environment),
            Signal::MigrationFinished {
                target,
                migration,
                direction,
                ..
            } => {
                let target = self.target(target);
                target.progress().take();
                target.standings(|standings| standings.finished(migration, *direction));
            }
            Signal::MigrationFailed {
                target,
                migration,
                direction,
                ..
            } => {
                let target = self.target(target);
                target.progress().take();
                target.standings(|standings| standings.failed(migration, *direction));
            }
            Signal::Metric {
                target,
                name,
                r#type,
                value,
                ..
            } => {
                let change = match r#type.as_str() {
                    "counter" => Change::Total(*value),
                    _ => Change::Set(*value),
                };
                let custom = Custom {
                    name: name.clone(),
                    labels: Vec::new(),
                    change,
                };
                let origin = Origin {
                    environment,
                    database: &self.target(target).label,
                    plugin: "",
                };
                meter.custom(&origin, &Measurement::Custom(custom));
            }
            Signal::TargetFinished { target, class, .. } => {
                self.target(target).progress().take();
                if let Some(class) = class {
                    meter.error(environment, *class);
                }
            }
            Signal::RunFinished {
                result,
                milliseconds,
                ..
            } => {
                self.metrics.0.has_run.store(true, Ordering::Relaxed);
                meter.run(environment, *result, Duration::from_millis(*milliseconds));
            }
            Signal::RunStarted { .. }
            | Signal::LockWaiting { .. }
            | Signal::StepStarted { .. }
            | Signal::PluginLog { .. } => {}
        }
    }

    fn measure(&self, target: &TargetName, plugin: &str, measurement: &Measurement) {
        let origin = Origin {
            environment: &self.environment,
            database: &self.target(target).label,
            plugin,
        };
        self.metrics.meter().custom(&origin, measurement);
    }
}

/// How far it is, where it is known how far it goes.
#[allow(clippy::cast_precision_loss)] // a ratio
fn ratio(progress: Progress) -> Option<f64> {
    let total = progress.total.filter(|total| *total > 0)?;
    Some((progress.done as f64 / total as f64).min(1.0))
}
