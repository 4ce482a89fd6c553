//! One target: lock, takeover, history, plan, and then each migration; again from the lock after a lost connection.

use serde_json::json;
use uuid::Uuid;
use whimbrel_core::approval::approved_work;
use whimbrel_core::definition::MetricQuery;
use whimbrel_core::digest::Digest;
use whimbrel_core::history::{Direction, EventKind};
use whimbrel_core::name::{MigrationName, TargetName};
use whimbrel_core::plan::{Change, Plan, Prepared, TargetPlan, Work};
use whimbrel_database::history::{NewEvent, event_insert, owner_set, record_rename};
use whimbrel_signal::Signal;

use crate::RunError;
use crate::change::{Context, Execution};
use crate::crash_point::{point, reach};
use crate::credentials::Standing;
use crate::dependencies::Dependencies;
use crate::held::{Held, hold};
use crate::progress::{Done, Progress};
use crate::surroundings::Request;

/// One target's run.
pub(crate) struct TargetRun<'a> {
    pub(crate) request: &'a Request,
    pub(crate) target: &'a TargetName,
    pub(crate) run: Uuid,
    pub(crate) dependencies: &'a Dependencies,
    /// Gives way to other targets while this one waits for them.
    pub(crate) permits: &'a crate::fan_out::Permits,
}

