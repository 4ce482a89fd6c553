//! After a run: what the next environment may take over.

use std::collections::BTreeMap;
use std::sync::Arc;

use whimbrel_core::history::History;
use whimbrel_core::name::TargetName;
use whimbrel_project::{ProjectError, publish_promotions};
use whimbrel_report::warn;

use crate::opened::Opened;

/// Publishes what every target has. The run is over and went well, so what keeps this from being published is told and
/// changes nothing else.
pub async fn publish(opened: &Opened, known: Option<&BTreeMap<TargetName, History>>) {
    let name = &opened.environment().name;
    let awaited = opened
        .project
        .definitions()
        .environments
        .values()
        .any(|other| other.after.as_ref() == Some(name));
    let tell = |why: &str| {
        if awaited {
            opened.context.notice(&format!(
                "{} not published for promotion: {why}",
                warn("note:")
            ));
        }
    };
    let (Some(repository), Some(revision)) =
        (opened.project.repository(), opened.project.revision())
    else {
        return tell("the project isn't a commit of a Git repository");
    };
    if revision.dirty {
        return tell("the definitions have changes that no commit has");
    }
    let read;
    let histories = match known {
        Some(known) => known,
        None => match histories(opened).await {
            Ok(histories) => {
                read = histories;
                &read
            }
            Err(error) => return tell(&error.to_string()),
        },
    };
    let published = match opened.project.remote() {
        None => publish_promotions(repository, &opened.targets, histories).map(|_| ()),
        // Where the next environment reads them.
        Some(remote) => {
            let (remote, name) = (remote.clone(), name.clone());
            let (targets, histories) = (Arc::clone(&opened.targets), histories.clone());
            let pushed = tokio::task::spawn_blocking(move || {
                remote.publish(&name, |mirror| {
                    publish_promotions(mirror, &targets, &histories).map(|_| ())
                })
            });
            match pushed.await {
                Ok(published) => published,
                Err(_) => Err(ProjectError::Lost("pushing promotion records")),
            }
        }
    };
    if let Err(error) = published {
        tell(&error.to_string());
    }
}

async fn histories(opened: &Opened) -> Result<BTreeMap<TargetName, History>, ProjectError> {
    let mut histories = BTreeMap::new();
    for target in opened.names() {
        let history = opened.history(&target).await?;
        histories.insert(target, history);
    }
    Ok(histories)
}
