//! GitHub: <https://docs.github.com/en/webhooks/webhook-events-and-payloads>.

use std::borrow::Cow;

use whimbrel_sdk::prelude::*;
use whimbrel_sdk::serde;
use whimbrel_sdk::webhook::{Delivery, Event, Rejection};

use super::parts::{Named, Request, change, document, fork, ignored, malformed, push};

#[derive(Deserialize)]
#[serde(crate = "serde")]
struct Pushed {
    #[serde(rename = "ref")]
    reference: String,
    before: Option<String>,
    after: Option<String>,
    #[serde(default)]
    forced: bool,
    repository: Named,
}

#[derive(Deserialize)]
#[serde(crate = "serde")]
struct Asked {
    action: String,
    number: u64,
    pull_request: Pull,
    repository: Named,
    /// What `edited` changed.
    #[serde(default)]
    changes: Json,
}

#[derive(Deserialize)]
#[serde(crate = "serde")]
pub(super) struct Pull {
    pub head: Side,
    pub base: Side,
    pub state: String,
}

#[derive(Deserialize)]
#[serde(crate = "serde")]
pub(super) struct Side {
    #[serde(rename = "ref")]
    pub branch: String,
    pub sha: String,
    /// None when it was deleted.
    pub repo: Option<Named>,
}

#[derive(Deserialize)]
#[serde(crate = "serde")]
struct Other {
    #[serde(default)]
    repository: Option<Named>,
}

impl Pull {
    /// The event of a pull request that GitHub or Gitea describe.
    pub fn event(self, number: u64, repository: &str) -> Result<Event, Rejection> {
        let head = self.head.repo.map(|named| named.full_name);
        let request = Request {
            number,
            commit: self.head.sha,
            reference: format!("refs/pull/{number}/head"),
            fork: fork(head.as_deref(), repository),
            base: self.base.branch,
            open: self.state == "open",
        };
        request.event()
    }
}

pub(super) fn read(name: &str, delivery: &Delivery) -> Result<(String, Event), Rejection> {
    let body = body(delivery)?;
    match name {
        "push" => {
            let pushed: Pushed = document(&body)?;
            let change = change(pushed.reference, pushed.before, pushed.after, pushed.forced);
            Ok((pushed.repository.full_name, push([change])?))
        }
        "pull_request" => {
            let asked: Asked = document(&body)?;
            let repository = asked.repository.full_name;
            let is_retargeted = asked.action == "edited" && asked.changes.get("base").is_some();
            let event = match asked.action.as_str() {
                "opened" | "synchronize" | "reopened" | "closed" | "ready_for_review" => {
                    asked.pull_request.event(asked.number, &repository)?
                }
                _ if is_retargeted => asked.pull_request.event(asked.number, &repository)?,
                action => ignored(&format!("pull_request {action}")),
            };
            Ok((repository, event))
        }
        name => {
            let other: Other = document(&body)?;
            let event = if name == "ping" {
                Event::Ping
            } else {
                ignored(name)
            };
            Ok((other.repository.unwrap_or_default().full_name, event))
        }
    }
}

/// The document of a delivery: its body, or the field `payload` of a form.
fn body(delivery: &Delivery) -> Result<Cow<'_, [u8]>, Rejection> {
    let kind = delivery.header("content-type").unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return Ok(Cow::Borrowed(&delivery.body));
    }
    form_urlencoded::parse(&delivery.body)
        .find(|(name, _)| name == "payload")
        .map(|(_, value)| Cow::Owned(value.into_owned().into_bytes()))
        .ok_or_else(|| malformed("a form without the field `payload`"))
}
