//! A plan with everything that it was made from, and what the gates say of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use whimbrel_core::digest::DigestPrefix;
use whimbrel_core::gate::{Gate, GateInput, Refusal, evaluate};
use whimbrel_core::history::History;
use whimbrel_core::name::TargetName;
use whimbrel_core::plan::{Goal, Plan};
use whimbrel_project::{
    GateOptions, Histories, Planner, Plugins, ProjectError, Survey, gate_input,
};

use crate::elsewhere::require_dependencies;
use crate::error::{EngineError, Unread};
use crate::kept::{Kept, Standing};
use crate::opened::Opened;

/// How gates are passed. Nothing is passed by default.
#[derive(Clone, Debug, Default)]
pub struct Passing {
    /// Destructive statements were looked at and may run, where the policy says `Confirm`.
    pub destructive_confirmed: bool,
    /// Gates that are passed, each with its reason; recorded in every target.
    pub overridden: Vec<(Gate, String)>,
    /// Nothing is measured of what is found: who only looks may look at what is no more, or ask for another plan than the
    /// one that stands.
    pub is_unmeasured: bool,
}

/// A plan with everything that it was made from.
pub struct Prepared {
    pub(crate) planner: Arc<Planner>,
    /// Plugins that the plan needs.
    pub plugins: Arc<Plugins>,
    /// What was found on the targets, the plan, and targets that could not be read. The plan is of all targets, the histories
    /// are of those that were asked.
    pub survey: Survey,
    /// Targets that weren't asked.
    pub(crate) kept: BTreeMap<TargetName, Standing>,
    /// What the gates look at.
    pub gates: GateInput,
    pub(crate) reasons: Vec<(Gate, String)>,
}

impl Prepared {
    /// Reads every target and plans it. Targets that can't be read are in the survey's failures.
    ///
    /// # Errors
    /// What the gates look at can't be read.
    pub async fn new(opened: &Opened, goal: Goal, passing: Passing) -> Result<Self, EngineError> {
        let histories = opened.histories().await;
        Self::of(opened, goal, passing, histories, BTreeMap::new()).await
    }

    /// The same towards the definitions, and of the targets that lacked nothing it takes what is known of them.
    ///
    /// # Errors
    /// As [`Prepared::new`].
    pub async fn again(opened: &Opened, kept: &Kept) -> Result<Self, EngineError> {
        let kept = kept.among(opened);
        let histories = opened.histories_but(|name| kept.contains_key(name)).await;
        Self::of(opened, Goal::Apply, Passing::default(), histories, kept).await
    }

    /// Plans what is to be added against histories that need say no more than how the project's own migrations stand:
    /// nothing that [`Goal::Add`] comes to depends on others.
    ///
    /// # Errors
    /// As [`Prepared::new`].
    pub async fn to_add(
        opened: &Opened,
        passing: Passing,
        histories: Histories,
    ) -> Result<Self, EngineError> {
        // Of all others nothing is known.
        let passing = Passing {
            is_unmeasured: true,
            ..passing
        };
        Self::of(opened, Goal::Add, passing, histories, BTreeMap::new()).await
    }

    async fn of(
        opened: &Opened,
        goal: Goal,
        passing: Passing,
        histories: Histories,
        mut kept: BTreeMap<TargetName, Standing>,
    ) -> Result<Self, EngineError> {
        kept.retain(|name, _| !histories.contains_key(name));
        let plugins = Arc::clone(&opened.plugins);
        let planner = opened.planner(Arc::clone(&plugins), goal);
        let mut survey = opened.survey(&planner, histories).await;
        let metrics = opened.context.metrics();
        if let Some(metrics) = metrics.filter(|_| !passing.is_unmeasured) {
            let environment = opened.environment().name.as_str();
            if opened.targets.is_complete() {
                // One that couldn't be read is still the environment's.
                let all = survey.histories.keys().chain(survey.failures.keys());
                metrics.keep_databases(environment, all.chain(kept.keys()));
            }
            metrics.surveyed(environment, &survey.histories, &survey.plan);
        }
        let known = kept.values().map(|standing| standing.plan.clone());
        survey.plan.targets.extend(known);
        let targets = &mut survey.plan.targets;
        targets.sort_by(|one, other| one.target.cmp(&other.target));
        let options = GateOptions {
            now: Timestamp::now(),
            destructive_confirmed: passing.destructive_confirmed,
            overridden: passing.overridden.iter().map(|(gate, _)| *gate).collect(),
        };
        let known = kept.iter();
        let known = known.map(|(name, standing)| (name.clone(), standing.history.clone()));
        survey.histories.extend(known);
        let (project, environment) = (&opened.project, opened.environment());
        let gates = gate_input(project, environment, &survey.histories, options)?;
        survey.histories.retain(|name, _| !kept.contains_key(name));
        Ok(Self {
            planner,
            plugins,
            survey,
            kept,
            gates,
            reasons: passing.overridden,
        })
    }

    /// The plan.
    #[must_use]
    pub const fn plan(&self) -> &Plan {
        &self.survey.plan
    }

    /// What every target records that could be read; none where one wasn't asked.
    #[must_use]
    pub fn every_history(&self) -> Option<&BTreeMap<TargetName, History>> {
        self.kept.is_empty().then_some(&self.survey.histories)
    }

    /// What the gates say of it.
    #[must_use]
    pub fn refusals(&self) -> Vec<Refusal> {
        evaluate(self.plan(), &self.gates)
    }

    /// Refuses what [`Prepared::admit`] would refuse, whoever says yes to it and whenever: a plan that only waits is sound.
    ///
    /// # Errors
    /// It is blocked, gates refuse what is in it, or what it depends on isn't applied in a database that wasn't asked for.
    pub async fn require_sound(&self, opened: &Opened) -> Result<(), EngineError> {
        if let Some(blocked) = EngineError::blocked(self.plan()) {
            return Err(blocked);
        }
        let mut refusals = self.refusals();
        refusals.retain(|refusal| refusal.stops(&self.gates.policy));
        if !refusals.is_empty() {
            return Err(EngineError::Refused(refusals));
        }
        require_dependencies(opened, self.plan()).await
    }

    /// Refuses unless the plan is the one that was named: by its digest, or at least twelve characters of it.
    ///
    /// # Errors
    /// It is another one, or nothing was named.
    pub fn require(&self, digest: &str) -> Result<(), EngineError> {
        let found = self.plan().digest();
        let wanted: DigestPrefix = digest
            .parse()
            .map_err(|_| EngineError::NoDigest(digest.to_owned()))?;
        if wanted.names(&found) {
            return Ok(());
        }
        Err(EngineError::PlanChanged {
            asked: digest.to_owned(),
            found,
        })
    }

    /// Takes the targets that could not be read.
    pub fn take_failures(&mut self) -> BTreeMap<TargetName, ProjectError> {
        std::mem::take(&mut self.survey.failures)
    }

    /// Fails with the first of the targets that could not be read, all of them told.
    ///
    /// # Errors
    /// A target could not be read.
    pub fn require_all(&mut self) -> Result<(), EngineError> {
        all_read(self.take_failures())
    }
}

/// Fails with the first of the targets that could not be read, all of them told.
pub(crate) fn all_read(failures: BTreeMap<TargetName, ProjectError>) -> Result<(), EngineError> {
    let more = failures
        .values()
        .skip(1)
        .map(ProjectError::to_string)
        .collect();
    match failures.into_values().next() {
        None => Ok(()),
        Some(first) => Err(EngineError::Unread(Box::new(Unread { first, more }))),
    }
}
