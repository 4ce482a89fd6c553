//! The Jobs of an environment, as the API server has them: which there are, how one ends, and what its Pods said last.

mod template;

use futures::{StreamExt as _, pin_mut};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ContainerStateTerminated, Pod};
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::{Config, Event, watcher};
use kube::{Api, ResourceExt as _};
use serde_json::json;

use crate::api::{
    ASKED_ANNOTATION, ATTEMPT_ANNOTATION, ENVIRONMENT_LABEL, Environment, LEFT_ANNOTATION, MANAGER,
    PLAN_ANNOTATION,
};
use crate::cluster::{Cluster, annotation, written};
use crate::reconcile::{Asked, End, Seen, end, going};
use crate::watch::{Times, config};

pub use template::{CONTAINER, Unmade};

/// The label by which the Job controller marks the Pods of a Job.
const JOB_LABEL: &str = "batch.kubernetes.io/job-name";
/// The most characters of what a Pod said last that are shown: a condition holds a thousand.
const SHOWN: usize = 800;

/// The Jobs of one environment.
pub struct Jobs<'c> {
    cluster: &'c Cluster,
    environment: &'c Environment,
    api: Api<Job>,
}

/// A Job that has ended, or is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Its name.
    pub name: String,
    /// What it was made for, as `Asked::of`.
    pub of: String,
    /// How; none where it is gone.
    pub end: Option<End>,
    /// What is to be said of it.
    pub message: String,
}

