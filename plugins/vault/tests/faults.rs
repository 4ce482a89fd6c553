//! Every status that Vault documents, told apart, and leases.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod support;

use support::*;
use whimbrel_sdk::http::Response;
use whimbrel_sdk::mock::Answers;
use whimbrel_sdk::prelude::*;

fn fault_of(status: u16, body: Json) -> Fault {
    let answers = answers().on("GET", "/v1/secret/data/a", status, body);
    read(host(answers), with_token(), "secret/a").0.unwrap_err()
}

#[test]
fn every_status_has_a_code_of_its_own() {
    use FaultClass::{Denied, Invalid, NotFound, Unavailable, Unsupported};
    for (status, code, class, retry) in [
        (307, "vault.standby", Unavailable, Retry::Backoff),
        (400, "vault.invalid-request", Invalid, Retry::Never),
        (403, "vault.denied", Denied, Retry::Never),
        (404, "vault.not-found", NotFound, Retry::Never),
        (405, "vault.unsupported", Unsupported, Retry::Never),
        (412, "vault.stale-replica", Unavailable, Retry::Backoff),
        (429, "vault.rate-limited", Unavailable, Retry::Backoff),
        (472, "vault.disaster-recovery", Unavailable, Retry::Backoff),
        (
            473,
            "vault.performance-standby",
            Unavailable,
            Retry::Backoff,
        ),
        (500, "vault.internal", Unavailable, Retry::Backoff),
        (501, "vault.uninitialised", Unavailable, Retry::Never),
        (502, "vault.upstream", Unavailable, Retry::Backoff),
        (503, "vault.sealed", Unavailable, Retry::Backoff),
        (418, "vault.unexpected", FaultClass::Internal, Retry::Never),
    ] {
        let fault = fault_of(status, errors(&["what vault says"]));
        assert_eq!(
            (fault.code.as_str(), fault.class),
            (code, class),
            "{status}"
        );
        assert_eq!(fault.retry, retry, "{status}");
        assert!(
            fault.message.starts_with("reading secret/a: "),
            "{}",
            fault.message
        );
    }
    assert!(
        fault_of(404, errors(&[]))
            .message
            .ends_with("not found or not permitted")
    );
    assert_eq!(
        fault_of(429, json!({ "standby": true, "sealed": false })).code,
        "vault.standby"
    );
    assert_eq!(
        fault_of(400, errors(&["unknown role: x"])).code,
        "vault.unknown-role"
    );
    assert_eq!(
        fault_of(502, json!("bad gateway of some proxy")).code,
        "vault.upstream"
    );
}

#[test]
fn a_rate_limit_says_when() {
    let response = Response {
        status: 429,
        headers: vec![("Retry-After".into(), "7".into())],
        body: errors(&["request path rate limit quota exceeded"])
            .to_string()
            .into_bytes(),
    };
    let (answer, _) = read(
        host(answers().reply("GET", "/v1/secret/data/a", response)),
        with_token(),
        "secret/a",
    );
    assert_eq!(answer.unwrap_err().retry, Retry::After(7_000));
}

#[test]
fn what_the_host_says_comes_through() {
    let (answer, _) = read(
        host(answers().fail("GET", "/v1/secret/data/a")),
        with_token(),
        "secret/a",
    );
    let fault = answer.unwrap_err();
    assert_eq!(
        (fault.code.as_str(), fault.retry),
        ("http.unreachable", Retry::Backoff)
    );
}

#[test]
fn an_answer_that_is_not_vaults_is_not_shown() {
    for body in [
        "<html>hunter2</html>",
        "{\"data\": {\"data\": \"hunter2\"}}",
        "[\"hunter2\"]",
        "",
    ] {
        let (answer, _) = read(
            host(answers().on("GET", "/v1/secret/data/a", 200, body)),
            with_token(),
            "secret/a",
        );
        let fault = answer.unwrap_err();
        assert_eq!(fault.code, "vault.unreadable");
        assert!(!format!("{fault:?}").contains("hunter2"));
    }
}

