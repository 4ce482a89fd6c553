//! The plan of a pull request. What the pull request brings is an enemy's: of it only migrations are read, as data. Project
//! file, environments, plugins and grants are those that count for the source itself, and the only queries that run are
//! theirs.

use std::collections::BTreeMap;
use std::sync::Arc;

use whimbrel_core::fault::{Fault, FaultClass, Retry};
use whimbrel_core::lineage::{AbsentRule, Revision};
use whimbrel_core::plan::Goal;
use whimbrel_engine::{
    Closing, EngineError, Meanwhile, Opened, Passing, Prepared, Selection, opening,
};
use whimbrel_git::Repository;
use whimbrel_plugin::{CommitState, CommitStatus, PullRequest};
use whimbrel_project::{Control, Opening, Place, ProjectError, Remote, Verification};

use super::Reports;
use super::comment::{Part, planned, text, unplanned};
use crate::audience::Nobody;
use crate::server::Server;
use crate::settings::Hosted;
use crate::source::Source;

/// Plans a pull request and shows what came out, unless it was changed meanwhile.
pub(super) async fn show(
    server: &Arc<Server>,
    source: &Source,
    reports: &Reports,
    request: &PullRequest,
) -> Result<(), Fault> {
    let Some(hosted) = source.hosted() else {
        return Ok(());
    };
    let Some(remote) = &hosted.proposals else {
        return Ok(());
    };
    let access = hosted.secrets.access(&hosted.source.auth).await?;
    let remote = remote.clone().with_access(access);
    let head = fetch(remote, request.clone()).await?;
    let wanted = wanted(source, hosted, &head, &request.base_branch).await?;
    let status = |environment: &str, state, summary: &str| CommitStatus {
        commit: head.revision.commit.clone(),
        context: format!("whimbrel/plan/{environment}"),
        state,
        summary: summary.to_owned(),
        link: None,
    };
    for environment in wanted.keys() {
        let pending = status(environment, CommitState::Pending, "being planned");
        reports.reporter.set_status(&pending).await?;
    }
    let mut parts = Vec::new();
    for (environment, control) in wanted {
        parts.push(part(server, source, &head, &environment, control).await);
    }
    if parts.is_empty() || reports.proposals.has(&request.number.to_string()) {
        return Ok(());
    }
    for part in &parts {
        let shown = status(&part.environment, part.state, &part.summary);
        reports.reporter.set_status(&shown).await?;
    }
    let marker = format!("whimbrel/{}", source.name);
    let comment = text(&parts);
    reports
        .reporter
        .put_comment(request.number, &marker, &comment)
        .await
}

/// Namespaces of refs that no pull request comes from, and that mean something here.
const OURS: [&str; 3] = ["refs/remotes/", "refs/tags/", "refs/whimbrel/"];

/// A pull request's newest commit, in a mirror that nothing is applied from.
struct Head {
    remote: Remote,
    repository: Repository,
    revision: Revision,
}

/// Fetches the head from where the source is, never from where a delivery says.
async fn fetch(remote: Remote, request: PullRequest) -> Result<Head, Fault> {
    if OURS
        .iter()
        .any(|prefix| request.head_reference.starts_with(prefix))
    {
        let message = "a pull request's commit isn't where only this side writes";
        return Err(Fault::new(
            FaultClass::Denied,
            "pull-request.reference",
            message,
        ));
    }
    let work = move || {
        let fetched = remote.fetch(Some(&request.head_reference));
        let repository = fetched.map_err(|error| fault(&error))?.repository;
        let revision = repository
            .resolve(&request.head_reference)
            .map_err(|error| fault(&error.into()))?;
        let named = request.head_commit.to_ascii_lowercase();
        if !revision.commit.starts_with(&named) {
            // Either a newer delivery is under way, or the server's refs aren't up to date yet.
            return Err(Fault {
                retry: Retry::Backoff,
                ..Fault::new(
                    FaultClass::Conflict,
                    "pull-request.moved",
                    "the pull request's commit isn't the one that was told",
                )
            });
        }
        Ok(Head {
            remote,
            repository,
            revision,
        })
    };
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(abnormal(&error.to_string())))
}

