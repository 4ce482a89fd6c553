//! Bitbucket Data Center: <https://confluence.atlassian.com/bitbucketserver/event-payload-938025882.html>.

use whimbrel_sdk::prelude::*;
use whimbrel_sdk::serde;
use whimbrel_sdk::webhook::{Delivery, Event, Rejection};

use super::parts::{Request, change, document, fork, ignored, push};

#[derive(Deserialize)]
#[serde(crate = "serde")]
struct Pushed {
    repository: Repository,
    changes: Vec<Change>,
}

#[derive(Deserialize)]
#[serde(crate = "serde")]
struct Repository {
    slug: String,
    project: Project,
}

#[derive(Deserialize)]
#[serde(crate = "serde")]
struct Project {
    key: String,
}

#[derive(Deserialize)]
#[serde(crate = "serde", rename_all = "camelCase")]
struct Change {
    #[serde(rename = "ref")]
    reference: Reference,
    from_hash: Option<String>,
    to_hash: Option<String>,
}

#[derive(Deserialize)]
#[serde(crate = "serde")]
struct Reference {
    id: String,
}

#[derive(Deserialize)]
#[serde(crate = "serde", rename_all = "camelCase")]
struct Asked {
    pull_request: Pull,
    /// Of `pr:modified`, where it was to go before.
    previous_target: Option<Reference>,
}

#[derive(Deserialize)]
#[serde(crate = "serde", rename_all = "camelCase")]
struct Pull {
    id: u64,
    #[serde(default)]
    open: bool,
    from_ref: Side,
    to_ref: Side,
}

#[derive(Deserialize)]
#[serde(crate = "serde", rename_all = "camelCase")]
struct Side {
    id: String,
    latest_commit: String,
    repository: Repository,
}

#[derive(Deserialize)]
#[serde(crate = "serde")]
struct Other {
    #[serde(default)]
    repository: Option<Repository>,
}

impl Repository {
    fn full_name(&self) -> String {
        format!("{}/{}", self.project.key, self.slug)
    }
}

pub(super) fn read(name: &str, delivery: &Delivery) -> Result<(String, Event), Rejection> {
    let body = &delivery.body;
    match name {
        "repo:refs_changed" => {
            let pushed: Pushed = document(body)?;
            // It doesn't say whether it was forced: the fetch shows it.
            let changes = pushed
                .changes
                .into_iter()
                .map(|one| change(one.reference.id, one.from_hash, one.to_hash, false));
            Ok((pushed.repository.full_name(), push(changes)?))
        }
        "pr:opened"
        | "pr:from_ref_updated"
        | "pr:modified"
        | "pr:reopened"
        | "pr:merged"
        | "pr:declined"
        | "pr:deleted" => request(name, body),
        "diagnostics:ping" => Ok((String::new(), Event::Ping)),
        name => {
            let other: Other = document(body)?;
            let repository = other.repository.map(|one| one.full_name());
            Ok((repository.unwrap_or_default(), ignored(name)))
        }
    }
}

fn request(name: &str, body: &[u8]) -> Result<(String, Event), Rejection> {
    let asked: Asked = document(body)?;
    let pull = asked.pull_request;
    let repository = pull.to_ref.repository.full_name();
    let is_retargeted = asked
        .previous_target
        .is_some_and(|previous| previous.id != pull.to_ref.id);
    if name == "pr:modified" && !is_retargeted {
        return Ok((repository, ignored(name)));
    }
    let base = pull.to_ref.id;
    let request = Request {
        number: pull.id,
        commit: pull.from_ref.latest_commit,
        reference: format!("refs/pull-requests/{}/from", pull.id),
        fork: fork(Some(&pull.from_ref.repository.full_name()), &repository),
        base: base.strip_prefix("refs/heads/").unwrap_or(&base).to_owned(),
        open: pull.open && name != "pr:deleted",
    };
    Ok((repository, request.event()?))
}
