//! Logging in, staying so, and logging out.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod support;

use support::*;
use whimbrel_sdk::mock::{Answers, Host};
use whimbrel_sdk::prelude::*;

const HOUR: u64 = 3_600_000;

fn secret(answers: Answers) -> Answers {
    answers.on("GET", "/v1/secret/data/a", 200, kv2(json!({ "x": "1" }), 1))
}

fn reads(host: Host, config: Json) -> (Vec<String>, Host) {
    let (answer, mut host) = read(host, config, "secret/a");
    answer.unwrap();
    (seen(&mut host), host)
}

#[test]
fn one_login_serves_many_calls() {
    let (first, host) = reads(host(secret(answers())), app_role());
    assert_eq!(
        first,
        ["POST /auth/approle/login -", "GET /secret/data/a t-approle"]
    );
    let login = host.login().unwrap();
    assert_eq!(login.conceal, [b"t-approle".to_vec()]);
    assert_eq!(login.expires, Some(NOW + HOUR));
    let (second, _) = reads(host, app_role());
    assert_eq!(second, ["GET /secret/data/a t-approle"]);
}

#[test]
fn a_login_is_renewed_at_two_thirds_and_replaced_at_its_end() {
    let (_, host) = reads(host(secret(answers())), app_role());
    let (requests, host) = reads(host.later(HOUR / 3 * 2 - 1), app_role());
    assert_eq!(requests.len(), 1);
    let (requests, host) = reads(host.later(1), app_role());
    assert_eq!(
        requests,
        [
            "POST /auth/token/renew-self t-approle",
            "GET /secret/data/a t-approle"
        ]
    );
    let (requests, _) = reads(host.later(HOUR), app_role());
    assert_eq!(requests[0], "POST /auth/approle/login -");
}

#[test]
fn one_that_cannot_be_renewed_is_replaced_before_its_end() {
    let answers = Answers::new().on(
        "POST",
        "/v1/auth/approle/login",
        200,
        auth("t-batch", 3_600, false),
    );
    let (_, host) = reads(host(secret(answers)), app_role());
    let (requests, host) = reads(host.later(HOUR / 10 * 9 - 1), app_role());
    assert_eq!(requests.len(), 1);
    let (requests, _) = reads(host.later(1), app_role());
    assert_eq!(requests[0], "POST /auth/approle/login -");
}

#[test]
fn a_renewal_that_fails_is_not_the_end() {
    let answers = Answers::new()
        .on(
            "POST",
            "/v1/auth/approle/login",
            200,
            auth("t-approle", 3_600, true),
        )
        .on(
            "POST",
            "/v1/auth/token/renew-self",
            503,
            errors(&["Vault is sealed"]),
        );
    let (_, host) = reads(host(secret(answers)), app_role());
    let (requests, host) = reads(host.later(HOUR / 3 * 2), app_role());
    assert_eq!(requests[1], "GET /secret/data/a t-approle");
    assert!(host.logs().last().unwrap().1.contains("vault.sealed"));
}

#[test]
fn a_token_that_is_over_is_replaced_once_and_a_denied_path_is_not() {
    let denied = || errors(&["permission denied"]);
    let answers = Answers::new()
        .on(
            "POST",
            "/v1/auth/approle/login",
            200,
            auth("t-1", 3_600, true),
        )
        .on(
            "POST",
            "/v1/auth/approle/login",
            200,
            auth("t-2", 3_600, true),
        )
        .on("GET", "/v1/secret/data/a", 200, kv2(json!({ "x": "1" }), 1))
        .on("GET", "/v1/secret/data/a", 403, denied())
        .on("GET", "/v1/secret/data/a", 200, kv2(json!({ "x": "2" }), 2))
        .on("GET", "/v1/auth/token/lookup-self", 403, denied())
        .on(
            "GET",
            "/v1/auth/token/lookup-self",
            200,
            json!({ "data": { "ttl": 100 } }),
        )
        .on("GET", "/v1/secret/data/b", 403, denied());
    let (_, host) = reads(host(answers), app_role());
    let (requests, host) = reads(host, app_role());
    let expected = [
        "GET /secret/data/a t-1",
        "GET /auth/token/lookup-self t-1",
        "POST /auth/approle/login -",
        "GET /secret/data/a t-2",
    ];
    assert_eq!(requests, expected);
    let (answer, mut host) = read(host, app_role(), "secret/b");
    assert_eq!(answer.unwrap_err().code, "vault.denied");
    assert_eq!(
        seen(&mut host),
        ["GET /secret/data/b t-2", "GET /auth/token/lookup-self t-2"]
    );
}