impl TargetRun<'_> {
    /// Brings the target to its plan; what was done, also when the rest failed.
    pub(crate) async fn run(&self) -> (Vec<Done>, Result<(), RunError>) {
        let mut progress = Progress::default();
        let mut reconnects = 0;
        let mut first = true;
        let mut delay = self.request.access.settings.reconnect_delay;
        loop {
            progress.connected();
            let (result, committed) = self.once(&mut progress, first).await;
            first = false;
            let forward = committed || progress.moved();
            if forward {
                // What bounds the work bounds the connections, too, as long as each brings it forward.
                reconnects = 0;
                delay = self.request.access.settings.reconnect_delay;
            }
            match result {
                // Credentials that were lent ended: no failure.
                Err(RunError::CredentialsEnded) if forward => {
                    tracing::info!(target_name = %self.target, "the credentials end; going on with new ones");
                }
                Err(error)
                    if error.may_end_with_a_new_connection()
                        && reconnects < self.request.access.settings.reconnects
                        && !self.request.access.stop.is_requested() =>
                {
                    reconnects += 1;
                    tracing::warn!(target_name = %self.target, %error, attempt = reconnects, "connection lost; connecting anew");
                    tokio::time::sleep(delay).await;
                    delay *= 2;
                }
                other => return (progress.into_done(), other),
            }
        }
    }

    /// One connection's work; with it, whether anything was committed over it.
    async fn once(&self, progress: &mut Progress, first: bool) -> (Result<(), RunError>, bool) {
        let holding = hold(&self.request.access, self.target, self.run);
        let held = match self.permits.begin(holding).await {
            Ok(held) => held,
            Err(error) => return (Err(error), false),
        };
        let before = held.writer.commits();
        let mut result = self.planned(&held, progress, first).await;
        // A connection that is lost with its user is the same: whoever takes users away ends their sessions.
        if matches!(&result, Err(RunError::Database(_)))
            && held.writer.credentials().ask().await == Standing::Gone
        {
            result = Err(RunError::CredentialsEnded);
        }
        result = Self::unowned(&held, result).await;
        let committed = held.writer.commits() > before;
        reach(point::UNLOCK_BEFORE);
        held.release().await;
        reach(point::UNLOCK_AFTER);
        (result, committed)
    }

    /// What was made belongs to nobody who is about to be dropped. That it does is an error where there is no other, and where
    /// the connection would only be followed by another one, of another user.
    async fn unowned(held: &Held, result: Result<(), RunError>) -> Result<(), RunError> {
        match (result, held.nothing_is_owned_by_a_lent_user().await) {
            (Ok(()), owned) => owned,
            (Err(RunError::CredentialsEnded), Err(owned @ RunError::Owned { .. })) => Err(owned),
            (Err(error), Err(owned @ RunError::Owned { .. })) => {
                tracing::warn!("{owned}");
                Err(error)
            }
            // Whoever was taken away can't be asked any more, and owned nothing.
            (Err(error), _) => Err(error),
        }
    }

    async fn planned(
        &self,
        held: &Held,
        progress: &mut Progress,
        first: bool,
    ) -> Result<(), RunError> {
        self.settle(held, progress).await?;
        let plan = self
            .request
            .planner
            .plan(self.target, &held.history)
            .await?;
        self.permitted(&plan, first)?;
        let digest = self.request.plan.digest();
        self.prologue(held, &plan, digest).await?;
        for (index, work) in plan.work.iter().enumerate() {
            if index > 0 && held.writer.must_reconnect() {
                return Err(RunError::CredentialsEnded);
            }
            if self.request.access.stop.is_requested() {
                return Err(RunError::Interrupted { committed: None });
            }
            match work {
                Work::Rename { from, to } => self.rename(held, from, to, digest).await?,
                Work::Apply(change) => {
                    self.wait_for_dependencies(change).await?;
                    self.change(held, Direction::Apply, change, digest, progress)
                        .await?;
                }
                Work::Revert(change) => {
                    self.change(held, Direction::Revert, change, digest, progress)
                        .await?;
                }
            }
        }
        Ok(())
    }

    /// Whether the plan under the lock may be run: the one that was shown, or what is left of it, or a new one that
    /// passes the gates by itself.
    fn permitted(&self, plan: &TargetPlan, first: bool) -> Result<(), RunError> {
        if !plan.blockers.is_empty() {
            return Err(RunError::Blocked(plan.blockers.clone()));
        }
        let shown = self
            .request
            .plan
            .targets
            .iter()
            .find(|shown| &shown.target == self.target);
        if plan.work.is_empty() || shown.is_some_and(|shown| shown.digest() == plan.digest()) {
            return Ok(());
        }
        let shown_work = shown.map(approved_work).unwrap_or_default();
        let is_rest = approved_work(plan)
            .iter()
            .all(|work| shown_work.contains(work));
        let whole = self.whole(plan);
        if let Some(expected) = self.request.exact {
            return if is_rest && !first {
                Ok(())
            } else {
                Err(RunError::PlanChanged {
                    expected,
                    found: whole.digest(),
                })
            };
        }
        let refusals = if is_rest {
            Vec::new()
        } else {
            (self.request.gates)(&Plan {
                targets: vec![plan.clone()],
                ..whole
            })
        };
        if refusals.is_empty() {
            Ok(())
        } else {
            Err(RunError::Refused(refusals))
        }
    }

    /// The plan that was shown, with this target's part as it is now.
    fn whole(&self, plan: &TargetPlan) -> Plan {
        let mut whole = Plan::clone(&self.request.plan);
        for part in &mut whole.targets {
            if part.target == plan.target {
                *part = plan.clone();
            }
        }
        whole
    }

    /// What is recorded before the first migration: the owner, and which gates were passed by hand.
    async fn prologue(
        &self,
        held: &Held,
        plan: &TargetPlan,
        digest: Digest,
    ) -> Result<(), RunError> {
        let dialect = held.writer.dialect();
        let mut records = Vec::new();
        if held.history.owner.is_none() {
            records.push(owner_set(dialect, &self.request.access.owner));
        }
        if !plan.work.is_empty() {
            for (gate, reason) in &self.request.overridden {
                let details = json!({"gate": gate.as_str(), "reason": reason});
                records.push(event_insert(
                    dialect,
                    &self.event(EventKind::Overridden, None, digest, details),
                ));
            }
        }
        if !records.is_empty() {
            held.writer.record(records).await?;
        }
        Ok(())
    }

    async fn rename(
        &self,
        held: &Held,
        from: &MigrationName,
        to: &MigrationName,
        digest: Digest,
    ) -> Result<(), RunError> {
        let dialect = held.writer.dialect();
        let event = self.event(
            EventKind::Renamed,
            Some(to.clone()),
            digest,
            json!({"from": from}),
        );
        held.writer
            .record(vec![
                record_rename(dialect, from, to),
                event_insert(dialect, &event),
            ])
            .await?;
        Ok(())
    }

    async fn wait_for_dependencies(&self, change: &Change) -> Result<(), RunError> {
        let needed = &change.prepared.depends_on;
        if !self.dependencies.must_wait(needed) {
            return Ok(());
        }
        let waiting = self.dependencies.wait(needed);
        let waited = self.permits.aside(waiting).await;
        waited.map_err(|needed| RunError::Dependency {
            migration: change.migration.clone(),
            needed,
        })
    }

    async fn change(
        &self,
        held: &Held,
        direction: Direction,
        change: &Change,
        plan: Digest,
        progress: &mut Progress,
    ) -> Result<(), RunError> {
        let context = Context {
            request: self.request,
            policy: &self.request.policy,
            target: self.target,
            run: self.run,
            plan,
        };
        // An unfinished revert that is followed by an apply of the same migration has removed its row by then.
        let reverted = progress.has_just_reverted(&change.migration);
        let recorded = held.history.record(&change.migration).filter(|_| !reverted);
        let journal: Vec<_> = held
            .history
            .journal
            .iter()
            .filter(|entry| entry.migration == change.migration && !reverted)
            .cloned()
            .collect();
        let execution = Execution::new(
            &context,
            &held.writer,
            direction,
            change,
            recorded,
            &journal,
        );
        progress.begin(direction, change);
        let completed = execution.run().await?;
        progress.finish(&completed);
        self.committed(held, direction, &change.migration, &change.prepared)
            .await;
        Ok(())
    }

    /// What a change that is committed brings with it for others.
    pub(crate) async fn committed(
        &self,
        held: &Held,
        direction: Direction,
        migration: &MigrationName,
        prepared: &Prepared,
    ) {
        if direction == Direction::Apply {
            self.metrics(held, migration, &prepared.metrics).await;
            self.dependencies.finished(migration);
        }
    }

    /// Business metrics are read after the migration is committed; a query that fails, or tries to write, costs the metric
    /// only.
    async fn metrics(&self, held: &Held, migration: &MigrationName, metrics: &[MetricQuery]) {
        for metric in metrics {
            let command = whimbrel_database::Command::with(metric.query.clone(), Vec::new());
            let value = match held.writer.read(command).await {
                Ok(done) => {
                    let value = done.rows.single();
                    value.and_then(|value| value.display().parse().ok())
                }
                Err(error) => {
                    tracing::warn!(metric = metric.name, %error, "the metric could not be read");
                    continue;
                }
            };
            match value {
                Some(value) => self.request.access.bus.emit(Signal::Metric {
                    target: self.target.clone(),
                    migration: migration.clone(),
                    name: metric.name.clone(),
                    r#type: metric.r#type.clone(),
                    value,
                }),
                None => tracing::warn!(metric = metric.name, "the metric's query gave no number"),
            }
        }
    }

    fn event(
        &self,
        kind: EventKind,
        migration: Option<MigrationName>,
        plan: Digest,
        details: serde_json::Value,
    ) -> NewEvent {
        NewEvent {
            kind,
            migration,
            run: self.run.to_string(),
            actor: self.request.access.actor.clone(),
            revision: self.request.access.revision.clone(),
            plan: Some(plan),
            details,
        }
    }
}
