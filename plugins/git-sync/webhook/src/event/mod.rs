//! What a genuine delivery says, by the host that it is of.

mod bitbucket_cloud;
mod bitbucket_data_center;
mod gitea;
mod github;
mod gitlab;
mod parts;

use whimbrel_sdk::webhook::{Delivery, Event, Rejection};

use crate::host::GitHost;

/// The repository and the event. A hook of more than one repository may be tried without any; its name is empty then.
pub(crate) fn read(
    host: GitHost,
    name: &str,
    delivery: &Delivery,
) -> Result<(String, Event), Rejection> {
    let (repository, event) = match host {
        GitHost::GitHub => github::read(name, delivery),
        GitHost::GitLab => gitlab::read(delivery),
        GitHost::BitbucketCloud => bitbucket_cloud::read(name, delivery),
        GitHost::BitbucketDataCenter => bitbucket_data_center::read(name, delivery),
        GitHost::Gitea | GitHost::Forgejo | GitHost::Gogs => gitea::read(host, name, delivery),
    }?;
    Ok((parts::name("repository", repository)?, event))
}