#[test]
fn data_after_the_mount_is_explained() {
    let answers = answers().on("GET", "/v1/secret/data/data/a", 404, errors(&[]));
    let (answer, _) = read(host(answers), with_token(), "secret/data/a");
    assert!(
        answer
            .unwrap_err()
            .hint
            .unwrap()
            .contains("leave out `data/`")
    );
}

fn renewal(status: u16, body: Json) -> Result<Renewal, Fault> {
    let answers = answers().on("POST", "/v1/sys/leases/renew", status, body);
    let (answer, mut host) = call(host(answers), with_token(), |vault: &Vault| {
        vault.renew("database/creds/app/1", Duration::from_secs(60))
    });
    let sent = body_of(host.take_requests());
    assert_eq!(
        sent,
        json!({ "lease_id": "database/creds/app/1", "increment": 60 })
    );
    answer
}

fn body_of(requests: Vec<whimbrel_sdk::http::Request>) -> Json {
    body(requests.last().unwrap())
}

#[test]
fn a_renewal_is_looked_at() {
    let granted = |seconds: u64| {
        envelope(
            json!({ "lease_id": "database/creds/app/1", "renewable": true, "lease_duration": seconds }),
        )
    };
    assert!(matches!(renewal(200, granted(60)), Ok(Renewal::Renewed(_))));
    let Ok(Renewal::Truncated(lease)) = renewal(200, granted(20)) else {
        panic!("less than was asked");
    };
    assert_eq!(lease.time_to_live, Duration::from_secs(20));
    assert_eq!(renewal(200, granted(0)), Ok(Renewal::Gone));
    assert_eq!(
        renewal(400, errors(&["lease not found"])),
        Ok(Renewal::Gone)
    );
    assert_eq!(renewal(400, errors(&["lease expired"])), Ok(Renewal::Gone));
    for said in ["namespace not found", "unsupported path"] {
        let told = renewal(404, errors(&[said])).unwrap_err();
        assert_eq!(
            (told.code.as_str(), told.class),
            ("vault.not-found", FaultClass::NotFound)
        );
    }
    assert_eq!(
        renewal(400, errors(&["lease is not renewable"]))
            .unwrap_err()
            .code,
        "vault.lease-not-renewable"
    );
    assert_eq!(renewal(503, errors(&[])).unwrap_err().code, "vault.sealed");
}

#[test]
fn a_revocation_waits_and_may_be_repeated() {
    let answers = answers()
        .on("POST", "/v1/sys/leases/revoke", 204, "")
        .on(
            "POST",
            "/v1/sys/leases/revoke",
            400,
            errors(&["invalid lease"]),
        )
        .on(
            "POST",
            "/v1/sys/leases/revoke",
            403,
            errors(&["permission denied"]),
        )
        .on(
            "POST",
            "/v1/sys/leases/revoke",
            404,
            errors(&["namespace not found"]),
        );
    let revoke = |vault: &vault::Vault| vault.revoke("l");
    let (answer, mut host) = call(host(answers), with_token(), revoke);
    answer.unwrap();
    assert_eq!(
        body_of(host.take_requests()),
        json!({ "lease_id": "l", "sync": true })
    );
    let (answer, host) = call(host, with_token(), revoke);
    answer.unwrap();
    let (answer, host) = call(host, with_token(), revoke);
    assert!(
        answer
            .unwrap_err()
            .hint
            .unwrap()
            .contains("sys/leases/revoke")
    );
    let (answer, _) = call(host, with_token(), revoke);
    assert_eq!(answer.unwrap_err().code, "vault.not-found");
}

#[test]
fn it_says_what_it_needs() {
    assert_eq!(
        vault::WHIMBREL_MANIFEST,
        r#"{"id":"vault","version":"0.1.0","needs":["http", "clock"],"uses":["files"]}"#
    );
    let unscripted = Answers::new();
    let (answer, _) = read(host(unscripted), with_token(), "secret/a");
    assert_eq!(answer.unwrap_err().code, "mock.unexpected");
}
