//! Requests are what is published of the hosts' APIs, as far as a package of reasonable size has it:
//!
//! - GitHub's and Gitea's: their own OpenAPI documents.
//! - Those of both Bitbuckets: the TypeScript declarations that `openapi-typescript` made of Atlassian's OpenAPI documents, in
//!   the package of a third party, which doesn't say of which version of Data Center. They don't keep how long a text may be.
//! - GitLab's: routes, methods and options of the Go client of `gitlab-org`. It doesn't say which options must be there, but for
//!   those that it always sends, nor how long a text may be. GitLab's OpenAPI document was found in no package.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod declarations;
mod description;
mod go_client;
mod requests;

use std::path::{Path, PathBuf};

use whimbrel_sdk::prelude::*;
use whimbrel_sdk::serde_json;

use description::Description;

/// The text of what `cargo xtask tools` fetched.
fn fetched(name: impl AsRef<Path>) -> String {
    let home = std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache/whimbrel"));
    let cache = std::env::var_os("WHIMBREL_CACHE")
        .map(PathBuf::from)
        .or(home);
    let file = cache
        .expect("a home or WHIMBREL_CACHE")
        .join("tools/payloads")
        .join(name);
    std::fs::read_to_string(&file).unwrap_or_else(|error| {
        panic!(
            "{}: {error}: `cargo xtask tools` fetches it",
            file.display()
        )
    })
}

/// Holds all requests to what is described.
fn hold(host: &str, api: &str, description: &Description) {
    let with = json!({ "host": host, "api": api, "repository": "acme/shop", "account": "bot", "token": "t-1" });
    for request in requests::all(host, &with) {
        description.check(&request);
    }
}

#[test]
fn requests_to_github_are_as_it_describes_them() {
    let api = "https://api.github.com";
    let document = serde_json::from_str(&fetched("github-openapi.json")).unwrap();
    hold("github", api, &Description::new(document, api));
}

#[test]
fn requests_to_gitea_are_as_it_describes_them() {
    let api = "https://gitea.test/api/v1";
    let document = serde_json::from_str(&fetched("gitea-openapi.json")).unwrap();
    hold("gitea", api, &Description::new(document, api));
}

#[test]
fn requests_to_gitlab_are_as_its_own_client_makes_them() {
    let api = "https://gitlab.test/api/v4";
    let client = Path::new("gitlab-client");
    let sources = ["commits.go", "notes.go", "gitlab.go", "types.go"];
    let text = sources.map(|name| fetched(client.join(name))).concat();
    let document = go_client::document(&text);
    hold("gitlab", api, &Description::new(document, api));
}

/// Cloud describes in prose, once for all operations, how pages are asked for. Of whatever it gives and takes it requires the
/// `type` by which it tells kinds apart, but its own example of a status that is set has none.
#[test]
fn requests_to_bitbucket_cloud_are_as_atlassian_describes_them() {
    let api = "https://api.bitbucket.org/2.0";
    let document = declarations::document(&fetched("bitbucket-cloud.d.ts"));
    let description = Description {
        excused: Some("type"),
        paging: &["page", "pagelen"],
        ..Description::new(document, api)
    };
    hold("bitbucket-cloud", api, &description);
}

#[test]
fn requests_to_bitbucket_data_center_are_as_atlassian_describes_them() {
    let api = "https://bitbucket.test/rest/api/latest";
    let document = declarations::document(&fetched("bitbucket-data-center.d.ts"));
    // It describes other APIs beside this one.
    let description = Description::new(document, "https://bitbucket.test/rest");
    hold("bitbucket-data-center", api, &description);
}