#[test]
fn a_fresh_login_that_is_denied_is_denied() {
    let answers = answers().on(
        "GET",
        "/v1/secret/data/a",
        403,
        errors(&["permission denied"]),
    );
    let (answer, mut host) = read(host(answers), app_role(), "secret/a");
    let fault = answer.unwrap_err();
    assert_eq!(
        (fault.class, fault.code.as_str()),
        (FaultClass::Denied, "vault.denied")
    );
    assert_eq!(seen(&mut host).len(), 2);
}

#[test]
fn a_configured_token_is_renewed_and_not_revoked() {
    let looked = json!({ "data": { "ttl": 3600, "renewable": true } });
    let answers = Answers::new()
        .on("GET", "/v1/auth/token/lookup-self", 200, looked)
        .on(
            "POST",
            "/v1/auth/token/renew-self",
            200,
            auth("t-configured", 3_600, true),
        );
    let (_, host) = reads(host(secret(answers)), with_token());
    let (requests, host) = reads(host.later(HOUR / 3 * 2), with_token());
    assert_eq!(requests[0], "POST /auth/token/renew-self t-configured");
    let (closed, mut host) = call(host, with_token(), vault::Vault::close);
    closed.unwrap();
    assert!(seen(&mut host).is_empty() && host.login().is_none());
}

#[test]
fn a_configured_token_that_is_over_says_so() {
    let denied = errors(&["permission denied", "invalid token"]);
    let answers = Answers::new().on("GET", "/v1/auth/token/lookup-self", 403, denied.clone());
    let (answer, _) = read(host(answers), with_token(), "secret/a");
    assert_eq!(answer.unwrap_err().code, "vault.token-over");
    let answers = Answers::new()
        .on(
            "GET",
            "/v1/auth/token/lookup-self",
            200,
            json!({ "data": { "ttl": 0 } }),
        )
        .on("GET", "/v1/auth/token/lookup-self", 403, denied.clone())
        .on("GET", "/v1/secret/data/a", 200, kv2(json!({ "x": "1" }), 1))
        .on("GET", "/v1/secret/data/a", 403, denied);
    let (_, host) = reads(host(answers), with_token());
    let (answer, _) = read(host, with_token(), "secret/a");
    assert_eq!(answer.unwrap_err().code, "vault.token-over");
}

#[test]
fn closing_revokes_what_it_made_and_may_be_repeated() {
    let answers = answers().on("POST", "/v1/auth/token/revoke-self", 204, "");
    let (_, host) = reads(host(secret(answers)), app_role());
    let (closed, mut host) = call(host, app_role(), vault::Vault::close);
    closed.unwrap();
    assert_eq!(seen(&mut host), ["POST /auth/token/revoke-self t-approle"]);
    let (closed, mut host) = call(host, app_role(), vault::Vault::close);
    closed.unwrap();
    assert!(seen(&mut host).is_empty());
}

#[test]
fn a_login_that_could_not_be_revoked_is_kept_for_the_next_try() {
    let answers = answers()
        .on("POST", "/v1/auth/token/revoke-self", 503, errors(&[]))
        .on(
            "POST",
            "/v1/auth/token/revoke-self",
            403,
            errors(&["permission denied"]),
        );
    let (_, host) = reads(host(secret(answers)), app_role());
    let (closed, host) = call(host, app_role(), vault::Vault::close);
    assert_eq!(closed.unwrap_err().retry, Retry::Backoff);
    assert!(host.login().is_some());
    let (closed, host) = call(host, app_role(), vault::Vault::close);
    closed.unwrap();
    assert!(host.login().is_none());
}

