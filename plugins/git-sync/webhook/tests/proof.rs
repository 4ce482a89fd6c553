//! What is genuine, and what isn't.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod support;

use git_webhook::GitHost;
use support::{NOW, SECRET, delivery, hex, mac, receive, receive_with, signed, standard};
use whimbrel_sdk::prelude::*;
use whimbrel_sdk::webhook::{Event, Rejection};

const HOSTS: [GitHost; 7] = [
    GitHost::GitHub,
    GitHost::GitLab,
    GitHost::BitbucketCloud,
    GitHost::BitbucketDataCenter,
    GitHost::Gitea,
    GitHost::Forgejo,
    GitHost::Gogs,
];

/// Of an event that every host ignores.
const BODY: &[u8] = br#"{"object_kind":"note","project":{"path_with_namespace":"a/b"}}"#;

fn is_rejected(result: Result<whimbrel_sdk::webhook::Verified, Rejection>) -> Rejection {
    result.expect_err("a delivery that should have been rejected")
}

#[test]
fn github_publishes_a_vector() {
    let digest = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
    assert_eq!(hex(&mac(SECRET.as_bytes(), b"Hello, World!")), digest);
    let shown = format!("sha256={digest}");
    let headers = [
        ("x-github-event", "ping"),
        ("x-hub-signature-256", shown.as_str()),
    ];
    // Genuine, and then no JSON.
    assert!(matches!(
        is_rejected(receive(&delivery(&headers, b"Hello, World!"), &[SECRET])),
        Rejection::Malformed(_)
    ));
    assert_eq!(
        is_rejected(receive(&delivery(&headers, b"Hello World!"), &[SECRET])),
        Rejection::BadSignature
    );
    let other = "sha256=a4771c39fbe90f317c7824e83ddef3caae9cb3d976c214ace1f2937e133263c9";
    let headers = [("x-github-event", "ping"), ("x-hub-signature-256", other)];
    assert!(matches!(
        is_rejected(receive(&delivery(&headers, b"Hello World!"), &[SECRET])),
        Rejection::Malformed(_)
    ));
}

