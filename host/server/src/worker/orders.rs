//! Orders of an environment: what somebody who looked at a plan asks for.

use std::sync::Arc;
use std::time::Duration;

use whimbrel_core::gate::{Gate, Refusal};
use whimbrel_core::name::MigrationName;
use whimbrel_core::plan::Plan;
use whimbrel_core::policy::ApplyRule;
use whimbrel_engine::{
    Admitted, EngineError, Opened, Passing, Prepared, approve, named, prepare_revert,
};

use super::{Next, Worker};
use crate::desired::Desired;
use crate::environment::{Accepted, Goal, Order, Phase};
use crate::look::{Commit, Look, withdrawn};
use crate::problem::Problem;
use crate::said::Said;

impl Worker {
    /// Does what somebody asks for, once.
    pub(super) async fn order(&mut self, order: Order) {
        self.pulse.beat(Duration::ZERO);
        self.refresh().await;
        let Some(desired) = self.environment.desired() else {
            let problem = Problem::unavailable("the definitions haven't been read yet");
            // Whoever asked may have gone away.
            let _ = order.answer.send(Err(problem));
            return;
        };
        let admitted = match self.meant(&order, &desired).await {
            Ok(meant) => {
                let admitted = self.admit(&meant.opened, &desired.opened, &order).await;
                admitted.map(|admitted| admitted.map(|admitted| (meant, admitted)))
            }
            Err(problem) => Err(problem),
        };
        match admitted {
            Err(problem) => {
                let problem = problem.scrubbed(self.server.context.scrubber());
                let _ = order.answer.send(Err(problem));
            }
            Ok(None) => {
                let accepted = Accepted {
                    plan: order.plan,
                    run: None,
                };
                let _ = order.answer.send(Ok(accepted));
            }
            Ok(Some((meant, admitted))) => {
                let (started, hears) = tokio::sync::oneshot::channel();
                let (plan, answer) = (order.plan, order.answer);
                tokio::spawn(async move {
                    let run = hears.await.ok();
                    let _ = answer.send(Ok(Accepted { plan, run }));
                });
                if let Some(said) = order.said {
                    let is_revert = matches!(order.goal, Goal::Revert(_));
                    let by = order.by.clone();
                    let is_done = self
                        .run_as_said(&meant, admitted, order.by, &said, started)
                        .await;
                    if is_done && is_revert && !said.is_elsewhere() {
                        self.hold_back(desired, &by);
                    }
                    return;
                }
                let desired = meant;
                self.held = None;
                let is_revert = matches!(order.goal, Goal::Revert(_));
                let by = order.by.clone();
                let next = self.run(&desired, admitted, order.by, Some(started)).await;
                if is_revert && matches!(next, Next::Again) && self.hold.is_none() {
                    self.hold_back(desired, &by);
                }
            }
        }
    }

    /// Keeps what was reverted from being applied again: an approval of before would cover it.
    fn hold_back(&mut self, reverted: Arc<Desired>, by: &str) {
        self.hold = Some(reverted);
        let hint = "apply the plan by its digest to have it again".to_owned();
        self.says(Phase::Held, &format!("reverted by {by}"), Some(hint));
        // Of before.
        self.environment.lock().plan = None;
    }

    /// Runs what is planned with what somebody says of the environment. It is nothing of how the environment itself stands, is
    /// shown and is passed on to the next one: the next look finds that out as ever. Whether it was done.
    async fn run_as_said(
        &mut self,
        meant: &Desired,
        admitted: Admitted,
        by: String,
        said: &Said,
        started: tokio::sync::oneshot::Sender<String>,
    ) -> bool {
        let stood = {
            let state = self.environment.lock();
            (
                state.phase,
                state.error.clone(),
                state.hint.clone(),
                state.retry_at,
            )
        };
        let given = said.shown();
        let shown = self.server.context.scrubber().scrub(&given.to_string());
        tracing::info!(environment = %self.environment.name, %by, given = %shown, "a plan with what a client says");
        let given = serde_json::from_str(&shown).ok();
        let outcome = self
            .execute(&meant.opened, admitted, by, given, Some(started))
            .await;
        let mut state = self.environment.lock();
        (state.phase, state.error, state.hint, state.retry_at) = stood;
        outcome.is_success()
    }

