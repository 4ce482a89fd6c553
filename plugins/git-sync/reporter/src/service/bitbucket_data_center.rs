//! Bitbucket Data Center: <https://developer.atlassian.com/server/bitbucket/rest/>. A pull request's comments are found among
//! its activities; an edit says which version it is of, and another's edit in between makes it fail.

use whimbrel_sdk::address;
use whimbrel_sdk::prelude::*;
use whimbrel_sdk::reporter::{State, Status};

use super::{Comment, Page, Service, items, text, texts};
use crate::api::Call;
use crate::text::{name, short};

/// Activities of one page.
const PAGE: usize = 100;

/// The longest key of a status, in characters.
const KEY: usize = 255;

/// The longest description of a status, in characters.
const DESCRIPTION: usize = 255;

/// The longest comment, in characters.
const COMMENT: usize = 32_768;

pub(super) struct DataCenter {
    /// `/projects/KEY/repos/slug`.
    repository: String,
    /// Where people see it.
    page: String,
}

impl DataCenter {
    pub(super) fn new(api: &str, project: &str, slug: &str) -> Result<Self, Fault> {
        let repository = format!("/projects/{project}/repos/{slug}");
        let (root, _) = api.split_once("/rest/").ok_or_else(|| {
            Fault::invalid(
                "/api",
                "expected an address that ends with `/rest/api/latest`",
            )
        })?;
        address::check_with_path("/api", root)?;
        Ok(Self {
            page: format!("{root}{repository}"),
            repository,
        })
    }

    fn request(&self, number: u64) -> String {
        format!("{}/pull-requests/{number}", self.repository)
    }
}

impl Service for DataCenter {
    fn status(&self, status: &Status) -> Call {
        // A link is required: without one of ours, that of the commit.
        let own = format!("{}/commits/{}", self.page, status.commit);
        let body = json!({
            "key": name(&status.context, KEY),
            "name": short(&status.context, DESCRIPTION),
            "state": match status.state {
                State::Pending => "INPROGRESS",
                State::Success => "SUCCESSFUL",
                State::Failure => "FAILED",
            },
            "description": short(&status.summary, DESCRIPTION),
            "url": status.link.as_deref().unwrap_or(&own),
        });
        let path = format!("{}/commits/{}/builds", self.repository, status.commit);
        Call::with("POST", path, body)
    }

    fn longest_comment(&self) -> usize {
        COMMENT
    }

    fn first_page(&self) -> u64 {
        0
    }

    fn comments(&self, number: u64, start: u64) -> String {
        format!(
            "{}/activities?limit={PAGE}&start={start}",
            self.request(number)
        )
    }

    fn page(&self, body: &Json, _: u64) -> Page {
        let comment = |activity: &Json| {
            if text(activity, "/action") != "COMMENTED" {
                return None;
            }
            let one = activity.get("comment")?;
            Some(Comment {
                id: one.get("id")?.as_u64()?,
                version: one.get("version")?.as_u64()?,
                text: text(one, "/text"),
                authors: texts(one, &["/author/name", "/author/slug"]),
            })
        };
        let is_last = body.get("isLastPage") != Some(&json!(false));
        let next = body.get("nextPageStart").and_then(Json::as_u64);
        Page {
            comments: items(body.get("values"))
                .iter()
                .filter_map(comment)
                .collect(),
            next: next.filter(|_| !is_last),
        }
    }

    fn create(&self, number: u64, text: &str) -> Call {
        let path = format!("{}/comments", self.request(number));
        Call::with("POST", path, json!({ "text": text }))
    }

    fn replace(&self, number: u64, comment: &Comment, text: &str) -> Call {
        let path = format!("{}/comments/{}", self.request(number), comment.id);
        let body = json!({ "text": text, "version": comment.version });
        Call::with("PUT", path, body)
    }
}
