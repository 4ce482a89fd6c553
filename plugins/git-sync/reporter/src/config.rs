//! The reporter's `with:`.

use whimbrel_sdk::prelude::*;
use whimbrel_sdk::{address, schemars, serde, session};

/// Where results are shown, and as whom.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(crate = "serde", rename_all = "camelCase", deny_unknown_fields)]
#[schemars(crate = "schemars")]
pub struct Config {
    /// The kind of host.
    pub host: GitHost,
    /// The address of its API: `https://api.github.com`, `https://gitlab.com/api/v4`, `https://api.bitbucket.org/2.0`,
    /// `https://bitbucket.example.org/rest/api/latest`, `https://gitea.example.org/api/v1`.
    pub api: String,
    /// The repository there: `owner/name`, with all of its groups at GitLab, with the project's key at Bitbucket Data Center.
    pub repository: String,
    /// The account that the token is of, as it is named beside its comments: no other's comment is ever taken for our own.
    pub account: String,
    /// An access token that may write statuses and comments, as a reference.
    pub token: String,
    /// At Bitbucket, who shows a token that needs a username with it.
    #[serde(default)]
    pub username: Option<String>,
}

/// A kind of Git host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(crate = "serde")]
#[schemars(crate = "schemars")]
pub enum GitHost {
    /// GitHub, and GitHub Enterprise Server.
    #[serde(rename = "github")]
    GitHub,
    /// GitLab.
    #[serde(rename = "gitlab")]
    GitLab,
    /// Bitbucket Cloud.
    #[serde(rename = "bitbucket-cloud")]
    BitbucketCloud,
    /// Bitbucket Data Center and Server.
    #[serde(rename = "bitbucket-data-center")]
    BitbucketDataCenter,
    /// Gitea.
    #[serde(rename = "gitea")]
    Gitea,
    /// Forgejo.
    #[serde(rename = "forgejo")]
    Forgejo,
}

impl Config {
    /// What no schema can say.
    ///
    /// # Errors
    /// A field makes no sense.
    pub fn check(&self) -> Result<(), Fault> {
        address::check_with_path("/api", &self.api)?;
        session::check("/token", &self.token)?;
        if self.account.trim().is_empty() {
            return Err(Fault::invalid(
                "/account",
                "expected the name of an account",
            ));
        }
        let parts = self.repository.split('/');
        let is_part =
            |part: &str| !matches!(part, "" | "." | "..") && !part.contains(char::is_control);
        let count = parts.clone().count();
        let is_repository = parts.clone().all(is_part)
            && (count == 2 || (count > 2 && self.host == GitHost::GitLab));
        if !is_repository {
            return Err(Fault::invalid("/repository", "expected `owner/name`"));
        }
        Ok(())
    }

    /// The two parts of the repository's name.
    #[must_use]
    pub fn owner_and_name(&self) -> (&str, &str) {
        self.repository.split_once('/').unwrap_or_default()
    }
}
