//! What the hosts' APIs call the same things.

mod bitbucket_cloud;
mod bitbucket_data_center;
mod github;
mod gitlab;

use whimbrel_sdk::http::{Response, encoded};
use whimbrel_sdk::prelude::*;
use whimbrel_sdk::reporter::Status;

use crate::api::Call;
use crate::config::{Config, GitHost};

/// The API of one kind of host, as far as it shows results.
pub(crate) trait Service {
    /// Shows a result beside a commit.
    fn status(&self, status: &Status) -> Call;

    /// Whether a refusal only says that this result is shown already.
    fn is_shown(&self, status: &Status, answer: &Response) -> bool {
        let _ = (status, answer);
        false
    }

    /// The longest comment, in characters.
    fn longest_comment(&self) -> usize;

    /// Where the first page of comments is, as the host counts.
    fn first_page(&self) -> u64 {
        1
    }

    /// The path of a page of comments.
    fn comments(&self, number: u64, page: u64) -> String;

    /// Reads a page of comments.
    fn page(&self, body: &Json, page: u64) -> Page;

    /// Creates a comment.
    fn create(&self, number: u64, text: &str) -> Call;

    /// Replaces a comment's text.
    fn replace(&self, number: u64, comment: &Comment, text: &str) -> Call;
}

/// A comment that is there.
#[derive(Debug)]
pub(crate) struct Comment {
    pub id: u64,
    /// Where an edit says which one it is of.
    pub version: u64,
    pub text: String,
    /// Whatever its author is called.
    pub authors: Vec<String>,
}

/// Some of the comments.
pub(crate) struct Page {
    pub comments: Vec<Comment>,
    /// Where the next ones are.
    pub next: Option<u64>,
}

/// The service of a configuration.
pub(crate) fn of(config: &Config) -> Result<Box<dyn Service>, Fault> {
    let (owner, name) = config.owner_and_name();
    let (owner, name) = (encoded(owner), encoded(name));
    Ok(match config.host {
        GitHost::GitHub => Box::new(github::GitHub::new(&owner, &name)),
        GitHost::Gitea | GitHost::Forgejo => Box::new(github::GitHub::of_gitea(&owner, &name)),
        GitHost::GitLab => Box::new(gitlab::GitLab::new(&encoded(&config.repository))),
        GitHost::BitbucketCloud => Box::new(bitbucket_cloud::Cloud::new(&owner, &name)),
        GitHost::BitbucketDataCenter => Box::new(bitbucket_data_center::DataCenter::new(
            &config.api,
            &owner,
            &name,
        )?),
    })
}

/// The text at a pointer, or nothing.
fn text(body: &Json, pointer: &str) -> String {
    let text = body.pointer(pointer).and_then(Json::as_str);
    text.unwrap_or_default().to_owned()
}

/// The texts at these pointers, as far as they are there.
fn texts(body: &Json, pointers: &[&str]) -> Vec<String> {
    let all = pointers.iter().map(|pointer| text(body, pointer));
    all.filter(|text| !text.is_empty()).collect()
}

/// The items of a list, or none.
fn items(list: Option<&Json>) -> &[Json] {
    list.and_then(Json::as_array).map_or(&[], Vec::as_slice)
}