/// The environments that a pull request is planned against, each with the commit that says what it is: those that are driven
/// by the branch that it would go to.
async fn wanted(
    source: &Source,
    hosted: &Hosted,
    head: &Head,
    base_branch: &str,
) -> Result<BTreeMap<String, Revision>, Fault> {
    let said = hosted.source.report.as_ref();
    let said = said.and_then(|report| report.pull_requests.as_ref());
    let mut names: Vec<_> = said
        .map(|said| said.environments.iter().map(ToString::to_string).collect())
        .unwrap_or_default();
    if names.is_empty() {
        names.clone_from(&source.settings.environments);
    }
    let own = own(source, head);
    let (name, base_branch) = (source.name.clone(), base_branch.to_owned());
    let work = move || {
        if names.is_empty() {
            let opening = opening(&own, Control::Environment(None))?;
            let defined = opening.documents().environments.keys();
            names = defined.map(ToString::to_string).collect();
        }
        let mut wanted = BTreeMap::new();
        for environment in names {
            let selection = Selection {
                environment: Some(environment.clone()),
                ..own.clone()
            };
            let control = Control::Environment(Some(environment.clone()));
            let opening = match opening(&selection, control) {
                Err(EngineError::Project(ProjectError::UnknownEnvironment { .. })) => continue,
                other => other?,
            };
            let is_driven = match opening.environment(&environment) {
                Ok(environment) => is_driven(&opening, environment.branch.as_deref(), &base_branch),
                Err(_) => {
                    tracing::warn!(source = %name, %environment, "pull requests can't be planned against an environment that isn't there");
                    continue;
                }
            };
            // A mirror has no files, so there always is a control ref.
            if let (true, Some(control)) = (is_driven, opening.control_revision()) {
                wanted.insert(environment, control.clone());
            }
        }
        Ok(wanted)
    };
    let done = tokio::task::spawn_blocking(work).await;
    let done = done.map_err(|error| abnormal(&error.to_string()))?;
    done.map_err(|error: EngineError| match error {
        EngineError::Project(error) => fault(&error),
        error => abnormal(&error.to_string()),
    })
}

/// Whether a branch drives an environment. One that follows tags, patterns or nothing is driven by the control ref, where what
/// is tagged has to be merged first.
fn is_driven(opening: &Opening, branch: Option<&str>, base: &str) -> bool {
    let plain = branch.filter(|name| !name.contains(['*', '?', '[']));
    plain.or_else(|| opening.control_reference()) == Some(base)
}

/// The source as it is read when it is applied, but in the mirror of pull requests, which was fetched now.
fn own(source: &Source, head: &Head) -> Selection {
    let reference = match &source.settings.selection.place {
        Place::Here(location) => location.reference.clone(),
        Place::Elsewhere { reference, .. } | Place::Fetched { reference, .. } => reference.clone(),
        Place::Written { .. } => None,
    };
    Selection {
        place: Place::Fetched {
            remote: head.remote.clone(),
            repository: head.repository.clone(),
            reference,
        },
        cache: None,
        ..source.settings.selection.clone()
    }
}

/// What one environment says.
async fn part(
    server: &Arc<Server>,
    source: &Source,
    head: &Head,
    environment: &str,
    control: Revision,
) -> Part {
    let closing = Closing::default();
    let planning = plan(server, source, head, environment, control, closing.clone());
    let made = tokio::time::timeout(server.limits.proposal_time, planning).await;
    closing.close().await;
    match made {
        Ok(Ok(part)) => part,
        Ok(Err(error)) => {
            tracing::info!(source = %source.name, %environment, "a pull request can't be planned: {error}");
            unplanned(environment, &error)
        }
        Err(_) => {
            tracing::warn!(source = %source.name, %environment, "a pull request's plan took too long");
            unplanned(
                environment,
                &EngineError::Project(ProjectError::Lost("planning")),
            )
        }
    }
}

async fn plan(
    server: &Arc<Server>,
    source: &Source,
    head: &Head,
    environment: &str,
    control: Revision,
    closing: Closing,
) -> Result<Part, EngineError> {
    let selection = Selection {
        place: Place::Fetched {
            remote: head.remote.clone(),
            repository: head.repository.clone(),
            reference: Some(head.revision.commit.clone()),
        },
        control_ref: Some(control.commit.clone()),
        // Nothing of it is run, and what counts was verified when it was looked up.
        verification: Verification::default(),
        signing: None,
        environment: Some(environment.to_owned()),
        cache: None,
        databases: source.settings.selection.databases.clone(),
        absent: AbsentRule::AskGit,
    };
    let asked = selection.clone();
    let opening = tokio::task::spawn_blocking(move || opening(&asked, Control::default())).await;
    let opening = opening.map_err(EngineError::Task)??;
    // Somebody could give a branch the name of a commit.
    if opening.revision() != Some(&head.revision) || opening.control_revision() != Some(&control) {
        return Err(ProjectError::NoControlRef(control.commit).into());
    }
    let context = server
        .context
        .clone()
        .unmeasured()
        .with_audience(Arc::new(Nobody(server.context.scrubber().clone())))
        .with_closing(closing);
    let opened = Opened::of(opening, &selection, &context, Meanwhile::Read).await?;
    let prepared = Prepared::new(&opened, Goal::Apply, Passing::default()).await?;
    Ok(planned(environment, &prepared))
}

fn fault(error: &ProjectError) -> Fault {
    let class = if error.is_temporary() {
        FaultClass::Unavailable
    } else {
        FaultClass::NotFound
    };
    Fault {
        // A ref of a pull request may be there a moment later than its delivery.
        retry: Retry::Backoff,
        ..Fault::new(class, "pull-request.unreadable", error.to_string())
    }
}

fn abnormal(message: &str) -> Fault {
    Fault::new(FaultClass::Internal, "pull-request.failed", message)
}
