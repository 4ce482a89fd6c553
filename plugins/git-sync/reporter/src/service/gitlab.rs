//! GitLab: <https://docs.gitlab.com/api/commits/#set-commit-pipeline-status>,
//! <https://docs.gitlab.com/api/notes/#merge-requests>.

use whimbrel_sdk::http::Response;
use whimbrel_sdk::prelude::*;
use whimbrel_sdk::reporter::{State, Status};

use super::{Comment, Page, Service, items, text, texts};
use crate::api::Call;
use crate::text::short;

/// Comments of one page. A hundred long ones would be more than the host lets through.
const PAGE: usize = 30;

/// The longest description of a status, in characters.
const DESCRIPTION: usize = 255;

/// The longest comment that we write, in characters. It would take a million, which nobody reads and one request of ours
/// can't carry.
const COMMENT: usize = 200_000;

pub(super) struct GitLab {
    /// `/projects/group%2Fname`.
    project: String,
}

impl GitLab {
    pub(super) fn new(project: &str) -> Self {
        Self {
            project: format!("/projects/{project}"),
        }
    }

    fn notes(&self, number: u64) -> String {
        format!("{}/merge_requests/{number}/notes", self.project)
    }
}

impl Service for GitLab {
    fn status(&self, status: &Status) -> Call {
        let mut body = json!({
            "state": match status.state {
                State::Pending => "pending",
                State::Success => "success",
                State::Failure => "failed",
            },
            "name": status.context,
            "description": short(&status.summary, DESCRIPTION),
        });
        if let (Some(link), Some(body)) = (&status.link, body.as_object_mut()) {
            body.insert("target_url".to_owned(), json!(link));
        }
        let path = format!("{}/statuses/{}", self.project, status.commit);
        Call::with("POST", path, body)
    }

    fn is_shown(&self, status: &Status, answer: &Response) -> bool {
        let body: Json = answer.json().unwrap_or_default();
        answer.status == 400
            && status.state == State::Pending
            && text(&body, "/message").contains("Cannot transition status")
    }

    fn longest_comment(&self) -> usize {
        COMMENT
    }

    fn comments(&self, number: u64, page: u64) -> String {
        format!(
            "{}?per_page={PAGE}&page={page}&sort=asc&order_by=created_at",
            self.notes(number)
        )
    }

    fn page(&self, body: &Json, page: u64) -> Page {
        let all = items(Some(body));
        let comment = |one: &Json| {
            Some(Comment {
                id: one.get("id")?.as_u64()?,
                version: 0,
                text: text(one, "/body"),
                authors: texts(one, &["/author/username"]),
            })
        };
        Page {
            comments: all.iter().filter_map(comment).collect(),
            next: (all.len() >= PAGE).then_some(page + 1),
        }
    }

    fn create(&self, number: u64, text: &str) -> Call {
        Call::with("POST", self.notes(number), json!({ "body": text }))
    }

    fn replace(&self, number: u64, comment: &Comment, text: &str) -> Call {
        let path = format!("{}/{}", self.notes(number), comment.id);
        Call::with("PUT", path, json!({ "body": text }))
    }
}
