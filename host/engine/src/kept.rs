//! What is known of databases that lack nothing, so that a push which changes nothing for them doesn't ask them again.

use std::collections::BTreeMap;

use whimbrel_core::history::History;
use whimbrel_core::name::TargetName;
use whimbrel_core::plan::TargetPlan;
use whimbrel_project::{Target, changed_databases};

use crate::opened::Opened;
use crate::prepared::Prepared;

/// Targets with their last plans. Only those for which nothing was to be done and nothing stood against it: whatever else may
/// change without a commit (an approval, a window, another attempt) is about what is missing.
#[derive(Clone, Debug, Default)]
pub struct Kept(BTreeMap<TargetName, Standing>);

/// A target that lacks nothing.
#[derive(Clone, Debug)]
pub(crate) struct Standing {
    server: String,
    address: String,
    pub(crate) plan: TargetPlan,
    /// What gates look at where nothing is missing: what was applied last. All that came before isn't remembered.
    pub(crate) history: History,
}

impl Kept {
    /// What is to be remembered of a plan.
    #[must_use]
    pub fn of(opened: &Opened, prepared: &Prepared) -> Self {
        let lacks_nothing = |plan: &&TargetPlan| plan.work.is_empty() && plan.blockers.is_empty();
        let plans = prepared.plan().targets.iter().filter(lacks_nothing);
        let standings = plans.filter_map(|plan| {
            let name = &plan.target;
            let standing = match prepared.survey.histories.get(name) {
                Some(history) => Standing::new(opened.targets.get(name).ok()?, plan, history),
                None => prepared.kept.get(name)?.clone(),
            };
            Some((name.clone(), standing))
        });
        Self(standings.collect())
    }

    /// Forgets every database for which another revision may say something else; all of them where it says so of the project
    /// or the environment, a parameter's value included.
    pub fn forget_changed(&mut self, before: &Opened, after: &Opened) {
        let environment = after.environment();
        if before.environment() != environment {
            self.0.clear();
            return;
        }
        let (was, is) = (before.project.definitions(), after.project.definitions());
        let changed = changed_databases(was, is, &environment.name);
        self.0.retain(|name, standing| {
            !changed.contains(&name.database)
                && after
                    .targets
                    .get(name)
                    .is_ok_and(|target| standing.is_at(target))
        });
    }

    /// Whether nothing is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Those of them that an environment has.
    pub(crate) fn among(&self, opened: &Opened) -> BTreeMap<TargetName, Standing> {
        let all = self.0.iter();
        all.filter(|(name, _)| opened.targets.get(name).is_ok())
            .map(|(name, standing)| (name.clone(), standing.clone()))
            .collect()
    }
}

impl Standing {
    fn new(target: &Target, plan: &TargetPlan, history: &History) -> Self {
        let last = history.records.iter().max_by_key(|record| record.sequence);
        Self {
            server: target.server.clone(),
            address: target.address.clone(),
            plan: plan.clone(),
            history: History {
                owner: history.owner.clone(),
                epoch: history.epoch,
                records: last.cloned().into_iter().collect(),
                ..History::default()
            },
        }
    }

    /// A row of `forEach`, or a secret, may say another place under the same name.
    fn is_at(&self, target: &Target) -> bool {
        self.server == target.server && self.address == target.address
    }
}
