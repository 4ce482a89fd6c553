//! `dependsOn` across databases: a migration waits until what it depends on is applied to every target of its database.

use std::collections::BTreeMap;

use tokio::sync::watch;
use whimbrel_core::name::MigrationName;
use whimbrel_core::plan::Plan;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// So many targets still lack it.
    Waiting(usize),
    /// Some target won't have it.
    Missed,
}

/// Which migrations of this run are still to come.
#[derive(Debug)]
pub(crate) struct Dependencies {
    states: watch::Sender<BTreeMap<MigrationName, State>>,
}

impl Dependencies {
    /// What a plan is going to apply.
    pub(crate) fn of(plan: &Plan) -> Self {
        let mut states = BTreeMap::new();
        for target in &plan.targets {
            for change in target.applies() {
                match states
                    .entry(change.migration.clone())
                    .or_insert(State::Waiting(0))
                {
                    State::Waiting(count) => *count += 1,
                    State::Missed => {}
                }
            }
        }
        Self {
            states: watch::Sender::new(states),
        }
    }

    /// One target has it now.
    pub(crate) fn finished(&self, migration: &MigrationName) {
        self.states.send_modify(|states| {
            if let Some(State::Waiting(count)) = states.get_mut(migration) {
                *count = count.saturating_sub(1);
                if *count == 0 {
                    states.remove(migration);
                }
            }
        });
    }

    /// One target won't have these in this run.
    pub(crate) fn missed<'a>(&self, migrations: impl Iterator<Item = &'a MigrationName>) {
        self.states.send_modify(|states| {
            for migration in migrations {
                if let Some(state) = states.get_mut(migration) {
                    *state = State::Missed;
                }
            }
        });
    }

    /// Whether any of these is still to come.
    pub(crate) fn must_wait(&self, needed: &[MigrationName]) -> bool {
        let states = self.states.borrow();
        needed.iter().any(|name| states.contains_key(name))
    }

    /// Waits for all of them; the one that won't come is the error.
    pub(crate) async fn wait(&self, needed: &[MigrationName]) -> Result<(), MigrationName> {
        let mut receiver = self.states.subscribe();
        let settled = receiver
            .wait_for(|states| {
                needed
                    .iter()
                    .all(|name| !matches!(states.get(name), Some(State::Waiting(_))))
            })
            .await;
        match settled {
            Ok(states) => {
                match needed
                    .iter()
                    .find(|name| states.get(*name) == Some(&State::Missed))
                {
                    Some(missed) => Err(missed.clone()),
                    None => Ok(()),
                }
            }
            // The sender lives as long as `self`.
            Err(_) => Ok(()),
        }
    }
}