#[test]
fn standard_webhooks_publish_a_vector() {
    let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let headers = [
        ("x-gitlab-event", "Push Hook"),
        ("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek"),
        ("webhook-timestamp", "1614265330"),
        (
            "webhook-signature",
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
        ),
    ];
    let mut given = delivery(&headers, br#"{"test": 2432232314}"#);
    assert_eq!(is_rejected(receive(&given, &[secret])), Rejection::Stale);
    given.received = 1_614_265_330_000;
    let verified = receive(&given, &[secret]).unwrap();
    assert!(
        verified
            .id
            .starts_with("gitlab:msg_p5jXN8AQM9LWM0D4loKWxJek:")
    );
    assert!(matches!(verified.event, Event::Ignored(_)));
    // Five minutes both ways, and no more.
    for (offset, is_stale) in [(-300, false), (300, false), (-301, true), (301, true)] {
        given.received = 1_614_265_330_000_u64.saturating_add_signed(offset * 1_000);
        let answer = receive(&given, &[secret]);
        assert_eq!(answer == Err(Rejection::Stale), is_stale, "{offset}");
    }
}

#[test]
fn several_signatures_are_one_genuine_delivery() {
    let (old, new) = ("whsec_b2xkLWtleQ==", "whsec_bmV3LWtleQ==");
    let mut both = standard("msg_1", NOW / 1_000, BODY, old);
    let other = standard("msg_1", NOW / 1_000, BODY, new);
    let shown = format!(
        "v2,x {} {}",
        both.header("webhook-signature").unwrap(),
        other.header("webhook-signature").unwrap()
    );
    both.headers.retain(|(name, _)| name != "webhook-signature");
    both.headers.push(("webhook-signature".to_owned(), shown));
    for secrets in [[old].as_slice(), &[new], &[new, old]] {
        assert!(receive(&both, secrets).is_ok());
    }
    // The text of a secret isn't its key, and another time isn't the one that was signed.
    assert!(receive(&both, &["bmV3LWtleQ=="]).is_err());
    let mut later = other.clone();
    for (name, value) in &mut later.headers {
        if name == "webhook-timestamp" {
            *value = (NOW / 1_000 + 1).to_string();
        }
    }
    assert_eq!(
        is_rejected(receive(&later, &[new])),
        Rejection::BadSignature
    );
    // Who shows a signature is held to it, with or without a token.
    later
        .headers
        .push(("x-gitlab-token".to_owned(), new.to_owned()));
    assert_eq!(
        is_rejected(receive(&later, &[new])),
        Rejection::BadSignature
    );
}

#[test]
fn every_host_is_held_to_its_secret() {
    for host in HOSTS {
        let genuine = signed(host, "other", BODY, SECRET);
        let verified =
            receive(&genuine, &[SECRET]).unwrap_or_else(|why| panic!("{host:?}: {why:?}"));
        assert!(matches!(verified.event, Event::Ignored(_)), "{host:?}");
        assert!(receive(&genuine, &["another"]).is_err(), "{host:?}");
        assert!(receive(&genuine, &[]).is_err(), "{host:?}");
        if host != GitHost::GitLab {
            let mut changed = genuine.clone();
            changed.body[3] ^= 1;
            assert_eq!(
                is_rejected(receive(&changed, &[SECRET])),
                Rejection::BadSignature,
                "{host:?}"
            );
        }
    }
}

#[test]
fn two_secrets_are_live_at_once() {
    for host in HOSTS {
        for secret in ["the old one", "the new one"] {
            let given = signed(host, "other", BODY, secret);
            assert!(
                receive(&given, &["the new one", "the old one"]).is_ok(),
                "{host:?}"
            );
        }
    }
}

#[test]
fn nothing_is_taken_unsigned() {
    for host in HOSTS {
        let genuine = signed(host, "other", BODY, SECRET);
        let is_proof = |name: &str| name.contains("signature") || name.contains("token");
        let mut without = genuine.clone();
        without.headers.retain(|(name, _)| !is_proof(name));
        assert_eq!(
            is_rejected(receive(&without, &[SECRET])),
            Rejection::Unsigned,
            "{host:?}"
        );
        // Gitea without a secret sends the header empty.
        let mut empty = genuine.clone();
        let mut twice = genuine.clone();
        for (name, value) in &genuine.headers {
            if is_proof(name) {
                empty.headers.retain(|(known, _)| known != name);
                empty.headers.push((name.clone(), String::new()));
                twice.headers.push((name.clone(), value.clone()));
            }
        }
        assert_eq!(
            is_rejected(receive(&empty, &[SECRET])),
            Rejection::Unsigned,
            "{host:?}"
        );
        assert_eq!(
            is_rejected(receive(&twice, &[SECRET])),
            Rejection::Unsigned,
            "{host:?}"
        );
    }
}

#[test]
fn a_signature_is_whole_or_none() {
    let full = format!("sha256={}", hex(&mac(SECRET.as_bytes(), BODY)));
    for shown in [
        "sha256=",
        "sha256",
        "s",
        "sha1=da39a3ee",
        &full[..70],
        &full[7..],
        "sha256=zz",
        &format!("{full}00"),
        &full.replace("sha256", "SHA256"),
        "sha256=é",
    ] {
        for (event, header) in [
            ("x-github-event", "x-hub-signature-256"),
            ("x-event-key", "x-hub-signature"),
        ] {
            let given = delivery(&[(event, "other"), (header, shown)], BODY);
            assert_eq!(
                is_rejected(receive(&given, &[SECRET])),
                Rejection::BadSignature,
                "{header}: {shown}"
            );
        }
    }
    // The SHA-1 beside it proves nothing.
    let given = delivery(
        &[
            ("x-github-event", "ping"),
            ("x-hub-signature", full.as_str()),
        ],
        BODY,
    );
    assert_eq!(is_rejected(receive(&given, &[SECRET])), Rejection::Unsigned);
}

#[test]
fn a_source_takes_its_own_host_alone() {
    let gitea = signed(GitHost::Gitea, "other", BODY, SECRET);
    let verified = receive(&gitea, &[SECRET]).unwrap();
    assert!(
        verified.id.starts_with("gitea:f6266f16-"),
        "{}",
        verified.id
    );
    for (wanted, is_taken) in [
        ("gitea", true),
        ("forgejo", true),
        ("github", false),
        ("gogs", false),
    ] {
        let answer = receive_with(json!({ "host": wanted }), &gitea, &[SECRET]);
        assert_eq!(answer.is_ok(), is_taken, "{wanted}");
        assert!(is_taken || answer == Err(Rejection::Unknown));
    }
    let token = signed(GitHost::GitLab, "Push Hook", BODY, SECRET);
    let strict = json!({ "host": "gitlab", "signed": true });
    assert_eq!(
        is_rejected(receive_with(strict.clone(), &token, &[SECRET])),
        Rejection::Unsigned
    );
    let secret = "whsec_bmV3LWtleQ==";
    let given = standard("msg_1", NOW / 1_000, BODY, secret);
    assert!(receive_with(strict, &given, &[secret]).is_ok());
    assert_eq!(
        is_rejected(receive(
            &delivery(&[("user-agent", "curl")], BODY),
            &[SECRET]
        )),
        Rejection::Unknown
    );
}

#[test]
fn an_id_is_the_same_only_for_the_same() {
    let id = |given: &_| receive(given, &[SECRET]).unwrap().id;
    for host in HOSTS {
        let one = signed(host, "other", BODY, SECRET);
        assert_eq!(id(&one), id(&one.clone()));
        // What one request causes has one id at some hosts.
        let other = signed(host, "other", br#"{"object_kind":"x"}"#, SECRET);
        assert_ne!(id(&one), id(&other), "{host:?}");
        let mut odd = one.clone();
        for (name, value) in &mut odd.headers {
            if name.ends_with("-delivery") || name.contains("uuid") || name.ends_with("-id") {
                *value = "x".repeat(5_000);
            }
        }
        assert!(id(&odd).len() < 200, "{host:?}");
    }
}
