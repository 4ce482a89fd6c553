//! Has Jobs run the plan of an environment: makes one, waits for its end, and takes what it says. What is applied is asked of
//! the databases all the same.

use std::time::{Duration, Instant};

use kube::ResourceExt as _;
use whimbrel_signal::{Scrubbed, Scrubber};

use super::running::revision;
use super::{Keeper, Pass};
use crate::api::{Environment, Execution};
use crate::jobs::{Ended, Jobs, MakeError};
use crate::reconcile::{Asked, End, Known, Next, Observed, going, next};
use crate::report::Scope;

/// How often it is asked whether a Job that is deleted is gone.
const GOING: Duration = Duration::from_millis(500);

/// What a keeper remembers of its Jobs.
#[derive(Default)]
pub(super) struct Attended {
    /// Whether it was looked for a Job that somebody else has made, before anything else was done.
    is_attended: bool,
    /// The plan of a Job that ended well: it should not be pending any more.
    done: Option<String>,
    /// A Job that failed, until it is known which plan it has left.
    failed: Option<String>,
}

/// Why a Job isn't waited for any longer.
enum Left {
    /// The operator ends. The Job goes on, and the next one reads its end.
    Operator,
    /// The environment is deleted, or another one.
    Object,
    /// What it reverts may not be kept from going any longer.
    Overdue,
}

impl Keeper {
    /// Before the databases are asked the first time: a Job that goes on is waited for. Whoever has made it is gone.
    pub(super) async fn attend(
        &mut self,
        pass: &mut Pass,
        observed: &Observed,
    ) -> Result<(), kube::Error> {
        if self.attended.is_attended || pass.object.spec.execution != Execution::Job {
            return Ok(());
        }
        let listed = Jobs::of(&self.operator.cluster, &pass.object).list().await;
        let scrubber = self.operator.context.scrubber();
        let Some(jobs) = allowed(listed, &mut pass.known, scrubber)? else {
            return Ok(());
        };
        self.attended.is_attended = true;
        match going(&jobs) {
            Some(name) => self.wait_for(pass, observed, name.to_owned()).await,
            None => Ok(()),
        }
    }

    /// Has a Job run the plan.
    pub(super) async fn run_by_job(
        &mut self,
        pass: &mut Pass,
        observed: &Observed,
    ) -> Result<(), kube::Error> {
        let Some(digest) = pass.surveyed.as_ref().map(|known| known.digest.clone()) else {
            pass.known = Known::Nothing;
            return Ok(());
        };
        if self.attended.done.take().as_ref() == Some(&digest) {
            let message = "a Job ended well, and its plan is pending all the same";
            pass.known = Known::Away(message.into());
            return Ok(());
        }
        let asked = Asked {
            plan: digest.clone(),
            of: pass.question.digest(),
        };
        let jobs = Jobs::of(&self.operator.cluster, &pass.object);
        let scrubber = self.operator.context.scrubber();
        let listed = jobs.list().await;
        let Some(found) = allowed(listed, &mut pass.known, scrubber)? else {
            return Ok(());
        };
        let name = match next(&found, &asked) {
            Next::Follow(name) => name,
            Next::Take(name) => {
                let ended = jobs.take(&name).await?;
                let revision = pass.surveyed.as_ref().and_then(revision);
                self.take(pass, ended, &digest, revision);
                return Ok(());
            }
            Next::Start { attempt } => {
                let arguments = self.arguments(pass, &digest);
                match jobs.make(&asked, attempt, &arguments).await {
                    Ok(name) => {
                        self.wrote.taken();
                        name
                    }
                    Err(MakeError::Unmade(unmade)) => {
                        pass.known = wrong(scrubber.clean(unmade));
                        return Ok(());
                    }
                    Err(MakeError::Cluster(error)) => {
                        allowed::<()>(Err(error), &mut pass.known, scrubber)?;
                        return Ok(());
                    }
                }
            }
        };
        self.wait_for(pass, observed, name).await
    }

    /// What the container of a Job is started with.
    fn arguments(&self, pass: &Pass, digest: &str) -> Vec<String> {
        let settings = &self.operator.settings;
        let mut arguments: Vec<String> = [
            "run",
            "--namespace",
            &settings.namespace,
            "--environment",
            &self.name,
            "--plan",
            digest,
        ]
        .map(str::to_owned)
        .to_vec();
        for name in &pass.reverting {
            arguments.extend(["--revert".to_owned(), name.to_string()]);
        }
        arguments.extend(settings.run_arguments.iter().cloned());
        arguments
    }

