//! GitHub: <https://docs.github.com/en/rest/commits/statuses>, <https://docs.github.com/en/rest/issues/comments>; and Gitea
//! and Forgejo, which took much of it over.

use whimbrel_sdk::prelude::*;
use whimbrel_sdk::reporter::{State, Status};

use super::{Comment, Page, Service, items, text, texts};
use crate::api::Call;
use crate::text::short;

/// Comments of one page. A hundred of the longest would be more than the host lets through.
const PAGE: usize = 30;

/// The longest description of a status, in characters.
const DESCRIPTION: usize = 140;

/// The longest comment, in characters; Gitea has no limit of its own.
const COMMENT: usize = 65_536;

pub(super) struct GitHub {
    /// `/repos/owner/name`.
    repository: String,
    /// Gitea gives all comments at once.
    has_pages: bool,
}

impl GitHub {
    pub(super) fn new(owner: &str, name: &str) -> Self {
        Self {
            repository: format!("/repos/{owner}/{name}"),
            has_pages: true,
        }
    }

    pub(super) fn of_gitea(owner: &str, name: &str) -> Self {
        Self {
            has_pages: false,
            ..Self::new(owner, name)
        }
    }
}

impl Service for GitHub {
    fn status(&self, status: &Status) -> Call {
        let mut body = json!({
            "state": match status.state {
                State::Pending => "pending",
                State::Success => "success",
                State::Failure => "failure",
            },
            "context": status.context,
            "description": short(&status.summary, DESCRIPTION),
        });
        if let (Some(link), Some(body)) = (&status.link, body.as_object_mut()) {
            body.insert("target_url".to_owned(), json!(link));
        }
        let path = format!("{}/statuses/{}", self.repository, status.commit);
        Call::with("POST", path, body)
    }

    fn longest_comment(&self) -> usize {
        COMMENT
    }

    fn comments(&self, number: u64, page: u64) -> String {
        let path = format!("{}/issues/{number}/comments", self.repository);
        if self.has_pages {
            format!("{path}?per_page={PAGE}&page={page}")
        } else {
            path
        }
    }

    fn page(&self, body: &Json, page: u64) -> Page {
        let all = items(Some(body));
        let comment = |one: &Json| {
            Some(Comment {
                id: one.get("id")?.as_u64()?,
                version: 0,
                text: text(one, "/body"),
                authors: texts(one, &["/user/login"]),
            })
        };
        Page {
            comments: all.iter().filter_map(comment).collect(),
            next: (self.has_pages && all.len() >= PAGE).then_some(page + 1),
        }
    }

    fn create(&self, number: u64, text: &str) -> Call {
        let path = format!("{}/issues/{number}/comments", self.repository);
        Call::with("POST", path, json!({ "body": text }))
    }

    fn replace(&self, _: u64, comment: &Comment, text: &str) -> Call {
        let path = format!("{}/issues/comments/{}", self.repository, comment.id);
        Call::with("PATCH", path, json!({ "body": text }))
    }
}
