//! After a run: what the next environment may take over.

use std::collections::BTreeMap;
use std::sync::Arc;

use whimbrel_core::history::History;
use whimbrel_core::lineage::Revision;
use whimbrel_core::name::{EnvironmentName, TargetName};
use whimbrel_git::Published;
use whimbrel_project::ProjectError;
use whimbrel_report::warn;

use crate::opened::Opened;

/// What became of publishing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Publishing {
    /// The commit that holds what is published; none when that is nothing.
    Done(Option<Revision>),
    /// It can't be done, and by itself it won't be.
    Refused,
    /// It failed, and may work later.
    Failed,
}

/// Whether another environment waits for what this one has, and there is a commit that it is from.
#[must_use]
pub fn is_publishable(opened: &Opened) -> bool {
    let revision = opened.project.revision();
    is_awaited(opened) && revision.is_some_and(|revision| !revision.dirty)
}

fn is_awaited(opened: &Opened) -> bool {
    awaiting(opened).next().is_some()
}

/// The environments that come after this one: they apply only what it has published.
pub fn awaiting(opened: &Opened) -> impl Iterator<Item = &EnvironmentName> {
    let name = &opened.environment().name;
    let environments = opened.project.definitions().environments.values();
    let after = environments.filter(move |other| other.after.as_ref() == Some(name));
    after.map(|other| &other.name)
}

/// The same again unless it is done: the repository may have been away when a run ended, or somebody may have put something
/// else into its place. None when there is nothing to do.
pub async fn publish_again(
    before: Option<&Publishing>,
    opened: &Opened,
    known: Option<&BTreeMap<TargetName, History>>,
) -> Option<Publishing> {
    let is_done = match before {
        Some(Publishing::Done(head)) => {
            let there = opened.project.promotion_head(&opened.environment().name);
            there == *head
        }
        Some(Publishing::Refused) => true,
        Some(Publishing::Failed) | None => false,
    };
    if is_done || !is_publishable(opened) {
        return None;
    }
    Some(publish(opened, known).await)
}

/// Publishes what every target has. The run is over and went well, so what keeps this from being published is told and
/// changes nothing else.
pub async fn publish(opened: &Opened, known: Option<&BTreeMap<TargetName, History>>) -> Publishing {
    let is_awaited = is_awaited(opened);
    let tell = |text: &str| {
        if is_awaited {
            opened.context.notice(&format!("{} {text}", warn("note:")));
        }
    };
    let refused = |why: &str| {
        tell(&format!("not published for promotion: {why}"));
        Publishing::Refused
    };
    let Some(revision) = opened
        .project
        .revision()
        .filter(|_| opened.project.repository().is_some())
    else {
        return refused("the project isn't a commit of a Git repository");
    };
    if revision.dirty {
        return refused("the definitions have changes that no commit has");
    }
    match published(opened, known).await {
        Ok(published) => {
            if let Some(why) = published.distrusted {
                tell(&format!(
                    "what was published for promotion before didn't count ({why}) and was replaced by what is known here"
                ));
            }
            Publishing::Done(published.head)
        }
        Err(error) => {
            let done = refused(&error.to_string());
            if error.is_temporary() {
                Publishing::Failed
            } else {
                done
            }
        }
    }
}

async fn published(
    opened: &Opened,
    known: Option<&BTreeMap<TargetName, History>>,
) -> Result<Published, ProjectError> {
    let histories = match known {
        Some(known) => known.clone(),
        None => histories(opened).await?,
    };
    let (publisher, targets) = (opened.project.publisher(), Arc::clone(&opened.targets));
    let remote = opened.project.remote().cloned();
    let repository = opened.project.repository().cloned();
    let name = opened.environment().name.clone();
    // Writing objects, signing and pushing keep a thread busy.
    let publishing = tokio::task::spawn_blocking(move || {
        let nothing = Published {
            head: None,
            distrusted: None,
        };
        match (remote, repository) {
            // Where the next environment reads them.
            (Some(remote), _) => {
                let mut published = nothing;
                remote.publish(&name, |mirror| {
                    published = publisher.publish(mirror, &targets, &histories)?;
                    Ok(())
                })?;
                Ok(published)
            }
            (None, Some(repository)) => publisher.publish(&repository, &targets, &histories),
            (None, None) => Ok(nothing),
        }
    });
    publishing
        .await
        .unwrap_or(Err(ProjectError::Lost("publishing promotion records")))
}

async fn histories(opened: &Opened) -> Result<BTreeMap<TargetName, History>, ProjectError> {
    let mut histories = BTreeMap::new();
    for target in opened.names() {
        let history = opened.history(&target).await?;
        histories.insert(target, history);
    }
    Ok(histories)
}
