//! A vault plugin over scripted answers.

#![allow(dead_code, clippy::unwrap_used, clippy::panic)]

pub use vault::Vault;
use whimbrel_sdk::http::Request;
pub use whimbrel_sdk::mock::call;
use whimbrel_sdk::mock::{Answers, Host};
use whimbrel_sdk::prelude::*;
use whimbrel_sdk::serde_json;

pub const NOW: u64 = 1_800_000_000_000;

/// A token that somebody made, and KV 2 where it usually is.
pub fn with_token() -> Json {
    json!({
        "address": "https://vault.test:8200",
        "login": { "token": "t-configured" },
        "mounts": { "secret": "kv2", "old": "kv1", "database": "database" },
    })
}

pub fn with_login(login: Json) -> Json {
    let mut config = with_token();
    config["login"] = login;
    config
}

pub fn app_role() -> Json {
    with_login(json!({ "appRole": { "roleId": "r", "secretId": "s" } }))
}

/// A token that holds for ever.
pub fn answers() -> Answers {
    Answers::new()
        .on(
            "GET",
            "/v1/auth/token/lookup-self",
            200,
            json!({ "data": { "ttl": 0 } }),
        )
        .on(
            "POST",
            "/v1/auth/approle/login",
            200,
            auth("t-approle", 3_600, true),
        )
        .on(
            "POST",
            "/v1/auth/token/renew-self",
            200,
            auth("t-approle", 3_600, true),
        )
}

pub fn auth(token: &str, seconds: u64, renewable: bool) -> Json {
    envelope(json!({
        "auth": {
            "client_token": token, "accessor": "a", "policies": ["p"], "token_policies": ["p"], "metadata": {},
            "lease_duration": seconds, "renewable": renewable, "entity_id": "e", "token_type": "service",
            "orphan": true,
        },
    }))
}

/// All that Vault puts around an answer.
pub fn envelope(parts: Json) -> Json {
    let mut whole = json!({
        "request_id": "q", "lease_id": "", "renewable": false, "lease_duration": 0, "data": null, "wrap_info": null,
        "warnings": null, "auth": null,
    });
    for (name, value) in parts.as_object().unwrap() {
        whole[name] = value.clone();
    }
    whole
}

pub fn kv2(data: Json, version: u64) -> Json {
    envelope(json!({ "data": { "data": data, "metadata": metadata(version, "", false) } }))
}

pub fn metadata(version: u64, deletion: &str, destroyed: bool) -> Json {
    json!({
        "created_time": "2026-01-01T00:00:00Z", "deletion_time": deletion, "destroyed": destroyed,
        "version": version, "custom_metadata": null,
    })
}

pub fn errors(texts: &[&str]) -> Json {
    json!({ "errors": texts })
}

pub fn host(answers: Answers) -> Host {
    Host::without_database()
        .with_answers(answers)
        .with_clock(NOW)
}

pub fn read(host: Host, config: Json, path: &str) -> (Result<Secret, Fault>, Host) {
    call(host, config, |vault: &Vault| {
        vault.read(&Reference::new(path))
    })
}

/// The requests since the last look, as `METHOD /path TOKEN`.
pub fn seen(host: &mut Host) -> Vec<String> {
    host.take_requests().iter().map(shown).collect()
}

fn shown(request: &Request) -> String {
    let path = request
        .url
        .strip_prefix("https://vault.test:8200/v1")
        .unwrap();
    let token = request.header("x-vault-token").unwrap_or("-");
    format!("{} {path} {token}", request.method)
}

pub fn body(request: &Request) -> Json {
    serde_json::from_slice(request.body.as_deref().unwrap()).unwrap()
}