/// Why there is no Job.
#[derive(Debug, thiserror::Error)]
pub enum MakeError {
    /// The environment says something that no Job can be.
    #[error(transparent)]
    Unmade(#[from] Unmade),
    /// The API server doesn't do it.
    #[error(transparent)]
    Cluster(#[from] kube::Error),
}

impl<'c> Jobs<'c> {
    /// Of an environment.
    pub fn of(cluster: &'c Cluster, environment: &'c Environment) -> Self {
        Self {
            cluster,
            environment,
            api: cluster.jobs(),
        }
    }

    fn selector(&self) -> String {
        format!("{ENVIRONMENT_LABEL}={}", self.environment.name_any())
    }

    /// Those that there are, and aren't of another environment of the same name before.
    ///
    /// # Errors
    /// The API server doesn't say.
    pub async fn list(&self) -> Result<Vec<Seen>, kube::Error> {
        let parameters = ListParams::default().labels(&self.selector());
        let found = self.api.list(&parameters).await?;
        let own = found.items.iter().filter(|job| self.owns(job));
        Ok(own.map(seen).collect())
    }

    fn owns(&self, job: &Job) -> bool {
        let uid = self.environment.metadata.uid.as_ref();
        let mut owners = job.owner_references().iter();
        owners.any(|owner| Some(&owner.uid) == uid)
    }

    /// Makes a Job, unless another one goes on by now: then that one is to be followed. Gives the name of the one.
    ///
    /// # Errors
    /// There can't be such a Job, or the API server doesn't make it.
    pub async fn make(
        &self,
        asked: &Asked,
        attempt: u32,
        arguments: &[String],
    ) -> Result<String, MakeError> {
        let own = self.cluster.own_pod().await?;
        let (name, job) = template::job(self.environment, asked, attempt, own.as_ref(), arguments)?;
        match self.cluster.make_job(&job).await {
            // Another operator has made the very same.
            Err(kube::Error::Api(status)) if status.code == 409 => {}
            made => {
                made?;
            }
        }
        let jobs = self.list().await?;
        match going(&jobs) {
            Some(first) if first != name => {
                // Another operator was at it, too. What has just begun has done nothing that the other's fence doesn't see.
                self.delete(&name).await?;
                Ok(first.to_owned())
            }
            _ => Ok(name),
        }
    }

    /// Notes which plan a Job that failed has left: it need not be the one that it ran, and isn't tried again either.
    ///
    /// # Errors
    /// The API server doesn't do it.
    pub async fn note(&self, name: &str, left: &str) -> Result<(), kube::Error> {
        let change = json!({ "metadata": { "annotations": { LEFT_ANNOTATION: left } } });
        let patch = Patch::Merge(&change);
        let parameters = PatchParams {
            field_manager: Some(MANAGER.to_owned()),
            ..PatchParams::default()
        };
        let patched = self.api.patch(name, &parameters, &patch);
        written(patched).await.map(drop)
    }

    /// Waits until a Job has ended. An API server that is away is waited for; and an event may be lost, so it is looked at anew
    /// every so often.
    pub async fn follow(&self, name: &str, times: Times) -> Ended {
        let api = self.cluster.watched_jobs();
        let config = config(times.timeout).labels(&self.selector());
        loop {
            let watched = watched(api.clone(), config.clone(), name);
            match tokio::time::timeout(times.anew, watched).await {
                Ok(Some(job)) => return self.ended(&job).await,
                Ok(None) => break,
                Err(_) => {}
            }
        }
        Ended {
            name: name.to_owned(),
            of: String::new(),
            end: None,
            message: format!("the Job {name} was deleted before it was seen to end"),
        }
    }

    /// What is to be said of a Job that has ended.
    ///
    /// # Errors
    /// The API server doesn't say.
    pub async fn take(&self, name: &str) -> Result<Option<Ended>, kube::Error> {
        Ok(match self.api.get_opt(name).await? {
            Some(job) => Some(self.ended(&job).await),
            None => None,
        })
    }

    async fn ended(&self, job: &Job) -> Ended {
        let Seen {
            name, asked, end, ..
        } = seen(job);
        let of = asked.of;
        let Some((reason, said)) = failure(job) else {
            return Ended {
                message: format!("the Job {name} ended well"),
                name,
                of,
                end,
            };
        };
        let terminated = self.terminated(&name).await;
        let exit = terminated.as_ref().map(|state| state.exit_code);
        let last = terminated.and_then(|state| state.message);
        let last = last.as_deref().map(last_lines).unwrap_or_default();
        let why = if reason == "DeadlineExceeded" || last.is_empty() {
            format!("{reason}: {said} {last}")
        } else {
            last
        };
        Ended {
            end: Some(crate::reconcile::end(reason, exit)),
            message: format!("the Job {name} failed: {}", why.trim_end()),
            name,
            of,
        }
    }

    /// How the container of the Pod that ended last did. What can't be read is missing in a message, and nothing else.
    async fn terminated(&self, name: &str) -> Option<ContainerStateTerminated> {
        let parameters = ListParams::default().labels(&format!("{JOB_LABEL}={name}"));
        let pods = match self.cluster.pods().list(&parameters).await {
            Ok(pods) => pods,
            Err(error) => {
                tracing::warn!(%error, job = %name, "the Pods of the Job can't be listed");
                return None;
            }
        };
        let ended = pods.items.into_iter().filter_map(terminated);
        ended.max_by_key(|state| state.finished_at.as_ref().map(|time| time.0))
    }

    /// Deletes a Job with its Pods, which end at a safe point. It is there until they are gone.
    ///
    /// # Errors
    /// The API server doesn't do it.
    pub async fn delete(&self, name: &str) -> Result<(), kube::Error> {
        let deleted = written(self.api.delete(name, &DeleteParams::foreground())).await;
        match deleted {
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
            deleted => deleted.map(drop),
        }
    }
}

/// Watches a Job until it has ended; none when it is gone.
async fn watched(api: Api<Job>, config: Config, name: &str) -> Option<Job> {
    let events = watcher(api, config).default_backoff();
    pin_mut!(events);
    let mut is_listed = false;
    while let Some(event) = events.next().await {
        match event {
            Ok(Event::Init) => is_listed = false,
            Ok(Event::Apply(job) | Event::InitApply(job)) if job.name_any() == name => {
                is_listed = true;
                if seen(&job).end.is_some() {
                    return Some(job);
                }
            }
            Ok(Event::Delete(job)) if job.name_any() == name => break,
            Ok(Event::InitDone) if !is_listed => break,
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, job = %name, "the Job can't be watched"),
        }
    }
    None
}

fn seen(job: &Job) -> Seen {
    let said = |name| annotation(&job.metadata, name).unwrap_or_default();
    let has = |wanted: &str| {
        let status = job.status.as_ref();
        let conditions = status.and_then(|status| status.conditions.as_ref());
        conditions.is_some_and(|all| {
            let mut all = all.iter();
            all.any(|condition| condition.type_ == wanted && condition.status == "True")
        })
    };
    // What is being deleted isn't over before its Pods are.
    let end = if job.metadata.deletion_timestamp.is_some() {
        None
    } else if has("Complete") {
        Some(End::Done)
    } else {
        failure(job).map(|(reason, _)| end(reason, exit_of(job)))
    };
    Seen {
        name: job.name_any(),
        asked: Asked {
            plan: said(PLAN_ANNOTATION).to_owned(),
            of: said(ASKED_ANNOTATION).to_owned(),
        },
        attempt: said(ATTEMPT_ANNOTATION).parse().unwrap_or(1),
        left: annotation(&job.metadata, LEFT_ANNOTATION).map(str::to_owned),
        end,
    }
}

/// Reason and message of a Job's failure.
fn failure(job: &Job) -> Option<(&str, &str)> {
    let conditions = job.status.as_ref()?.conditions.as_ref()?;
    let mut conditions = conditions.iter();
    let failed =
        conditions.find(|condition| condition.type_ == "Failed" && condition.status == "True")?;
    let reason = failed.reason.as_deref().unwrap_or_default();
    Some((reason, failed.message.as_deref().unwrap_or_default()))
}

/// The exit code that a Job failed for, as the Job controller words it: `Container … failed with exit code N matching FailJob
/// rule at index I`. Its Pods may be gone.
fn exit_of(job: &Job) -> Option<i32> {
    let (_, message) = failure(job)?;
    let (_, rest) = message.split_once("exit code ")?;
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

fn terminated(pod: Pod) -> Option<ContainerStateTerminated> {
    let statuses = pod.status?.container_statuses?;
    let own = statuses
        .into_iter()
        .find(|status| status.name == CONTAINER)?;
    own.state?.terminated
}

/// The last lines of a text, as far as they can be shown, in one line.
fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    let mut shown: Vec<&str> = Vec::new();
    let mut length = 0;
    for line in lines.into_iter().rev() {
        length += line.chars().count() + 3;
        if length > SHOWN && !shown.is_empty() {
            break;
        }
        shown.push(line);
    }
    shown.reverse();
    shown.join(" | ")
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::batch::v1::Job;
    use serde_json::json;

    use super::{last_lines, seen};
    use crate::reconcile::End;

    fn job(status: &serde_json::Value, is_deleted: bool) -> Job {
        let mut job = json!({
            "metadata": { "name": "dev-1", "annotations": {
                "whimbrel.dev/plan": "sha256:00", "whimbrel.dev/asked": "3/", "whimbrel.dev/attempt": "2",
            }},
            "status": status,
        });
        if is_deleted {
            job["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
        }
        serde_json::from_value(job).unwrap()
    }

    #[test]
    fn a_job_says_how_it_ended_and_one_that_is_deleted_has_not() {
        let conditions = |r#type: &str, message: &str| {
            json!({ "conditions": [
                { "type": "FailureTarget", "status": "True" },
                { "type": r#type, "status": "True", "reason": "PodFailurePolicy", "message": message },
            ]})
        };
        let complete = conditions("Complete", "");
        let of = seen(&job(&complete, false));
        assert_eq!((of.end, of.attempt), (Some(End::Done), 2));
        assert_eq!(of.asked.plan, "sha256:00");
        assert_eq!(seen(&job(&complete, true)).end, None);
        assert_eq!(seen(&job(&json!({}), false)).end, None);
        let message = "Container whimbrel for pod x/y failed with exit code 6 matching FailJob rule at index 1";
        let failed = seen(&job(&conditions("Failed", message), false));
        assert_eq!(failed.end, Some(End::Moved));
    }

    #[test]
    fn the_last_lines_are_shown_and_never_half_of_one() {
        let text = format!(
            "{}\nlast but one\n\n  error: no such table\n",
            "x".repeat(900)
        );
        assert_eq!(last_lines(&text), "last but one | error: no such table");
        assert_eq!(last_lines(""), "");
    }
}
