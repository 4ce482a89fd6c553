//! The components of `plugins/git-sync` as the product runs them: deliveries through the sandbox, reports through the egress.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hmac_sha2::{Hmac, KeyInit, Mac};
use serde_json::{Value as Json, json};
use sha2::Sha256;
use whimbrel_conformance::{Setup, component};
use whimbrel_core::fault::{Fault, FaultClass, Retry};
use whimbrel_core::project::{self, Material};
use whimbrel_plugin::{
    CommitState, CommitStatus, GitEvent, Grants, Plugin, Rejection, Reporter, ReporterSettings,
    Sandbox, Settings, Verified, WebhookReceiver, WebhookSettings,
};
use whimbrel_signal::Scrubber;
use whimbrel_test_server::{Listener, Request, Response};

const COMMIT: &str = "95790bf891e76fee5e1747ab589903a6a1f80f22";

async fn admitted(name: &str, grants: Json) -> Plugin {
    // Compiled once for all of these tests.
    let sandbox = Sandbox::new(Settings {
        cache_dir: Some(env!("CARGO_TARGET_TMPDIR").into()),
        ..Settings::default()
    })
    .unwrap();
    let granted: project::Grants = serde_json::from_value(grants).unwrap();
    let grants = Grants::of_project(&granted, Path::new("/"));
    let named = name.parse().unwrap();
    let admitted = sandbox.admit(&named, component(name), grants).await;
    admitted.unwrap()
}

/// A receiver whose secrets are the files of these names, of which those with a text are there.
async fn receiver(with: Json, secrets: &[(&str, Option<&str>)]) -> WebhookReceiver {
    let files = secrets
        .iter()
        .filter_map(|(name, text)| Some(((*name).to_owned(), (*text)?.to_owned())));
    let named = |name: &str| Material::File {
        file: name.to_owned(),
    };
    let settings = WebhookSettings {
        name: "shop".to_owned(),
        with,
        secrets: secrets.iter().map(|(name, _)| named(name)).collect(),
        materials: Arc::new(Setup {
            files: BTreeMap::from_iter(files),
            ..Setup::default()
        }),
        log: None,
    };
    WebhookReceiver::new(admitted("git-webhook", json!({})).await, settings).unwrap()
}

