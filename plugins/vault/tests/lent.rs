//! What is lent ends with its login: logins that are renewed for leases, replaced for them, and named to the host.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod support;

use support::*;
use whimbrel_sdk::mock::{Answers, Host};
use whimbrel_sdk::prelude::*;

/// How long logins hold here: twenty minutes.
const HOLDS: u64 = 1_200_000;
const CREDS: &str = "/v1/database/creds/app";

fn login(token: &str, renewable: bool) -> Answers {
    Answers::new().on(
        "POST",
        "/v1/auth/approle/login",
        200,
        auth(token, HOLDS / 1_000, renewable),
    )
}

fn lends(answers: Answers) -> Answers {
    let lent = |seconds: u64| {
        envelope(json!({
            "lease_id": "database/creds/app/1", "lease_duration": seconds, "renewable": true,
            "data": { "username": "u", "password": "p" },
        }))
    };
    answers
        .on("GET", CREDS, 200, lent(3_600))
        .on("POST", "/v1/sys/leases/renew", 200, lent(1_200))
        .on("POST", "/v1/auth/token/revoke-self", 204, "")
}

fn borrow(host: Host) -> (Vec<String>, Host) {
    let (answer, mut host) = read(host, app_role(), "database/creds/app");
    answer.unwrap();
    (seen(&mut host), host)
}

fn renew(host: Host) -> (Vec<String>, Host) {
    let (answer, mut host) = call(host, app_role(), |vault: &Vault| {
        vault.renew("database/creds/app/1", Duration::from_secs(HOLDS / 1_000))
    });
    assert!(matches!(answer.unwrap(), Renewal::Renewed(_)));
    (seen(&mut host), host)
}

fn until(host: &Host) -> u64 {
    host.under().unwrap().1.unwrap() - NOW
}

#[test]
fn a_login_that_ends_before_the_lease_is_renewed_with_it() {
    let answers = lends(login("t-1", true)).on(
        "POST",
        "/v1/auth/token/renew-self",
        200,
        auth("t-1", HOLDS / 1_000, true),
    );
    let (_, host) = borrow(host(answers));
    let name = host.under().unwrap().0.clone();
    assert_eq!(until(&host), HOLDS);
    // A little sooner than at two thirds, as hosts spread their renewals.
    let (requests, host) = renew(host.later(HOLDS / 100 * 62));
    let expected = [
        "POST /auth/token/renew-self t-1",
        "POST /sys/leases/renew t-1",
    ];
    assert_eq!(requests, expected);
    assert_eq!(until(&host), HOLDS / 100 * 162);
    assert_eq!(host.under().unwrap().0, name);
    // For the next lease it needn't be renewed again.
    let (requests, _) = renew(host.later(HOLDS / 100));
    assert_eq!(requests, ["POST /sys/leases/renew t-1"]);
}

#[test]
fn what_is_lent_under_a_login_that_wears_out_is_lent_under_a_new_one() {
    let answers = lends(login("t-1", false)).on(
        "POST",
        "/v1/auth/approle/login",
        200,
        auth("t-2", HOLDS / 1_000, false),
    );
    let (_, host) = borrow(host(answers));
    let name = host.under().unwrap().0.clone();
    // Renewing a lease tells under which login it would have to last.
    let (requests, host) = renew(host.later(HOLDS / 100 * 62));
    assert_eq!(requests, ["POST /sys/leases/renew t-1"]);
    assert_eq!((until(&host), &host.under().unwrap().0), (HOLDS, &name));
    let (requests, host) = borrow(host);
    let expected = ["POST /auth/approle/login -", "GET /database/creds/app t-2"];
    assert_eq!(requests, expected);
    assert_ne!(host.under().unwrap().0, name);
    assert!(host.login().unwrap().conceal.contains(&b"t-1".to_vec()));
    // The one before may still be used by others, and so ends with the run.
    let (closed, mut host) = call(host, app_role(), vault::Vault::close);
    closed.unwrap();
    let expected = [
        "POST /auth/token/revoke-self t-1",
        "POST /auth/token/revoke-self t-2",
    ];
    assert_eq!(seen(&mut host), expected);
}

#[test]
fn a_renewal_that_gives_too_little_counts_as_none() {
    let answers = lends(login("t-1", true))
        .on(
            "POST",
            "/v1/auth/approle/login",
            200,
            auth("t-2", HOLDS / 1_000, true),
        )
        .on(
            "POST",
            "/v1/auth/token/renew-self",
            200,
            auth("t-1", 60, true),
        );
    let (_, host) = borrow(host(answers));
    let (requests, _) = borrow(host.later(HOLDS / 100 * 62));
    let expected = [
        "POST /auth/token/renew-self t-1",
        "POST /auth/approle/login -",
        "GET /database/creds/app t-2",
    ];
    assert_eq!(requests, expected);
}

#[test]
fn where_nobody_can_log_in_anew_the_old_login_serves_to_its_end() {
    let answers = lends(login("t-1", false)).on(
        "POST",
        "/v1/auth/approle/login",
        400,
        errors(&["invalid secret id"]),
    );
    let (_, host) = borrow(host(answers));
    let (requests, host) = borrow(host.later(HOLDS / 100 * 62));
    assert_eq!(requests[1], "GET /database/creds/app t-1");
    assert!(host.logs().last().unwrap().1.contains("vault.login"));
}

#[test]
fn a_token_that_is_kept_nowhere_needs_no_revocation() {
    let answers = login("t-batch", false)
        .on("GET", "/v1/secret/data/a", 200, kv2(json!({ "x": "1" }), 1))
        .on(
            "POST",
            "/v1/auth/token/revoke-self",
            400,
            errors(&["batch tokens cannot be revoked"]),
        );
    let (answer, host) = read(host(answers), app_role(), "secret/a");
    answer.unwrap();
    let (closed, host) = call(host, app_role(), vault::Vault::close);
    closed.unwrap();
    assert!(host.login().is_none());
}