#[test]
fn a_wrapped_secret_id_is_unwrapped_once_and_kept() {
    let unwrapped =
        envelope(json!({ "data": { "secret_id": "s-inside", "secret_id_accessor": "x" } }));
    let config = with_login(json!({ "appRole": { "roleId": "r", "wrappedSecretId": "w-1" } }));
    let answers = answers()
        .on("POST", "/v1/sys/wrapping/unwrap", 200, unwrapped)
        .on(
            "POST",
            "/v1/sys/wrapping/unwrap",
            400,
            errors(&["wrapping token is not valid or does not exist"]),
        );
    let (answer, mut host) = read(host(secret(answers)), config.clone(), "secret/a");
    answer.unwrap();
    let requests = host.take_requests();
    assert_eq!(requests[0].header("x-vault-token"), Some("w-1"));
    assert_eq!(
        body(&requests[1]),
        json!({ "role_id": "r", "secret_id": "s-inside" })
    );
    assert!(
        host.login()
            .unwrap()
            .conceal
            .contains(&b"s-inside".to_vec())
    );
    let (requests, host) = reads(host.later(HOUR), config.clone());
    assert_eq!(
        requests[0], "POST /auth/approle/login -",
        "no second unwrapping"
    );
    let (_, host) = call(host, config.clone(), |_: &Vault| {
        whimbrel_sdk::session::forget();
        Ok(())
    });
    let (answer, _) = read(host, config, "secret/a");
    let fault = answer.unwrap_err();
    assert_eq!(fault.code, "vault.wrapping-used");
    assert!(fault.hint.unwrap().contains("somebody else"));
}

#[test]
fn kubernetes_and_jwt_read_their_tokens_anew() {
    let login = |mount: &str| {
        Answers::new().on(
            "POST",
            &format!("/v1/auth/{mount}/login"),
            200,
            auth("t-jwt", 600, true),
        )
    };
    let config = with_login(json!({ "kubernetes": { "role": "app" } }));
    let file = "/var/run/secrets/kubernetes.io/serviceaccount/token";
    let (answer, mut host) = read(
        host(secret(login("kubernetes"))).with_file(file, "jwt-1\n"),
        config.clone(),
        "secret/a",
    );
    answer.unwrap();
    assert_eq!(
        body(&host.take_requests()[0]),
        json!({ "role": "app", "jwt": "jwt-1" })
    );
    let (answer, mut host) = read(
        host.with_file(file, "jwt-2").later(HOUR),
        config.clone(),
        "secret/a",
    );
    answer.unwrap();
    assert_eq!(body(&host.take_requests()[0])["jwt"], "jwt-2");
    let (answer, _) = read(host.with_file(file, " ").later(HOUR), config, "secret/a");
    assert_eq!(answer.unwrap_err().code, "vault.token-file");

    let host = support::host(secret(login("ci")));
    let config = with_login(json!({ "jwt": { "role": "app", "token": "jwt-3", "mount": "ci" } }));
    let (answer, mut host) = read(host, config, "secret/a");
    answer.unwrap();
    assert_eq!(body(&host.take_requests()[0])["jwt"], "jwt-3");
}

#[test]
fn a_refused_login_says_which() {
    for status in [400, 403, 404] {
        let answers = Answers::new().on(
            "POST",
            "/v1/auth/approle/login",
            status,
            errors(&["invalid role or secret ID"]),
        );
        let (answer, host) = read(host(answers), app_role(), "secret/a");
        let fault = answer.unwrap_err();
        assert_eq!(
            (fault.class, fault.code.as_str()),
            (FaultClass::Denied, "vault.login")
        );
        assert!(fault.message.contains("AppRole") && fault.message.contains("invalid role"));
        assert!(host.login().is_none());
    }
}

#[test]
fn a_configuration_that_makes_no_sense_is_pointed_at() {
    let mut cases = vec![
        (with_login(json!({ "token": " " })), "/login/token"),
        (with_login(json!({ "token": "a\nb" })), "/login/token"),
        (
            with_login(json!({ "appRole": { "roleId": "r" } })),
            "/login/appRole",
        ),
        (
            with_login(
                json!({ "appRole": { "roleId": "r", "secretId": "s", "wrappedSecretId": "w" } }),
            ),
            "/login/appRole",
        ),
        (with_login(json!({ "jwt": { "role": "r" } })), "/login/jwt"),
        (
            with_login(json!({ "kubernetes": { "role": "" } })),
            "/login/kubernetes/role",
        ),
    ];
    for address in [
        "vault.test",
        "https://",
        "https://vault.test/v1",
        "https://user:pass@vault.test",
        "ftp://vault.test",
    ] {
        let mut config = with_token();
        config["address"] = json!(address);
        cases.push((config, "/address"));
    }
    for (config, pointer) in cases {
        let (answer, _) = call(host(answers()), config, |_: &Vault| Ok(()));
        let fault = answer.unwrap_err();
        assert_eq!(
            (fault.class, fault.pointer.as_deref()),
            (FaultClass::Invalid, Some(pointer))
        );
    }
}
