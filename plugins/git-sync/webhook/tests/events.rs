//! What genuine payloads say: as the hosts' own packages of examples have them.
//!
//! tidy: long because there is a test for each host.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use git_webhook::GitHost;
use support::{SECRET, delivery, examples, hex, mac, receive, signed, testdata};
use whimbrel_sdk::prelude::*;
use whimbrel_sdk::webhook::{Event, PullRequest, Push, Rejection, Verified};

fn read(host: GitHost, event: &str, body: &[u8]) -> Verified {
    receive(&signed(host, event, body, SECRET), &[SECRET])
        .unwrap_or_else(|why| panic!("{} {event}: {why:?}", host.name()))
}

fn named(host: &str, name: &str) -> Vec<u8> {
    let all = testdata(host);
    let found = all.into_iter().find(|(known, _)| known == name);
    found.unwrap_or_else(|| panic!("no {name} of {host}")).1
}

fn pushed(verified: &Verified) -> &[Push] {
    match &verified.event {
        Event::Push(changes) => changes,
        other => panic!("{other:?}"),
    }
}

fn asked(verified: &Verified) -> &PullRequest {
    match &verified.event {
        Event::PullRequest(request) => request,
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_example_of_github_is_read() {
    let zeros = "0".repeat(40);
    let (mut pushes, mut requests, mut pings) = (0, 0, 0);
    for (name, body) in examples() {
        let text = body.to_string();
        let verified = read(GitHost::GitHub, &name, text.as_bytes());
        let repository = body["repository"]["full_name"].as_str().unwrap_or_default();
        assert_eq!(verified.repository, repository, "{name}");
        match (name.as_str(), &verified.event) {
            ("push", Event::Push(changes)) => {
                pushes += 1;
                let some = |key: &str| {
                    body[key]
                        .as_str()
                        .filter(|hash| *hash != zeros)
                        .map(str::to_owned)
                };
                let expected = Push {
                    reference: body["ref"].as_str().unwrap().to_owned(),
                    before: some("before"),
                    after: some("after"),
                    forced: body["forced"] == json!(true),
                };
                assert_eq!(changes.as_slice(), [expected]);
                assert_eq!(body["created"] == json!(true), changes[0].before.is_none());
                assert_eq!(body["deleted"] == json!(true), changes[0].after.is_none());
            }
            ("pull_request", Event::PullRequest(request)) => {
                requests += 1;
                let number = body["number"].as_u64().unwrap();
                let pull = &body["pull_request"];
                assert_eq!(request.head_reference, format!("refs/pull/{number}/head"));
                assert_eq!(json!(request.head_commit), pull["head"]["sha"]);
                assert_eq!(json!(request.base_branch), pull["base"]["ref"]);
                assert_eq!(request.open, pull["state"] == json!("open"));
                assert_eq!(request.fork, None);
            }
            ("pull_request", Event::Ignored(what)) => {
                let action = body["action"].as_str().unwrap();
                assert!(what.ends_with(action));
                let wanted = [
                    "opened",
                    "synchronize",
                    "reopened",
                    "closed",
                    "ready_for_review",
                ];
                assert!(!wanted.contains(&action));
            }
            ("ping", Event::Ping) => pings += 1,
            (name, Event::Ignored(what)) => assert_eq!(name, what),
            (name, event) => panic!("{name}: {event:?}"),
        }
    }
    assert!(
        pushes >= 7 && requests >= 10 && pings >= 4,
        "{pushes} {requests} {pings}"
    );
}

#[test]
fn github_tells_forks_forced_pushes_and_new_targets() {
    let (_, mut body) = examples()
        .into_iter()
        .find(|(name, body)| name == "pull_request" && body["action"] == json!("opened"))
        .unwrap();
    let fork = |body: &Json| {
        let verified = read(GitHost::GitHub, "pull_request", body.to_string().as_bytes());
        asked(&verified).fork.clone()
    };
    body["pull_request"]["head"]["repo"]["full_name"] = json!("mallory/Hello-World");
    assert_eq!(fork(&body).as_deref(), Some("mallory/Hello-World"));
    body["pull_request"]["head"]["repo"] = Json::Null;
    assert_eq!(fork(&body).as_deref(), Some("(deleted)"));
    body["action"] = json!("edited");
    let verified = read(GitHost::GitHub, "pull_request", body.to_string().as_bytes());
    assert_eq!(
        verified.event,
        Event::Ignored("pull_request edited".to_owned())
    );
    body["changes"] = json!({ "base": { "ref": { "from": "old" } } });
    fork(&body);

    let mut body: Json = whimbrel_sdk::serde_json::from_slice(&named("github", "push")).unwrap();
    body["forced"] = json!(true);
    let verified = read(GitHost::GitHub, "push", body.to_string().as_bytes());
    let change = &pushed(&verified)[0];
    assert!(change.forced && change.before.is_some() && change.after.is_some());
}

#[test]
fn github_may_send_a_form() {
    let payload = named("github", "push");
    let encoded: String = form_urlencoded::Serializer::new(String::new())
        .append_pair("payload", std::str::from_utf8(&payload).unwrap())
        .finish();
    let send = |body: &str| {
        let shown = format!("sha256={}", hex(&mac(SECRET.as_bytes(), body.as_bytes())));
        let headers = [
            ("x-github-event", "push"),
            ("x-hub-signature-256", shown.as_str()),
            (
                "content-type",
                "application/x-www-form-urlencoded; charset=utf-8",
            ),
        ];
        receive(&delivery(&headers, body.as_bytes()), &[SECRET])
    };
    let verified = send(&encoded).unwrap();
    assert_eq!(verified.repository, "binkkatal/sample_app");
    assert_eq!(pushed(&verified)[0].reference, "refs/heads/master");
    assert!(matches!(send("a=b"), Err(Rejection::Malformed(_))));
    // Gitea signs what is in the form, which no proof over the bytes can see.
    let mut given = signed(GitHost::Gitea, "push", encoded.as_bytes(), SECRET);
    given.headers.push((
        "content-type".to_owned(),
        "application/x-www-form-urlencoded".to_owned(),
    ));
    assert!(
        matches!(receive(&given, &[SECRET]), Err(Rejection::Malformed(why)) if why.contains("application/json"))
    );
}

#[test]
fn every_payload_of_gitlab_is_read() {
    let commit = "da1560886d4f094c3e6c9ef40349f7d38b5d27d7";
    for (name, body) in testdata("gitlab") {
        let verified = read(GitHost::GitLab, "any Hook", &body);
        match name.as_str() {
            "push-event" | "system-push-event" => {
                assert_eq!(verified.repository, "mike/diaspora");
                let [change] = pushed(&verified) else {
                    panic!("{name}")
                };
                assert_eq!(
                    (change.reference.as_str(), change.after.as_deref()),
                    ("refs/heads/master", Some(commit))
                );
            }
            "tag-event" | "system-tag-event" => {
                let [change] = pushed(&verified) else {
                    panic!("{name}")
                };
                assert_eq!(
                    (change.reference.as_str(), change.before.as_deref()),
                    ("refs/tags/v1.0.0", None)
                );
            }
            "merge-request-event" | "system-merge-request-event" => {
                let request = asked(&verified);
                assert_eq!(
                    (request.number, request.open, request.fork.as_deref()),
                    (1, true, None)
                );
                assert_eq!(request.head_reference, "refs/merge-requests/1/head");
                assert_eq!(request.base_branch, "master");
            }
            _ => assert!(matches!(verified.event, Event::Ignored(_)), "{name}"),
        }
    }
}

#[test]
fn gitlab_tells_forks_and_what_an_update_changed() {
    let mut body: Json =
        whimbrel_sdk::serde_json::from_slice(&named("gitlab", "merge-request-event")).unwrap();
    let read = |body: &Json| {
        read(
            GitHost::GitLab,
            "Merge Request Hook",
            body.to_string().as_bytes(),
        )
    };
    body["object_attributes"]["action"] = json!("update");
    assert!(matches!(read(&body).event, Event::Ignored(_)));
    body["object_attributes"]["oldrev"] = json!("95790bf891e76fee5e1747ab589903a6a1f80f22");
    assert_eq!(asked(&read(&body)).fork, None);
    body["object_attributes"]["source_project_id"] = json!(7);
    assert_eq!(
        asked(&read(&body)).fork.as_deref(),
        Some("awesome_space/awesome_project")
    );
    body["object_attributes"]["source_project_id"] = Json::Null;
    assert!(asked(&read(&body)).fork.is_some());
    body["object_attributes"]["state"] = json!("merged");
    body["object_attributes"]["action"] = json!("merge");
    assert!(!asked(&read(&body)).open);
    body["object_attributes"]["last_commit"] = Json::Null;
    assert!(matches!(read(&body).event, Event::Ignored(_)));
}

#[test]
fn every_payload_of_bitbucket_cloud_is_read() {
    for (name, body) in testdata("bitbucket") {
        let event = name
            .replacen("pull-request-", "pullrequest:", 1)
            .replacen("repo-", "repo:", 1);
        let event = match event.as_str() {
            "pullrequest:merged" => "pullrequest:fulfilled",
            "pullrequest:declined" => "pullrequest:rejected",
            event => event,
        };
        let verified = read(GitHost::BitbucketCloud, event, &body);
        assert_eq!(verified.repository, "team_name/repo_name", "{name}");
        match event {
            "repo:push" => {
                let changes = pushed(&verified);
                assert_eq!(changes[0].reference, "refs/heads/name-of-branch");
                assert!(changes[0].before.is_some() && changes[0].after.is_some());
            }
            "pullrequest:created"
            | "pullrequest:updated"
            | "pullrequest:fulfilled"
            | "pullrequest:rejected" => {
                let request = asked(&verified);
                assert_eq!(
                    (request.number, request.head_commit.as_str()),
                    (1, "d3022fc0ca3d")
                );
                assert_eq!(request.head_reference, "refs/heads/branch2");
                assert_eq!(request.base_branch, "master");
                assert_eq!(
                    request.open,
                    name.ends_with("created") || name.ends_with("updated")
                );
                assert_eq!(request.fork, None);
            }
            _ => assert!(matches!(verified.event, Event::Ignored(_)), "{name}"),
        }
    }
}

#[test]
fn bitbucket_cloud_tells_what_is_made_and_deleted() {
    let commit = "95790bf891e76fee5e1747ab589903a6a1f80f22";
    let place = |kind: &str, name: &str| json!({ "type": kind, "name": name, "target": { "hash": commit } });
    let body = json!({ "repository": { "full_name": "a/b" }, "push": { "changes": [
        { "old": null, "new": place("tag", "v1"), "created": true },
        { "old": place("branch", "gone"), "new": null, "closed": true },
        { "old": place("branch", "main"), "new": place("branch", "main"), "forced": true },
        { "old": null, "new": place("bookmark", "x") },
        { "old": null, "new": null },
    ] } });
    let verified = read(
        GitHost::BitbucketCloud,
        "repo:push",
        body.to_string().as_bytes(),
    );
    let changes: Vec<_> = pushed(&verified)
        .iter()
        .map(|one| {
            (
                one.reference.as_str(),
                one.before.is_some(),
                one.after.is_some(),
                one.forced,
            )
        })
        .collect();
    assert_eq!(
        changes,
        [
            ("refs/tags/v1", false, true, false),
            ("refs/heads/gone", true, false, false),
            ("refs/heads/main", true, true, true),
        ]
    );
}

#[test]
fn every_payload_of_bitbucket_data_center_is_read() {
    for (name, body) in testdata("bitbucket-server") {
        let document: Json = whimbrel_sdk::serde_json::from_slice(&body).unwrap();
        let event = document["eventKey"].as_str().unwrap();
        let verified = read(GitHost::BitbucketDataCenter, event, &body);
        match event {
            "repo:refs_changed" => {
                assert_eq!(verified.repository, "~gopher/webhook-test");
                let [change] = pushed(&verified) else {
                    panic!("{name}")
                };
                assert_eq!(
                    (change.reference.as_str(), change.after.as_deref()),
                    ("refs/heads/feature/wip", None)
                );
            }
            "pr:opened" | "pr:merged" | "pr:declined" | "pr:deleted" => {
                assert_eq!(verified.repository, "~gopher/webhook-test");
                let request = asked(&verified);
                assert_eq!(
                    request.head_reference,
                    format!("refs/pull-requests/{}/from", request.number)
                );
                assert_eq!(
                    (request.base_branch.as_str(), request.fork.as_deref()),
                    ("master", None)
                );
                assert_eq!(request.open, event == "pr:opened");
            }
            _ => assert!(matches!(verified.event, Event::Ignored(_)), "{name}"),
        }
    }
    let mut body: Json =
        whimbrel_sdk::serde_json::from_slice(&named("bitbucket-server", "pr-modified")).unwrap();
    body["previousTarget"]["id"] = json!("refs/heads/older");
    body["pullRequest"]["fromRef"]["repository"]["project"]["key"] = json!("~mallory");
    let verified = read(
        GitHost::BitbucketDataCenter,
        "pr:modified",
        body.to_string().as_bytes(),
    );
    assert_eq!(
        asked(&verified).fork.as_deref(),
        Some("~mallory/webhook-test")
    );
    let ping = read(
        GitHost::BitbucketDataCenter,
        "diagnostics:ping",
        br#"{"test":true}"#,
    );
    assert_eq!(ping.event, Event::Ping);
}

#[test]
fn every_payload_of_gitea_and_gogs_is_read() {
    for (name, body) in testdata("gitea") {
        let event = name.strip_suffix("-event").unwrap().replace('-', "_");
        let verified = read(GitHost::Gitea, &event, &body);
        match name.as_str() {
            "push-event" => {
                let [change] = pushed(&verified) else {
                    panic!("{name}")
                };
                assert_eq!(
                    (change.reference.as_str(), change.before.as_deref()),
                    ("refs/heads/master", None)
                );
            }
            "create-event" => assert!(pushed(&verified)[0].after.is_some()),
            "delete-event" => {
                let change = &pushed(&verified)[0];
                assert!(change.after.is_none() && change.reference.starts_with("refs/heads/"));
            }
            "pull-request-event" => {
                assert_eq!(verified.repository, "example/example");
                let request = asked(&verified);
                assert_eq!(request.head_reference, "refs/pull/2/head");
                assert_eq!(request.fork.as_deref(), Some("example2/example"));
                assert!(request.open);
            }
            _ => assert!(matches!(verified.event, Event::Ignored(_)), "{name}"),
        }
    }
    for (name, body) in testdata("gogs") {
        let event = name.strip_suffix("-event").unwrap().replace('-', "_");
        let verified = read(GitHost::Gogs, &event, &body);
        match name.as_str() {
            "push-event" => assert_eq!(pushed(&verified)[0].reference, "refs/heads/develop"),
            "create-event" | "delete-event" => assert_eq!(pushed(&verified).len(), 1),
            _ => assert!(matches!(verified.event, Event::Ignored(_)), "{name}"),
        }
    }
}

#[test]
fn names_that_would_mean_something_else_are_malformed() {
    let push = |reference: &str| {
        let body = json!({ "ref": reference, "after": "95790bf891e76fee5e1747ab589903a6a1f80f22", "repository": { "full_name": "a/b" } });
        receive(
            &signed(GitHost::GitHub, "push", body.to_string().as_bytes(), SECRET),
            &[SECRET],
        )
    };
    assert!(push("refs/heads/feature/a-b_c.d").is_ok());
    for reference in [
        "",
        "master",
        "refs/heads/a b",
        "refs/heads/../x",
        "refs/heads/a..b",
        "refs/heads/",
        "refs//x",
        "refs/heads/a:b",
        "refs/heads/*",
        "--upload-pack=x",
        "refs/heads/x.lock",
        "refs/heads/a\nb",
        "refs/heads/@{u}",
        "refs/heads/.x",
    ] {
        assert!(
            matches!(push(reference), Err(Rejection::Malformed(_))),
            "{reference}"
        );
    }
    for commit in ["", "xyz", "--help", "95790b", &"a".repeat(65)] {
        let body =
            json!({ "ref": "refs/heads/a", "after": commit, "repository": { "full_name": "a/b" } });
        let answer = receive(
            &signed(GitHost::GitHub, "push", body.to_string().as_bytes(), SECRET),
            &[SECRET],
        );
        // All zeros and nothing at all stand for nothing.
        assert!(
            commit.is_empty() || matches!(answer, Err(Rejection::Malformed(_))),
            "{commit}"
        );
    }
    let body = json!({ "repository": { "full_name": "a\u{7}b" } });
    let answer = receive(
        &signed(
            GitHost::GitHub,
            "other",
            body.to_string().as_bytes(),
            SECRET,
        ),
        &[SECRET],
    );
    assert!(matches!(answer, Err(Rejection::Malformed(_))));
}
