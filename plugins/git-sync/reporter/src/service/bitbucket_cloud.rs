//! Bitbucket Cloud: <https://developer.atlassian.com/cloud/bitbucket/rest/api-group-commit-statuses/>,
//! <https://developer.atlassian.com/cloud/bitbucket/rest/api-group-pullrequests/>.

use whimbrel_sdk::prelude::*;
use whimbrel_sdk::reporter::{State, Status};

use super::{Comment, Page, Service, items, text, texts};
use crate::api::Call;
use crate::text::{name, short};

/// Comments of one page: the most that it gives.
const PAGE: usize = 100;

/// The longest key of a status, in characters.
const KEY: usize = 40;

/// The longest description of a status, in characters.
const DESCRIPTION: usize = 255;

/// The longest comment, in characters.
const COMMENT: usize = 32_768;

pub(super) struct Cloud {
    /// `workspace/name`.
    name: String,
}

impl Cloud {
    pub(super) fn new(workspace: &str, name: &str) -> Self {
        Self {
            name: format!("{workspace}/{name}"),
        }
    }

    fn request(&self, number: u64) -> String {
        format!("/repositories/{}/pullrequests/{number}/comments", self.name)
    }
}

impl Service for Cloud {
    fn status(&self, status: &Status) -> Call {
        // A link is required: without one of ours, that of the commit.
        let own = format!(
            "https://bitbucket.org/{}/commits/{}",
            self.name, status.commit
        );
        let body = json!({
            "key": name(&status.context, KEY),
            "name": status.context,
            "state": match status.state {
                State::Pending => "INPROGRESS",
                State::Success => "SUCCESSFUL",
                State::Failure => "FAILED",
            },
            "description": short(&status.summary, DESCRIPTION),
            "url": status.link.as_deref().unwrap_or(&own),
        });
        let path = format!(
            "/repositories/{}/commit/{}/statuses/build",
            self.name, status.commit
        );
        Call::with("POST", path, body)
    }

    fn longest_comment(&self) -> usize {
        COMMENT
    }

    fn comments(&self, number: u64, page: u64) -> String {
        format!("{}?pagelen={PAGE}&page={page}", self.request(number))
    }

    fn page(&self, body: &Json, page: u64) -> Page {
        let comment = |one: &Json| {
            if one.get("deleted") == Some(&json!(true)) {
                return None;
            }
            Some(Comment {
                id: one.get("id")?.as_u64()?,
                version: 0,
                text: text(one, "/content/raw"),
                authors: texts(
                    one,
                    &[
                        "/user/account_id",
                        "/user/uuid",
                        "/user/nickname",
                        "/user/username",
                    ],
                ),
            })
        };
        Page {
            comments: items(body.get("values"))
                .iter()
                .filter_map(comment)
                .collect(),
            next: body.get("next").map(|_| page + 1),
        }
    }

    fn create(&self, number: u64, text: &str) -> Call {
        let body = json!({ "content": { "raw": text } });
        Call::with("POST", self.request(number), body)
    }

    fn replace(&self, number: u64, comment: &Comment, text: &str) -> Call {
        let path = format!("{}/{}", self.request(number), comment.id);
        Call::with("PUT", path, json!({ "content": { "raw": text } }))
    }
}
