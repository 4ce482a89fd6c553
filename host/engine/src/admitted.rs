//! A plan that may be run now, and its run.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use whimbrel_core::digest::Digest;
use whimbrel_core::gate::evaluate;
use whimbrel_core::name::TargetName;
use whimbrel_core::plan::{Plan, TargetPlan};
use whimbrel_project::{OUTER_TRANSACTION, ProjectError};
use whimbrel_run::{Request, RunReport, Stop};

use crate::elsewhere::require_dependencies;
use crate::error::EngineError;
use crate::opened::Opened;
use crate::outcome::Outcome;
use crate::prepared::{Prepared, all_read};
use crate::surroundings;

/// A plan of which everything that can be known before says that it may be run.
pub struct Admitted {
    prepared: Prepared,
    exact: Option<Digest>,
    actor: Option<String>,
    unread: BTreeMap<TargetName, ProjectError>,
}

impl Prepared {
    /// Asks everything that can keep a plan from being run: whether it is the one that was named, blockers, gates, and
    /// what it depends on elsewhere. None when the environment has no target.
    ///
    /// # Errors
    /// It may not be run, or a target that it depends on can't be read.
    pub async fn admit(
        mut self,
        opened: &Opened,
        named: Option<&str>,
    ) -> Result<Option<Admitted>, EngineError> {
        let unread = self.take_failures();
        if needs_unread(&self, &unread) || self.plan().targets.is_empty() {
            all_read(unread)?;
            return Ok(None);
        }
        if let Some(digest) = named {
            self.require(digest)?;
        }
        if let Some(blocked) = EngineError::blocked(self.plan()) {
            return Err(blocked);
        }
        let refusals = self.refusals();
        if !refusals.is_empty() {
            return Err(EngineError::Refused(refusals));
        }
        require_dependencies(opened, self.plan()).await?;
        say_notices(opened, self.plan());
        Ok(Some(Admitted {
            exact: named.map(|_| self.plan().digest()),
            prepared: self,
            actor: None,
            unread,
        }))
    }
}

impl Admitted {
    /// The plan with what it was made from.
    #[must_use]
    pub const fn prepared(&self) -> &Prepared {
        &self.prepared
    }

    /// The same on behalf of somebody.
    #[must_use]
    pub fn on_behalf_of(mut self, actor: String) -> Self {
        self.actor = Some(actor);
        self
    }

    /// Runs it. A plan without work reaches no target.
    pub async fn run(self, opened: &Opened, stop: Stop) -> Outcome {
        let plan = self.prepared.plan();
        let digest = plan.digest();
        let report = if plan.is_empty() {
            None
        } else {
            let mut request = request(opened, &self.prepared, self.exact, stop);
            if let Some(actor) = self.actor {
                request.access.actor = actor;
            }
            Some(whimbrel_run::run(request).await)
        };
        Outcome {
            environment: opened.environment().name.clone(),
            plan: digest,
            report,
            unread: self.unread,
            histories: self.prepared.survey.histories,
        }
    }
}

/// Whether something that is planned depends on a database that could not be read.
fn needs_unread(prepared: &Prepared, failures: &BTreeMap<TargetName, ProjectError>) -> bool {
    failures.keys().any(|unread| {
        let there = prepared.planner.desired(&unread.database);
        prepared
            .plan()
            .targets
            .iter()
            .flat_map(TargetPlan::applies)
            .flat_map(|change| &change.prepared.depends_on)
            .any(|needed| there.iter().any(|item| &item.migration.name == needed))
    })
}

/// Says how the SQL of what will be run is taken, where that is not as it is written; each thing once.
fn say_notices(opened: &Opened, plan: &Plan) {
    let mut said = BTreeSet::new();
    for finding in plan.targets.iter().flat_map(|target| &target.findings) {
        if finding.rule != OUTER_TRANSACTION {
            continue;
        }
        let path = finding.path.as_deref().unwrap_or_default();
        let line = finding.line.unwrap_or_default();
        if said.insert((path, line)) {
            let message = &finding.message;
            opened
                .context
                .notice(&format!("note: {path}:{line}: {message}"));
        }
    }
}

/// Runs a plan without asking whether it may be run; what changes under the lock is asked of the gates all the same.
pub async fn execute(
    opened: &Opened,
    prepared: &Prepared,
    exact: Option<Digest>,
    stop: Stop,
) -> RunReport {
    whimbrel_run::run(request(opened, prepared, exact, stop)).await
}

fn request(opened: &Opened, prepared: &Prepared, exact: Option<Digest>, stop: Stop) -> Request {
    let gates = prepared.gates.clone();
    let targets = &prepared.plan().targets;
    let busy = targets.iter().filter(|target| !target.work.is_empty());
    let busy: Vec<_> = busy.map(|target| &target.target).collect();
    opened.sessions.retain(&busy);
    Request {
        access: opened.access(stop),
        plan: Arc::new(prepared.plan().clone()),
        exact,
        policy: opened.environment().policy.clone(),
        overridden: prepared.reasons.clone(),
        gates: Arc::new(move |plan| evaluate(plan, &gates)),
        planner: Arc::new(surroundings::Planner(Arc::clone(&prepared.planner))),
        plugins: Arc::new(surroundings::Plugins(Arc::clone(&prepared.plugins))),
    }
}