fn signed(event: &str, body: &[u8], secret: &str) -> Vec<(String, String)> {
    let hmac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    let digest = hex::encode(hmac.chain_update(body).finalize().into_bytes());
    [
        ("X-GitHub-Event", event),
        ("X-GitHub-Delivery", "72d3162e-cc78-11e3-81ab-4c9367dc0958"),
        ("X-Hub-Signature-256", &format!("sha256={digest}")),
        ("Content-Type", "application/json"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .to_vec()
}

fn payload(name: &str) -> Vec<u8> {
    let home = std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache/whimbrel"));
    let cache = std::env::var_os("WHIMBREL_CACHE")
        .map(PathBuf::from)
        .or(home);
    let file = cache
        .unwrap()
        .join("tools/payloads/testdata/github")
        .join(name);
    std::fs::read(&file)
        .unwrap_or_else(|error| panic!("{}: {error}; run `cargo xtask tools`", file.display()))
}

async fn receive(
    receiver: &WebhookReceiver,
    headers: &[(String, String)],
    body: &[u8],
) -> Result<Verified, Rejection> {
    receiver.receive(headers, body, SystemTime::now()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_genuine_delivery_rings_and_no_other() {
    let receiver = receiver(
        json!({ "host": "github" }),
        &[("new", Some("new secret\n")), ("old", Some("old secret"))],
    )
    .await;
    assert!(receiver.mismatches().await.unwrap().is_empty());
    let body = payload("push.json");
    for secret in ["new secret", "old secret"] {
        let verified = receive(&receiver, &signed("push", &body, secret), &body).await;
        let verified = verified.unwrap();
        assert_eq!(verified.repository, "binkkatal/sample_app");
        assert_eq!(verified.provider(), "github");
        let GitEvent::Push(changes) = &verified.event else {
            panic!("{verified:?}");
        };
        let references: Vec<_> = changes.iter().map(|one| one.reference.as_str()).collect();
        assert_eq!(references, ["refs/heads/master"]);
    }
    let request = payload("pull-request.json");
    let verified = receive(
        &receiver,
        &signed("pull_request", &request, "new secret"),
        &request,
    )
    .await
    .unwrap();
    let GitEvent::PullRequest(asked) = &verified.event else {
        panic!("{verified:?}");
    };
    assert_eq!(asked.head_reference, "refs/pull/1/head");
    let ping = payload("ping.json");
    let verified = receive(&receiver, &signed("ping", &ping, "new secret"), &ping).await;
    assert_eq!(verified.unwrap().event, GitEvent::Ping);

    let rejected = |event, body: Vec<u8>, secret| {
        let receiver = &receiver;
        async move {
            let headers = signed(event, &body, secret);
            receive(receiver, &headers, &body).await.unwrap_err()
        }
    };
    let wrong = rejected("push", body.clone(), "another").await;
    assert_eq!(wrong, Rejection::BadSignature);
    let unsigned = [("x-github-event".to_owned(), "push".to_owned())];
    let wrong = receive(&receiver, &unsigned, &body).await.unwrap_err();
    assert_eq!((&wrong, wrong.as_str()), (&Rejection::Unsigned, "unsigned"));
    let wrong = receive(&receiver, &[], &body).await.unwrap_err();
    assert_eq!(wrong, Rejection::Unknown);
    let malformed = rejected("push", b"{".to_vec(), "old secret").await;
    assert!(matches!(malformed, Rejection::Malformed(_)), "{malformed}");
    let big = rejected("push", vec![b' '; (1 << 20) + 1], "old secret").await;
    assert_eq!((&big, big.as_str()), (&Rejection::TooBig, "too_big"));
    let many: Vec<_> = (0..200)
        .map(|n| (format!("x-{n}"), String::new()))
        .collect();
    let big = receive(&receiver, &many, &body).await.unwrap_err();
    assert_eq!(big, Rejection::TooBig);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signed_time_is_ours_or_stale() {
    let receiver = receiver(
        json!({}),
        &[("key", Some("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"))],
    )
    .await;
    let headers = [
        ("X-Gitlab-Event", "Push Hook"),
        ("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek"),
        ("webhook-timestamp", "1614265330"),
        (
            "webhook-signature",
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
        ),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()));
    let body = br#"{"test": 2432232314}"#;
    let then = UNIX_EPOCH + Duration::from_secs(1_614_265_400);
    let verified = receiver.receive(&headers, body, then).await.unwrap();
    assert!(matches!(verified.event, GitEvent::Ignored(_)));
    let now = receive(&receiver, &headers, body).await.unwrap_err();
    assert_eq!((&now, now.as_str()), (&Rejection::Stale, "stale"));
}

#[tokio::test(flavor = "multi_thread")]
async fn trouble_with_secrets_is_ours_and_not_the_senders() {
    let body = payload("push.json");
    // One that is gone stops nobody who signs with the other.
    let one = receiver(json!({}), &[("gone", None), ("kept", Some("kept"))]).await;
    assert!(
        receive(&one, &signed("push", &body, "kept"), &body)
            .await
            .is_ok()
    );
    let failed = |secrets: &'static [(&'static str, Option<&'static str>)], with: Json| {
        let body = &body;
        async move {
            let receiver = receiver(with, secrets).await;
            match receive(&receiver, &signed("push", body, ""), body).await {
                Err(Rejection::Failed(fault)) => *fault,
                other => panic!("{other:?}"),
            }
        }
    };
    let none = failed(&[("gone", None)], json!({})).await;
    assert_eq!(
        (none.class, none.code.as_str()),
        (FaultClass::NotFound, "test.no-file")
    );
    let empty = failed(&[("empty", Some("\n"))], json!({})).await;
    assert_eq!(empty.code, "webhook.empty-secret");
    let with = json!({ "host": "svn", "secret": "x" });
    let wrong = failed(&[("kept", Some("kept"))], with).await;
    assert_eq!(
        (wrong.class, wrong.code.as_str()),
        (FaultClass::Invalid, "config.mismatch")
    );

    let settings = |secrets| WebhookSettings {
        name: "shop".to_owned(),
        with: Json::Null,
        secrets,
        materials: Arc::new(Setup::default()),
        log: None,
    };
    let plugin = admitted("git-webhook", json!({})).await;
    let fault = WebhookReceiver::new(plugin, settings(vec![]))
        .err()
        .unwrap();
    assert_eq!(fault.code, "webhook.secrets");
    let file = Material::File {
        file: "a".to_owned(),
    };
    let plugin = admitted("backfill", json!({})).await;
    let fault = WebhookReceiver::new(plugin, settings(vec![file]))
        .err()
        .unwrap();
    assert_eq!(fault.code, "plugin.world");
}

/// A GitHub that keeps what it is told, and takes one token.
#[derive(Default)]
struct Hub {
    statuses: Mutex<Vec<Json>>,
    comment: Mutex<Option<String>>,
    writes: Mutex<u32>,
    is_busy: Mutex<bool>,
}

impl Hub {
    fn answer(&self, request: &Request) -> Response {
        if request.header("authorization") != Some("Bearer the-good-token") {
            return Response::json(401, r#"{"message":"Bad credentials"}"#);
        }
        if *self.is_busy.lock().unwrap() {
            return Response::json(403, r#"{"message":"API rate limit exceeded"}"#)
                .with_header("retry-after", "17");
        }
        let body: Json = serde_json::from_slice(&request.body).unwrap_or_default();
        let text = || body["body"].as_str().map(str::to_owned);
        match (request.method.as_str(), request.target.as_str()) {
            ("POST", target) if target == format!("/api/v3/repos/acme/shop/statuses/{COMMIT}") => {
                self.statuses.lock().unwrap().push(body);
                Response::json(201, "{}")
            }
            ("GET", "/api/v3/repos/acme/shop/issues/7/comments?per_page=30&page=1") => {
                let comment = self.comment.lock().unwrap();
                let comments: Vec<Json> = comment
                    .iter()
                    .map(|text| json!({ "id": 5, "body": text, "user": { "login": "bot" } }))
                    .collect();
                Response::json(200, json!(comments).to_string())
            }
            ("POST", "/api/v3/repos/acme/shop/issues/7/comments")
            | ("PATCH", "/api/v3/repos/acme/shop/issues/comments/5") => {
                *self.comment.lock().unwrap() = text();
                *self.writes.lock().unwrap() += 1;
                Response::json(200, "{}")
            }
            _ => Response::json(404, r#"{"message":"no canary-of-a-database"}"#),
        }
    }
}

async fn reporter(with: Json, grants: Json, token: &str) -> Reporter {
    let scrubber = Scrubber::default();
    scrubber.register("canary-of-a-database");
    let settings = ReporterSettings {
        name: "shop".to_owned(),
        with,
        materials: Arc::new(Setup {
            files: BTreeMap::from([("hub".to_owned(), token.to_owned())]),
            ..Setup::default()
        }),
        scrubber,
        log: None,
    };
    Reporter::new(admitted("git-reporter", grants).await, settings).unwrap()
}

fn status() -> CommitStatus {
    CommitStatus {
        commit: COMMIT.to_owned(),
        context: "whimbrel/production".to_owned(),
        state: CommitState::Success,
        summary: "nothing of canary-of-a-database".to_owned(),
        link: None,
    }
}

fn own_address() -> Json {
    json!({ "http": [{ "to": "config:/api" }] })
}

#[tokio::test(flavor = "multi_thread")]
async fn results_are_shown_once_and_kept_up_to_date() {
    let hub = Arc::new(Hub::default());
    let answering = Arc::clone(&hub);
    let server = Listener::answering(None, move |request| answering.answer(request));
    let with = json!({
        "host": "github", "api": format!("http://{}/api/v3", server.address()), "repository": "acme/shop",
        "account": "bot", "token": "secret://file/hub",
    });
    let reporter_of = |token| reporter(with.clone(), own_address(), token);
    let good = reporter_of("the-good-token").await;
    assert!(good.mismatches().await.unwrap().is_empty());
    good.set_status(&status()).await.unwrap();
    {
        let statuses = hub.statuses.lock().unwrap();
        let shown: Vec<_> = statuses
            .iter()
            .map(|one| (&one["state"], &one["description"]))
            .collect();
        let expected = (json!("success"), json!("nothing of [redacted]"));
        assert_eq!(shown, [(&expected.0, &expected.1)]);
    }
    let telling = "one of canary-of-a-database";
    for (text, writes) in [("the plan", 1), ("the plan", 1), (telling, 2)] {
        good.put_comment(7, "m", text).await.unwrap();
        let comment = hub.comment.lock().unwrap().clone().unwrap();
        assert!(comment.ends_with(&text.replace("canary-of-a-database", "[redacted]")));
        assert_eq!(*hub.writes.lock().unwrap(), writes);
    }
    let fault = good.put_comment(8, "m", "x").await.unwrap_err();
    assert_eq!(fault.class, FaultClass::NotFound);
    assert!(fault.message.contains("[redacted]"), "{fault}");
    let fault = good
        .put_comment(7, "m", &"x".repeat(2 << 20))
        .await
        .unwrap_err();
    assert_eq!(fault.code, "report.too-big");

    *hub.is_busy.lock().unwrap() = true;
    let fault = good.set_status(&status()).await.unwrap_err();
    assert_eq!(fault.retry, Retry::After(17_000));
    let fault = reporter_of("the-revoked-token").await;
    let fault = fault.set_status(&status()).await.unwrap_err();
    assert_eq!(
        (fault.class, fault.code.as_str()),
        (FaultClass::Denied, "git.credentials")
    );
    assert!(!format!("{fault:?}").contains("revoked-token"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reporter_reaches_what_was_granted_and_no_more() {
    let hub = Arc::new(Hub::default());
    let server = Listener::answering(None, move |request| hub.answer(request));
    let with = |api: &str| json!({ "host": "github", "api": api, "repository": "acme/shop", "account": "bot", "token": "the-good-token" });
    let here = format!("http://{}/api/v3", server.address());
    let elsewhere = json!({ "http": [{ "to": "https://api.github.com/*" }] });
    let refused = async |with: Json, grants: Json| -> Fault {
        let reporter = reporter(with, grants, "").await;
        reporter.set_status(&status()).await.unwrap_err()
    };
    let fault = refused(with(&here), elsewhere).await;
    assert_eq!(fault.class, FaultClass::Denied, "{fault:?}");
    let fault = refused(json!({ "host": "github" }), own_address()).await;
    assert_eq!(fault.code, "config.mismatch");
    let mut odd = with(&here);
    odd["repository"] = json!("a/../../b");
    let fault = refused(odd, own_address()).await;
    assert_eq!(fault.pointer.as_deref(), Some("/repository"));
    let settings = ReporterSettings {
        name: "shop".to_owned(),
        with: Json::Null,
        materials: Arc::new(Setup::default()),
        scrubber: Scrubber::default(),
        log: None,
    };
    let fault = Reporter::new(admitted("git-webhook", json!({})).await, settings).err();
    assert_eq!(fault.unwrap().code, "plugin.world");
}
