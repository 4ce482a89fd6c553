//! Bitbucket Cloud: <https://support.atlassian.com/bitbucket-cloud/docs/event-payloads/>. Commits of pull requests are
//! abbreviated, and there is no reference of the request's own to fetch: it is the source's branch.

use whimbrel_sdk::prelude::*;
use whimbrel_sdk::serde;
use whimbrel_sdk::webhook::{Delivery, Event, Push, Rejection};

use super::parts::{Named, Request, change, document, fork, ignored, push};

#[derive(Deserialize)]
#[serde(crate = "serde")]
struct Pushed {
    push: Changes,
    repository: Named,
}

#[derive(Deserialize)]
#[serde(crate = "serde")]
struct Changes {
    changes: Vec<Change>,
}

#[derive(Deserialize)]
#[serde(crate = "serde")]
struct Change {
    new: Option<Place>,
    old: Option<Place>,
    #[serde(default)]
    forced: bool,
}

#[derive(Deserialize)]
#[serde(crate = "serde")]
struct Place {
    #[serde(rename = "type")]
    kind: String,
    name: String,
    target: Commit,
}

#[derive(Deserialize)]
#[serde(crate = "serde")]
struct Commit {
    hash: String,
}

#[derive(Deserialize)]
#[serde(crate = "serde")]
struct Asked {
    pullrequest: Pull,
    repository: Named,
}

#[derive(Deserialize)]
#[serde(crate = "serde")]
struct Pull {
    id: u64,
    source: Side,
    destination: Side,
}

#[derive(Deserialize)]
#[serde(crate = "serde")]
struct Side {
    branch: Branch,
    /// None when its branch is gone.
    commit: Option<Commit>,
    repository: Option<Named>,
}

#[derive(Deserialize)]
#[serde(crate = "serde")]
struct Branch {
    name: String,
}

#[derive(Deserialize)]
#[serde(crate = "serde")]
struct Other {
    #[serde(default)]
    repository: Option<Named>,
}

pub(super) fn read(name: &str, delivery: &Delivery) -> Result<(String, Event), Rejection> {
    let body = &delivery.body;
    match name {
        "repo:push" => {
            let pushed: Pushed = document(body)?;
            let changes = pushed.push.changes.into_iter().filter_map(changed);
            Ok((pushed.repository.full_name, push(changes)?))
        }
        "pullrequest:created"
        | "pullrequest:updated"
        | "pullrequest:fulfilled"
        | "pullrequest:rejected" => {
            let asked: Asked = document(body)?;
            let repository = asked.repository.full_name;
            let pull = asked.pullrequest;
            let open = matches!(name, "pullrequest:created" | "pullrequest:updated");
            let Some(commit) = pull.source.commit else {
                return Ok((repository, ignored("pull request without a commit")));
            };
            let head = pull.source.repository.map(|named| named.full_name);
            let request = Request {
                number: pull.id,
                commit: commit.hash,
                reference: format!("refs/heads/{}", pull.source.branch.name),
                fork: fork(head.as_deref(), &repository),
                base: pull.destination.branch.name,
                open,
            };
            Ok((repository, request.event()?))
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

/// A change of a reference; one of something that is none (Mercurial's bookmarks once were) isn't told.
fn changed(one: Change) -> Option<Result<Push, Rejection>> {
    let place = one.new.as_ref().or(one.old.as_ref())?;
    let folder = match place.kind.as_str() {
        "branch" | "named_branch" => "heads",
        "tag" | "annotated_tag" => "tags",
        _ => return None,
    };
    let name = format!("refs/{folder}/{}", place.name);
    let hash = |place: Place| place.target.hash;
    Some(change(
        name,
        one.old.map(hash),
        one.new.map(hash),
        one.forced,
    ))
}
