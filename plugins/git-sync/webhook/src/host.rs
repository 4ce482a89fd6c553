//! Which host a delivery is of.

use whimbrel_sdk::prelude::*;
use whimbrel_sdk::webhook::Delivery;
use whimbrel_sdk::{schemars, serde};

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
    /// Gogs: its pushes.
    #[serde(rename = "gogs")]
    Gogs,
}

/// The headers that name an event, in the order in which they decide. Forgejo sends Gitea's too, both send those of Gogs, and
/// all three send GitHub's.
const EVENT_HEADERS: [(&str, GitHost); 6] = [
    ("x-forgejo-event", GitHost::Forgejo),
    ("x-gitea-event", GitHost::Gitea),
    ("x-gogs-event", GitHost::Gogs),
    ("x-gitlab-event", GitHost::GitLab),
    ("x-event-key", GitHost::BitbucketDataCenter),
    ("x-github-event", GitHost::GitHub),
];

impl GitHost {
    /// Its name, as configurations have it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::GitHub => "github",
            Self::GitLab => "gitlab",
            Self::BitbucketCloud => "bitbucket-cloud",
            Self::BitbucketDataCenter => "bitbucket-data-center",
            Self::Gitea => "gitea",
            Self::Forgejo => "forgejo",
            Self::Gogs => "gogs",
        }
    }

    /// Whether a source of this kind takes a delivery of that one. Early releases of Forgejo call themselves Gitea.
    #[must_use]
    pub fn serves(self, delivered: Self) -> bool {
        self == delivered || (self == Self::Forgejo && delivered == Self::Gitea)
    }
}

/// The host of a delivery, and the name of its event there.
pub(crate) fn of(delivery: &Delivery) -> Option<(GitHost, &str)> {
    let (header, host) = EVENT_HEADERS
        .into_iter()
        .find(|(header, _)| delivery.has_header(header))?;
    let event = delivery.header(header)?;
    let is_cloud = delivery.has_header("x-hook-uuid") || delivery.has_header("x-request-uuid");
    let host = match host {
        GitHost::BitbucketDataCenter if is_cloud => GitHost::BitbucketCloud,
        host => host,
    };
    Some((host, event))
}