    /// Says that a run goes on, and waits for its Job to end.
    async fn wait_for(
        &mut self,
        pass: &mut Pass,
        observed: &Observed,
        name: String,
    ) -> Result<(), kube::Error> {
        let observed = Observed {
            known: Known::Pending,
            ..observed.clone()
        };
        self.report(pass, &observed, Scope::Environment).await?;
        // What was lent to ask the databases is given back: the Job has its own.
        let (digest, revision) = match pass.surveyed.take() {
            Some(surveyed) => {
                let of = (surveyed.digest.clone(), revision(&surveyed));
                surveyed.close().await;
                of
            }
            None => (String::new(), None),
        };
        pass.known = Known::Nothing;
        pass.findings = super::Findings::default();
        tracing::info!(environment = %self.name, job = %name, "a Job runs the plan");
        self.pulse.run();
        let left = {
            let jobs = Jobs::of(&self.operator.cluster, &pass.object);
            let times = self.operator.watch_times();
            let until = self.departures.overdue;
            let until = until.filter(|_| !pass.reverting.is_empty());
            tokio::select! {
                ended = jobs.follow(&name, times) => Ok(ended),
                left = self.leave(&pass.object, until) => Err(left),
            }
        };
        self.pulse.beat(Duration::ZERO);
        match left {
            Ok(ended) => self.take(pass, Some(ended), &digest, revision),
            // Both look again at once, and see why.
            Err(Left::Operator | Left::Object) => {}
            Err(Left::Overdue) => self.end_jobs(&pass.object).await,
        }
        Ok(())
    }

    /// What a Job says becomes what is known: of a plan from a revision of a source, as far as it is known.
    fn take(
        &mut self,
        pass: &mut Pass,
        ended: Option<Ended>,
        digest: &str,
        revision: Option<String>,
    ) {
        pass.known = Known::Nothing;
        let Some(ended) = ended else {
            return;
        };
        let Ended {
            name,
            of,
            end,
            message,
        } = ended;
        tracing::info!(environment = %self.name, "{message}");
        let message = self.operator.context.scrubber().clean(message);
        match end {
            Some(End::Done) => self.attended.done = Some(digest.to_owned()),
            // What it failed by may be what somebody has changed since it was made.
            Some(End::Failed) if of != pass.question.digest() => {}
            Some(End::Failed) => {
                self.tried.end(&pass.question, revision, message);
                self.attended.failed = Some(name);
            }
            Some(End::Moved) => {
                // It has read the source itself, and may know more of it.
                if let Some(source) = &pass.object.spec.source_ref {
                    self.operator.ring(&source.name);
                }
                pass.known = Known::Away(message);
            }
            Some(End::Temporary) | None => pass.known = Known::Away(message),
        }
    }

    /// Notes at a Job that failed which plan it has left, if it is one that isn't tried again, for the next operator. That it
    /// can't be noted costs one more try.
    pub(super) async fn note_left(&mut self, object: &Environment) {
        let (name, left) = (self.attended.failed.take(), self.tried.held());
        let (Some(name), Some(left)) = (name, left) else {
            return;
        };
        let jobs = Jobs::of(&self.operator.cluster, object);
        if let Err(error) = jobs.note(&name, left).await {
            tracing::warn!(environment = %self.name, job = %name, %error, "the Job can't be marked");
        }
    }

    async fn leave(&self, object: &Environment, overdue: Option<Instant>) -> Left {
        let late = async {
            match overdue {
                Some(overdue) => tokio::time::sleep_until(overdue.into()).await,
                None => std::future::pending().await,
            }
        };
        tokio::pin!(late);
        loop {
            if self.is_gone(object) {
                return Left::Object;
            }
            tokio::select! {
                () = self.operator.stop.requested() => return Left::Operator,
                () = &mut late => return Left::Overdue,
                () = self.bell.notified() => {}
            }
        }
    }

    /// Ends the Jobs of an environment that is let go, and waits for their Pods to come to a safe point, for a bounded time:
    /// then they go with their owner.
    pub(super) async fn end_jobs(&self, object: &Environment) {
        if object.spec.execution != Execution::Job {
            return;
        }
        self.pulse.run();
        let within = self.operator.settings.release_within;
        let ended = tokio::time::timeout(within, self.ended(object));
        if ended.await.is_err() {
            tracing::warn!(environment = %object.name_any(), "its Jobs take too long to end, and are left to themselves");
        }
        self.pulse.beat(Duration::ZERO);
    }

    async fn ended(&self, object: &Environment) {
        let jobs = Jobs::of(&self.operator.cluster, object);
        loop {
            let found = match jobs.list().await {
                Ok(found) => found,
                Err(error) => {
                    tracing::warn!(environment = %self.name, %error, "its Jobs can't be listed");
                    return;
                }
            };
            let Some(name) = going(&found) else { return };
            if let Err(error) = jobs.delete(name).await {
                tracing::warn!(environment = %self.name, %error, "its Job can't be deleted");
                return;
            }
            tokio::time::sleep(GOING).await;
        }
    }
}

/// What the API server says, where it says something of use. A refusal becomes what is known: nobody would see it in a log.
fn allowed<T>(
    said: Result<T, kube::Error>,
    known: &mut Known,
    scrubber: &Scrubber,
) -> Result<Option<T>, kube::Error> {
    let error = match said {
        Ok(said) => return Ok(Some(said)),
        Err(error) => error,
    };
    let kube::Error::Api(status) = &error else {
        return Err(error);
    };
    *known = match status.code {
        403 => Known::Away(scrubber.clean(format!(
            "the operator may not have Jobs run the plan: {} (its Role needs `batch`)",
            status.message
        ))),
        400 | 422 => {
            let message = format!("there can't be such a Job: {}", status.message);
            wrong(scrubber.clean(message))
        }
        _ => return Err(error),
    };
    Ok(None)
}

const fn wrong(message: Scrubbed) -> Known {
    Known::Wrong {
        is_definition: true,
        message,
    }
}
