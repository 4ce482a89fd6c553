//! Gitea and Forgejo, whose documents are much like GitHub's, and the pushes of Gogs.
//!
//! <https://docs.gitea.com/usage/webhooks>. They tell a reference that is made or deleted in events of its own.

use whimbrel_sdk::prelude::*;
use whimbrel_sdk::serde;
use whimbrel_sdk::webhook::{Delivery, Event, Rejection};

use super::github::Pull;
use super::parts::{Named, change, document, ignored, malformed, push};
use crate::host::GitHost;

#[derive(Deserialize)]
#[serde(crate = "serde")]
struct Pushed {
    #[serde(rename = "ref")]
    reference: String,
    before: Option<String>,
    after: Option<String>,
    repository: Named,
}

/// Of `create` and `delete`.
#[derive(Deserialize)]
#[serde(crate = "serde")]
struct Referred {
    #[serde(rename = "ref")]
    name: String,
    ref_type: String,
    sha: Option<String>,
    repository: Named,
}

#[derive(Deserialize)]
#[serde(crate = "serde")]
struct Asked {
    action: String,
    number: u64,
    pull_request: Pull,
    repository: Named,
    #[serde(default)]
    changes: Json,
}

#[derive(Deserialize)]
#[serde(crate = "serde")]
struct Other {
    #[serde(default)]
    repository: Option<Named>,
}

pub(super) fn read(
    host: GitHost,
    name: &str,
    delivery: &Delivery,
) -> Result<(String, Event), Rejection> {
    let body = &delivery.body;
    let kind = delivery.header("content-type").unwrap_or_default();
    if kind.starts_with("application/x-www-form-urlencoded") {
        return Err(malformed(
            "a form, of which the bytes that came aren't what was signed: choose `application/json`",
        ));
    }
    match name {
        "push" => {
            let pushed: Pushed = document(body)?;
            // They don't say whether it was forced: the fetch shows it.
            let change = change(pushed.reference, pushed.before, pushed.after, false);
            Ok((pushed.repository.full_name, push([change])?))
        }
        "create" | "delete" => {
            let referred: Referred = document(body)?;
            let folder = if referred.ref_type == "tag" {
                "tags"
            } else {
                "heads"
            };
            let reference = if referred.name.starts_with("refs/") {
                referred.name
            } else {
                format!("refs/{folder}/{}", referred.name)
            };
            let after = referred.sha.filter(|_| name == "create");
            let change = change(reference, None, after, false);
            Ok((referred.repository.full_name, push([change])?))
        }
        "pull_request" if host != GitHost::Gogs => {
            let asked: Asked = document(body)?;
            let repository = asked.repository.full_name;
            let is_retargeted = asked.action == "edited" && asked.changes.get("ref").is_some();
            let event = match asked.action.as_str() {
                "opened" | "synchronized" | "reopened" | "closed" => {
                    asked.pull_request.event(asked.number, &repository)?
                }
                _ if is_retargeted => asked.pull_request.event(asked.number, &repository)?,
                action => ignored(&format!("pull_request {action}")),
            };
            Ok((repository, event))
        }
        name => {
            let other: Other = document(body)?;
            Ok((
                other.repository.unwrap_or_default().full_name,
                ignored(name),
            ))
        }
    }
}