    /// The revision that an order is about: the newest one, or the commit that it names. What the server does by itself it does
    /// at the newest one.
    async fn meant(&self, order: &Order, newest: &Arc<Desired>) -> Result<Arc<Desired>, Problem> {
        if order.revision.is_none() && order.said.is_none() {
            return Ok(Arc::clone(newest));
        }
        let said = order.said.as_ref();
        if let Some(said) = said {
            said.require_waiting(newest.opened.environment())?;
        }
        let context = self.context();
        let commit = order.revision.clone();
        let look = Look::at(&self.server, &self.environment, commit, said, &context).await?;
        let named = order.revision.as_ref().map(Commit::as_str);
        let is_older = named.is_some_and(|commit| look.head.as_deref() != Some(commit));
        if is_older && newest.opened.environment().policy.apply == ApplyRule::Auto {
            let name = &self.environment.name;
            let detail = format!("the server applies the newest commit of `{name}` by itself");
            return Err(Problem::conflict("goes-on", detail));
        }
        Ok(look.desired)
    }

    /// Approves the plan on behalf of whoever looked at it, if it needs that, and asks all other gates.
    async fn admit(
        &self,
        opened: &Opened,
        newest: &Opened,
        order: &Order,
    ) -> Result<Option<Admitted>, Problem> {
        let of = |error: EngineError| Problem::of(&error);
        let passing = Passing {
            destructive_confirmed: order.destructive_confirmed,
            ..Passing::default()
        };
        let prepare = async || match &order.goal {
            Goal::Apply => {
                Prepared::new(opened, whimbrel_core::plan::Goal::Apply, passing.clone()).await
            }
            Goal::Revert(texts) => {
                let names = named(opened, texts).await?;
                prepare_revert(opened, names, passing.clone()).await
            }
        };
        let mut prepared = prepare().await.map_err(of)?;
        prepared.require(&order.plan).map_err(of)?;
        if let Some(blocked) = EngineError::blocked(prepared.plan()) {
            return Err(Problem::of(&blocked));
        }
        if let Some(name) = withdrawn(prepared.plan(), newest).first()
            && order.revision.is_some()
        {
            let detail =
                format!("{name} isn't part of the newest commit any more, or is another one there");
            return Err(Problem::conflict("withdrawn", detail));
        }
        if prepared.plan().is_empty() && prepared.survey.failures.is_empty() {
            return Ok(None);
        }
        if let Goal::Revert(_) = order.goal
            && opened.environment().policy.apply == ApplyRule::Auto
            && let Some(name) = still_defined(opened, prepared.plan())
        {
            return Err(Problem::conflict(
                "still-defined",
                format!("{name} is defined, and `policy.apply: Auto` would apply it again"),
            )
            .hint("`git revert` the commit that brought it"));
        }
        let needs_approval = |refusals: &[Refusal]| {
            refusals
                .iter()
                .any(|refusal| matches!(refusal.gate, Gate::Approval | Gate::Revert))
        };
        if needs_approval(&prepared.refusals()) {
            approve(opened, &prepared, &order.by).await.map_err(of)?;
            prepared = prepare().await.map_err(of)?;
        }
        prepared.admit(opened, Some(&order.plan)).await.map_err(of)
    }
}

fn still_defined<'p>(opened: &Opened, plan: &'p Plan) -> Option<&'p MigrationName> {
    let migrations = &opened.project.definitions().migrations;
    plan.changes()
        .filter_map(|(_, work)| work.change())
        .map(|change| &change.migration)
        .find(|name| migrations.iter().any(|migration| &migration.name == *name))
}
