//! Runs the plan of an environment, and ends a run that is not to go on.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use whimbrel_core::name::MigrationName;
use whimbrel_engine::{Ending, Publishing, awaiting, ending, publish, publish_again};
use whimbrel_run::Stop;

use super::leaving::Findings;
use super::{Keeper, Pass};
use crate::api::Environment;
use crate::reconcile::{Known, Observed, Waiting};
use crate::report::Scope;
use crate::survey::{Surveyed, failed};

/// The revision of a source that an environment was planned from.
pub(super) fn revision(surveyed: &Surveyed) -> Option<String> {
    let revision = surveyed.opened.project.revision();
    revision.map(ToString::to_string)
}

impl Keeper {
    /// Takes leave to run, and waits for it where it must: without connections, so that what waits costs no database
    /// anything, and with another look after it. There is none when there is nothing to wait for any more.
    pub(super) async fn take_leave(
        &mut self,
        pass: &mut Pass,
        observed: Observed,
    ) -> Result<(), kube::Error> {
        let runs = Arc::clone(&self.operator.runs);
        pass.leave = Arc::clone(&runs).try_acquire_owned().ok();
        if pass.leave.is_some() {
            return Ok(());
        }
        let message = "as many others are run as may be at once".into();
        let on = Waiting::Time;
        let observed = Observed {
            known: Known::Waiting { on, message },
            ..observed
        };
        self.report(pass, &observed, Scope::Environment).await?;
        pass.known = Known::Nothing;
        if let Some(before) = pass.surveyed.take() {
            before.close().await;
        }
        // Others' runs may take as long as they like.
        self.pulse.run();
        let waits = self.operator.measures.wait();
        let leave = tokio::select! {
            leave = runs.acquire_owned() => leave.ok(),
            () = self.until_vain(&pass.object) => None,
        };
        drop(waits);
        self.pulse.beat(Duration::ZERO);
        pass.leave = leave;
        Ok(())
    }

    /// Until the operator ends, the environment isn't its any more, or somebody has deleted it.
    async fn until_vain(&self, object: &Environment) {
        while !self.is_gone(object) {
            tokio::select! {
                () = self.operator.stop.requested() => return,
                () = self.operator.shards.lost(&self.name) => return,
                () = self.bell.notified() => {}
            }
        }
    }

    /// Runs the plan to its end, or to the next safe point when the object is deleted meanwhile.
    pub(super) async fn run(&mut self, pass: &mut Pass) {
        let Some(surveyed) = &mut pass.surveyed else {
            return;
        };
        let Some(prepared) = surveyed.prepared.take() else {
            return;
        };
        let opened = &surveyed.opened;
        pass.known = Known::Nothing;
        // What was found before it says nothing of what is to be done after it.
        pass.findings = Findings::default();
        let admitted = match prepared.admit(opened, None).await {
            Ok(Some(admitted)) => admitted,
            Ok(None) => return,
            Err(error) => {
                pass.known = failed(&error, self.operator.context.scrubber());
                return;
            }
        };
        // Asking took time.
        if !self.operator.shards.is_held(&self.name) {
            return;
        }
        self.pulse.run();
        let by = format!("{} (operator)", whimbrel_engine::actor());
        let stop = Stop::default();
        let run = admitted.on_behalf_of(by).run(opened, stop.clone());
        let outcome = tokio::select! {
            outcome = run => outcome,
            never = self.watch_over(&pass.object, &pass.reverting, &stop) => match never {},
        };
        self.pulse.beat(Duration::ZERO);
        if outcome.is_success() {
            if !pass.reverting.is_empty() {
                return;
            }
            self.publishing = Some(publish(opened, outcome.unchanged()).await);
            return;
        }
        let scrubber = self.operator.context.scrubber();
        let view = outcome.view(scrubber);
        let failed = view.targets.iter().find(|target| target.error.is_some());
        let message = failed.map_or_else(String::new, |target| {
            let error = target.error.as_deref().unwrap_or_default();
            let hint = target.hint.as_ref();
            let hint = hint.map(|hint| format!(" ({hint})")).unwrap_or_default();
            format!("{}: {error}{hint}", target.target)
        });
        let message = scrubber.clean(message);
        tracing::warn!(environment = %self.name, "{message}");
        match ending(&outcome) {
            Ending::Temporary => pass.known = Known::Away(message),
            Ending::Moved => {}
            Ending::Failed => {
                let revision = opened.project.revision().map(ToString::to_string);
                self.tried.end(&pass.question, revision, message);
            }
        }
    }

    /// Publishes what isn't published yet where everything is applied, and wakes those that come after the environment where
    /// it has published something new: they wait for it, and nothing of the cluster would tell them.
    pub(super) async fn hand_on(&mut self, pass: &Pass) {
        let Some(surveyed) = &pass.surveyed else {
            return;
        };
        if let (Known::Current, Some(prepared)) = (&pass.known, &surveyed.prepared) {
            let (before, known) = (self.publishing.as_ref(), prepared.every_history());
            let done = publish_again(before, &surveyed.opened, known).await;
            self.publishing = done.or(self.publishing.take());
        }
        let Some(Publishing::Done(head)) = &self.publishing else {
            return;
        };
        if self.handed_on == *head {
            return;
        }
        self.handed_on.clone_from(head);
        for name in awaiting(&surveyed.opened) {
            let next = self.operator.cluster.environment(name.as_str());
            if next.is_some_and(|next| next.spec.source_ref == pass.object.spec.source_ref) {
                self.operator.wake(name.as_str());
            }
        }
    }

    /// Asks a run to end when the operator ends, or when the object is deleted: then it is cancelled after a bounded time. A
    /// revert that takes longer than its object may be kept from going is asked to end, too, and its statement in flight
    /// comes to its end.
    async fn watch_over(
        &self,
        object: &Environment,
        reverting: &[MigrationName],
        stop: &Stop,
    ) -> Infallible {
        let Some(overdue) = self.departures.overdue.filter(|_| !reverting.is_empty()) else {
            return self.watch_object(object, stop).await;
        };
        let late = async {
            tokio::time::sleep_until(overdue.into()).await;
            stop.request();
        };
        let (never, ()) = tokio::join!(self.watch_object(object, stop), late);
        never
    }

    /// Whether somebody deleted an environment, or has made another one of its name.
    pub(super) fn is_gone(&self, object: &Environment) -> bool {
        let now = self.operator.cluster.environment(&self.name);
        now.is_none_or(|now| {
            now.metadata.deletion_timestamp.is_some() || now.metadata.uid != object.metadata.uid
        })
    }

    async fn watch_object(&self, object: &Environment, stop: &Stop) -> Infallible {
        loop {
            if self.is_gone(object) {
                stop.request();
                tokio::time::sleep(self.operator.settings.release_within).await;
                stop.request();
                return std::future::pending().await;
            }
            tokio::select! {
                () = self.operator.stop.requested() => {
                    stop.request();
                    self.operator.stop.insisted().await;
                    stop.request();
                    return std::future::pending().await;
                }
                () = self.bell.notified() => {}
            }
        }
    }
}
