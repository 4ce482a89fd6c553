//! Deliveries as the hosts make them, signed by another implementation than the plugin's.

#![allow(dead_code, reason = "each test program uses its part")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use git_webhook::{GitHost, Webhook};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use whimbrel_sdk::mock::{self, Host};
use whimbrel_sdk::prelude::*;
use whimbrel_sdk::webhook::{Delivery, Rejection, Verified};

pub const SECRET: &str = "It's a Secret to Everybody";

/// Milliseconds since the Unix epoch.
pub const NOW: u64 = 1_800_000_000_000;

pub fn mac(key: &[u8], data: &[u8]) -> Vec<u8> {
    let hmac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    hmac.chain_update(data).finalize().into_bytes().to_vec()
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub fn delivery(headers: &[(&str, &str)], body: &[u8]) -> Delivery {
    Delivery {
        headers: headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        body: body.to_vec(),
        received: NOW,
    }
}

/// A delivery of this event with the host's own headers, genuine under `secret`.
pub fn signed(host: GitHost, event: &str, body: &[u8], secret: &str) -> Delivery {
    let digest = hex(&mac(secret.as_bytes(), body));
    let prefixed = format!("sha256={digest}");
    let headers: Vec<(&str, &str)> = match host {
        GitHost::GitHub => vec![
            ("x-github-event", event),
            ("x-github-delivery", "72d3162e-cc78-11e3-81ab-4c9367dc0958"),
            ("x-hub-signature-256", &prefixed),
            ("content-type", "application/json"),
        ],
        GitHost::GitLab => vec![
            ("x-gitlab-event", event),
            (
                "x-gitlab-event-uuid",
                "13792a34-cac6-4fda-95a8-c58e00a3954e",
            ),
            ("x-gitlab-token", secret),
        ],
        GitHost::BitbucketCloud => vec![
            ("x-event-key", event),
            ("x-hook-uuid", "673a6070-3421-46c9-9d48-90745f7bfe8e"),
            ("x-request-uuid", "16b2dd05-7e8c-4a11-8bd7-5c4d1ae01f5d"),
            ("x-hub-signature", &prefixed),
        ],
        GitHost::BitbucketDataCenter => vec![
            ("x-event-key", event),
            ("x-request-id", "a8dffa5e-4ad3-4f8a-9c6c-39d5e6a1d1ce"),
            ("x-hub-signature", &prefixed),
        ],
        GitHost::Gitea | GitHost::Forgejo => vec![
            ("x-gitea-delivery", "f6266f16-1bf3-46a5-9ea4-602e06ead473"),
            ("x-gitea-event", event),
            ("x-gitea-signature", &digest),
            ("x-gogs-event", event),
            ("x-gogs-signature", &digest),
            ("x-hub-signature-256", &prefixed),
            ("x-github-delivery", "f6266f16-1bf3-46a5-9ea4-602e06ead473"),
            ("x-github-event", event),
        ],
        GitHost::Gogs => vec![
            ("x-gogs-delivery", "f6266f16-1bf3-46a5-9ea4-602e06ead473"),
            ("x-gogs-event", event),
            ("x-gogs-signature", &digest),
            ("x-github-event", event),
        ],
    };
    delivery(&headers, body)
}

/// A delivery of GitLab's as Standard Webhooks sign it; the key is base64 after `whsec_`.
pub fn standard(id: &str, seconds: u64, body: &[u8], secret: &str) -> Delivery {
    let key = STANDARD
        .decode(secret.strip_prefix("whsec_").unwrap())
        .unwrap();
    let text = [format!("{id}.{seconds}.").as_bytes(), body].concat();
    let signature = format!("v1,{}", STANDARD.encode(mac(&key, &text)));
    delivery(
        &[
            ("x-gitlab-event", "Push Hook"),
            ("webhook-id", id),
            ("webhook-timestamp", &seconds.to_string()),
            ("webhook-signature", &signature),
        ],
        body,
    )
}

pub fn receive(delivery: &Delivery, secrets: &[&str]) -> Result<Verified, Rejection> {
    receive_with(json!({}), delivery, secrets)
}

pub fn receive_with(
    with: Json,
    delivery: &Delivery,
    secrets: &[&str],
) -> Result<Verified, Rejection> {
    let host = secrets.iter().fold(Host::without_database(), |host, one| {
        host.with_live_secret(one)
    });
    mock::receive::<Webhook>(host, with, delivery)
}

/// The folder of genuine payloads, which `cargo xtask tools` fills.
pub fn payloads() -> PathBuf {
    let home = std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache/whimbrel"));
    let cache = std::env::var_os("WHIMBREL_CACHE")
        .map(PathBuf::from)
        .or(home);
    let folder = cache
        .expect("a home or WHIMBREL_CACHE")
        .join("tools/payloads");
    assert!(
        folder.is_dir(),
        "no genuine payloads in {}: `cargo xtask tools` fetches them",
        folder.display()
    );
    folder
}

/// Every payload under `testdata/HOST` of the Go module, by its name.
pub fn testdata(host: &str) -> Vec<(String, Vec<u8>)> {
    let folder = payloads().join("testdata").join(host);
    let mut files: Vec<_> = std::fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .map(|path| {
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            (name, std::fs::read(&path).unwrap())
        })
        .collect();
    files.sort();
    assert!(!files.is_empty());
    files
}

/// Every payload of GitHub's examples, with its event's name.
pub fn examples() -> Vec<(String, Json)> {
    let text = std::fs::read(payloads().join("github.json")).unwrap();
    let events: Vec<Json> = whimbrel_sdk::serde_json::from_slice(&text).unwrap();
    let of = |event: &Json| -> Vec<(String, Json)> {
        let name = event["name"].as_str().unwrap().to_owned();
        let examples = event["examples"].as_array().unwrap();
        examples
            .iter()
            .map(|one| (name.clone(), one.clone()))
            .collect()
    };
    events.iter().flat_map(of).collect()
}
