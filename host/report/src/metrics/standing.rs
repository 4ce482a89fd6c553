//! Where the migrations of one database stand: as surveyed, and as moved since by what a run says.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use whimbrel_core::history::{Direction, History, MigrationState};
use whimbrel_core::name::{MigrationName, TargetName};
use whimbrel_core::plan::TargetPlan;
use whimbrel_signal::metric::{Gauge, Meter, Name, Standing};

/// The gauges of one database; they go with it.
pub(super) struct Standings {
    meter: Meter,
    environment: String,
    database: String,
    states: BTreeMap<Standing, Gauge>,
    moving: Mutex<Moving>,
}

#[derive(Default)]
struct Moving {
    /// Where migrations stand that aren't simply applied.
    odd: BTreeMap<MigrationName, Standing>,
    /// Those of them that failed, each with its series.
    failed: BTreeMap<MigrationName, Gauge>,
}

impl Standings {
    pub(super) fn new(meter: &Meter, environment: &str, target: &TargetName) -> Self {
        let database = target.to_string();
        let states = Standing::ALL.iter().map(|state| {
            let gauge = meter.gauge(Name::Migrations, &[environment, &database, state.as_str()]);
            (*state, gauge)
        });
        Self {
            meter: meter.clone(),
            environment: environment.to_owned(),
            states: states.collect(),
            database,
            moving: Mutex::default(),
        }
    }

    /// Counts anew.
    pub(super) fn surveyed(&self, history: &History, plan: Option<&TargetPlan>) {
        let mut counts: BTreeMap<Standing, f64> =
            Standing::ALL.iter().map(|state| (*state, 0.0)).collect();
        let mut odd = BTreeMap::new();
        for record in &history.records {
            let standing = Standing::from(record.state);
            *counts.entry(standing).or_default() += 1.0;
            if record.state != MigrationState::Applied {
                odd.insert(record.name.clone(), standing);
            }
        }
        let recorded: BTreeSet<_> = history.records.iter().map(|record| &record.name).collect();
        let pending = plan
            .into_iter()
            .flat_map(TargetPlan::applies)
            .filter(|change| !recorded.contains(&change.migration));
        for change in pending {
            *counts.entry(Standing::Pending).or_default() += 1.0;
            odd.insert(change.migration.clone(), Standing::Pending);
        }
        let mut moving = self.lock();
        for (state, count) in counts {
            if let Some(gauge) = self.states.get(&state) {
                gauge.set(count);
            }
        }
        let failed = odd.iter().filter(|(_, state)| **state == Standing::Failed);
        let failed: BTreeSet<_> = failed.map(|(name, _)| name.clone()).collect();
        moving.failed.retain(|name, _| failed.contains(name));
        for name in failed {
            self.mark(&mut moving, &name);
        }
        moving.odd = odd;
    }

    /// A migration began.
    pub(super) fn started(&self, migration: &MigrationName, direction: Direction) {
        self.go(
            migration,
            Some(match direction {
                Direction::Apply => Standing::Applying,
                Direction::Revert => Standing::Reverting,
            }),
        );
    }

    /// It is done.
    pub(super) fn finished(&self, migration: &MigrationName, direction: Direction) {
        self.go(
            migration,
            match direction {
                Direction::Apply => Some(Standing::Applied),
                // Its record is gone.
                Direction::Revert => None,
            },
        );
    }

    /// It stopped.
    pub(super) fn failed(&self, migration: &MigrationName, direction: Direction) {
        if direction == Direction::Apply {
            self.go(migration, Some(Standing::Failed));
        }
        let mut moving = self.lock();
        self.mark(&mut moving, migration);
    }

    fn go(&self, migration: &MigrationName, to: Option<Standing>) {
        let mut moving = self.lock();
        let before = moving.odd.remove(migration).unwrap_or(Standing::Applied);
        if before == Standing::Applied && to == Some(Standing::Applying) {
            // It wasn't surveyed as pending: a plan that was made again holds more. It comes from nowhere.
        } else if let Some(gauge) = self.states.get(&before) {
            gauge.add(-1.0);
        }
        moving.failed.remove(migration);
        let Some(to) = to else { return };
        if let Some(gauge) = self.states.get(&to) {
            gauge.add(1.0);
        }
        if to != Standing::Applied {
            moving.odd.insert(migration.clone(), to);
        }
    }

    fn mark(&self, moving: &mut Moving, migration: &MigrationName) {
        let labels = [
            self.environment.as_str(),
            &self.database,
            migration.as_str(),
        ];
        moving.failed.entry(migration.clone()).or_insert_with(|| {
            let gauge = self.meter.gauge(Name::MigrationFailed, &labels);
            gauge.set(1.0);
            gauge
        });
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Moving> {
        self.moving.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
