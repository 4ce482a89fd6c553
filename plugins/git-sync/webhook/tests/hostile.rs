//! Bytes of an enemy: whatever they are, there is an answer, and none of them is genuine.

#![allow(clippy::unwrap_used)]

mod support;

use git_webhook::GitHost;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use support::{SECRET, delivery, examples, receive, signed, testdata};

const EVENTS: [(GitHost, &str); 18] = [
    (GitHost::GitHub, "push"),
    (GitHost::GitHub, "pull_request"),
    (GitHost::GitHub, "ping"),
    (GitHost::GitLab, "Push Hook"),
    (GitHost::GitLab, "Merge Request Hook"),
    (GitHost::BitbucketCloud, "repo:push"),
    (GitHost::BitbucketCloud, "pullrequest:created"),
    (GitHost::BitbucketDataCenter, "repo:refs_changed"),
    (GitHost::BitbucketDataCenter, "pr:opened"),
    (GitHost::BitbucketDataCenter, "pr:modified"),
    (GitHost::Gitea, "push"),
    (GitHost::Gitea, "pull_request"),
    (GitHost::Gitea, "create"),
    (GitHost::Gitea, "delete"),
    (GitHost::Forgejo, "push"),
    (GitHost::Gogs, "push"),
    (GitHost::Gogs, "pull_request"),
    (GitHost::Gogs, "create"),
];

/// Genuine payloads of every host.
fn genuine() -> Vec<Vec<u8>> {
    let mut all: Vec<Vec<u8>> = [
        "github",
        "gitlab",
        "bitbucket",
        "bitbucket-server",
        "gitea",
        "gogs",
    ]
    .into_iter()
    .flat_map(|host| testdata(host).into_iter().map(|(_, body)| body))
    .collect();
    all.extend(
        examples()
            .into_iter()
            .filter(|(name, _)| name == "push" || name == "pull_request")
            .map(|(_, body)| body.to_string().into_bytes()),
    );
    all
}

/// Some bytes replaced, and the rest maybe cut off.
fn mutated(mut body: Vec<u8>, changes: &[(Index, u8)], cut: Option<&Index>) -> Vec<u8> {
    if body.is_empty() {
        return body;
    }
    for (place, byte) in changes {
        let place = place.index(body.len());
        if let Some(old) = body.get_mut(place) {
            *old = *byte;
        }
    }
    if let Some(cut) = cut {
        body.truncate(cut.index(body.len()));
    }
    body
}

fn headers() -> impl Strategy<Value = Vec<(String, String)>> {
    let name = select(vec![
        "x-github-event",
        "x-gitlab-event",
        "x-event-key",
        "x-gitea-event",
        "x-forgejo-event",
        "x-gogs-event",
        "x-hub-signature",
        "x-hub-signature-256",
        "x-gitlab-token",
        "x-gitea-signature",
        "x-gogs-signature",
        "x-forgejo-signature",
        "webhook-signature",
        "webhook-id",
        "webhook-timestamp",
        "x-hook-uuid",
        "x-github-delivery",
        "content-type",
    ]);
    let value = prop_oneof![
        ".{0,80}",
        "sha256=[0-9a-f]{60,68}",
        "[0-9a-f]{64}",
        "(v1,[A-Za-z0-9+/]{43}= ?){1,6}",
        select(vec![
            "push",
            "ping",
            "pull_request",
            "repo:push",
            "1800000000",
            "application/x-www-form-urlencoded"
        ])
        .prop_map(str::to_owned),
    ];
    prop::collection::vec((name.prop_map(str::to_owned), value), 0..8)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_not_signed_never_verifies(headers in headers(), body in prop::collection::vec(any::<u8>(), 0..300)) {
        let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        prop_assert!(receive(&delivery(&headers, &body), &[SECRET]).is_err());
    }

    #[test]
    fn a_changed_payload_never_verifies(
        event in select(EVENTS.to_vec()),
        body in select(genuine()),
        changes in prop::collection::vec((any::<Index>(), any::<u8>()), 1..4),
    ) {
        let (host, event) = event;
        prop_assume!(host != GitHost::GitLab); // its token isn't of the body
        let changed = mutated(body.clone(), &changes, None);
        prop_assume!(changed != body);
        let mut given = signed(host, event, &body, SECRET);
        given.body = changed;
        prop_assert!(receive(&given, &[SECRET]).is_err());
    }

    #[test]
    fn whatever_is_signed_has_an_answer(
        event in select(EVENTS.to_vec()),
        body in select(genuine()),
        changes in prop::collection::vec((any::<Index>(), any::<u8>()), 0..6),
        cut in prop::option::of(any::<Index>()),
    ) {
        let (host, event) = event;
        let changed = mutated(body, &changes, cut.as_ref());
        let _ = receive(&signed(host, event, &changed, SECRET), &[SECRET]);
    }

    #[test]
    fn random_bytes_that_are_signed_have_an_answer(
        event in select(EVENTS.to_vec()),
        body in prop::collection::vec(any::<u8>(), 0..2_000),
    ) {
        let (host, event) = event;
        prop_assert!(receive(&signed(host, event, &body, SECRET), &[SECRET]).is_err());
    }
}

#[test]
fn deep_documents_end_in_an_answer() {
    let body = "[".repeat(500_000);
    let body = format!(r#"{{"ref":"refs/heads/a","repository":{{"full_name":"a/b"}},"x":{body}"#);
    for (host, event) in EVENTS {
        assert!(receive(&signed(host, event, body.as_bytes(), SECRET), &[SECRET]).is_err());
    }
}
