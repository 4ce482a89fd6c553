//! What tells one delivery from another.

use sha2::{Digest, Sha256};
use whimbrel_sdk::webhook::Delivery;

use crate::host::GitHost;

/// The longest id of a host's that is used; theirs have 36 characters.
const LONGEST: usize = 100;

/// Bytes of the body's digest in an id: enough against chance.
const DIGEST_BYTES: usize = 16;

/// The same when a host sends a delivery again, another one for any other. The host's own id doesn't do alone: GitLab gives
/// deliveries that cause each other the same one, and Bitbucket Data Center all that one request caused.
pub(crate) fn of(host: GitHost, delivery: &Delivery) -> String {
    let headers: &[&str] = match host {
        GitHost::GitHub => &["x-github-delivery"],
        GitHost::GitLab => &["webhook-id", "idempotency-key", "x-gitlab-event-uuid"],
        GitHost::BitbucketCloud => &["x-request-uuid"],
        GitHost::BitbucketDataCenter => &["x-request-id"],
        GitHost::Forgejo => &["x-forgejo-delivery", "x-gitea-delivery"],
        GitHost::Gitea => &["x-gitea-delivery"],
        GitHost::Gogs => &["x-gogs-delivery"],
    };
    let given = headers.iter().find_map(|name| delivery.header(name));
    let is_plain =
        |id: &&str| id.len() <= LONGEST && id.bytes().all(|byte| byte.is_ascii_graphic());
    let given = given.filter(is_plain).unwrap_or_default();
    let digest = Sha256::digest(&delivery.body);
    let digest: String = digest
        .iter()
        .take(DIGEST_BYTES)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("{}:{given}:{digest}", host.name())
}
