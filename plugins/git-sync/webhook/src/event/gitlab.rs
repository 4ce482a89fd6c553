//! GitLab: <https://docs.gitlab.com/user/project/integrations/webhook_events/>, and system hooks, whose pushes say
//! `event_name` only.

use whimbrel_sdk::prelude::*;
use whimbrel_sdk::serde;
use whimbrel_sdk::webhook::{Delivery, Event, Rejection};

use super::parts::{Request, change, document, fork, ignored, push};

#[derive(Deserialize)]
#[serde(crate = "serde")]
struct Head {
    object_kind: Option<String>,
    event_name: Option<String>,
    project: Option<Project>,
}

#[derive(Default, Deserialize)]
#[serde(crate = "serde")]
struct Project {
    #[serde(default)]
    path_with_namespace: String,
}

#[derive(Deserialize)]
#[serde(crate = "serde")]
struct Pushed {
    #[serde(rename = "ref")]
    reference: String,
    before: Option<String>,
    after: Option<String>,
}

#[derive(Deserialize)]
#[serde(crate = "serde")]
struct Asked {
    object_attributes: Attributes,
}

#[derive(Deserialize)]
#[serde(crate = "serde")]
struct Attributes {
    iid: u64,
    state: String,
    /// System hooks leave it out.
    action: Option<String>,
    target_branch: String,
    source_project_id: Option<u64>,
    target_project_id: Option<u64>,
    source: Option<Project>,
    last_commit: Option<Commit>,
    /// There when an update changed the commits.
    oldrev: Option<String>,
}

#[derive(Deserialize)]
#[serde(crate = "serde")]
struct Commit {
    id: String,
}

#[derive(Deserialize)]
#[serde(crate = "serde")]
struct Changed {
    #[serde(default)]
    changes: Json,
}

pub(super) fn read(delivery: &Delivery) -> Result<(String, Event), Rejection> {
    let head: Head = document(&delivery.body)?;
    let repository = head.project.unwrap_or_default().path_with_namespace;
    let kind = head.object_kind.or(head.event_name).unwrap_or_default();
    let event = match kind.as_str() {
        "push" | "tag_push" => {
            let pushed: Pushed = document(&delivery.body)?;
            // It doesn't say whether it was forced: the fetch shows it.
            push([change(pushed.reference, pushed.before, pushed.after, false)])?
        }
        "merge_request" => request(delivery)?,
        kind => ignored(kind),
    };
    Ok((repository, event))
}

fn request(delivery: &Delivery) -> Result<Event, Rejection> {
    let asked: Asked = document(&delivery.body)?;
    let changed: Changed = document(&delivery.body)?;
    let attributes = asked.object_attributes;
    let is_retargeted = changed.changes.get("target_branch").is_some();
    match attributes.action.as_deref() {
        None | Some("open" | "reopen" | "close" | "merge") => {}
        Some("update") if attributes.oldrev.is_some() || is_retargeted => {}
        Some(action) => return Ok(ignored(&format!("merge_request {action}"))),
    }
    let Some(commit) = attributes.last_commit else {
        return Ok(ignored("merge_request without a commit"));
    };
    let is_ours = attributes.source_project_id.is_some()
        && attributes.source_project_id == attributes.target_project_id;
    let source = attributes.source.map(|source| source.path_with_namespace);
    let request = Request {
        number: attributes.iid,
        commit: commit.id,
        reference: format!("refs/merge-requests/{}/head", attributes.iid),
        fork: if is_ours {
            None
        } else {
            fork(source.as_deref(), "")
        },
        base: attributes.target_branch,
        open: attributes.state == "opened",
    };
    request.event()
}
