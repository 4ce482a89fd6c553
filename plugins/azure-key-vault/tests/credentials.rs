//! Where access tokens come from, and how long they serve.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod support;

use support::*;
use whimbrel_sdk::http::Request;
use whimbrel_sdk::mock::{Answers, Host};
use whimbrel_sdk::prelude::*;

const SECRET: &str = "/secrets/db?api-version=7.4";
const METADATA: &str = "http://169.254.169.254/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https%3A%2F%2Fvault.azure.net";
const LOGIN: &str = "https://login.microsoftonline.com/tenant-1/oauth2/v2.0/token";

fn answers() -> Answers {
    Answers::new().on("GET", SECRET, 200, value("x"))
}

/// The metadata service writes its numbers as text.
fn of_metadata(token: &str) -> Json {
    json!({ "access_token": token, "expires_in": "3599", "expires_on": "1800003599", "token_type": "Bearer" })
}

fn of_login(token: &str) -> Json {
    json!({ "token_type": "Bearer", "expires_in": 3599, "access_token": token })
}

fn form(request: &Request) -> String {
    String::from_utf8(request.body.clone().unwrap()).unwrap()
}

fn workload() -> Json {
    with(json!({ "workloadIdentity": {} }))
}

fn pod(answers: Answers) -> Host {
    host(answers)
        .with_variable("AZURE_TENANT_ID", "tenant-1")
        .with_variable("AZURE_CLIENT_ID", "client-1")
        .with_variable("AZURE_FEDERATED_TOKEN_FILE", "/t")
        .with_file("/t", "j.w+t\n")
}

#[test]
fn a_managed_identity_s_token_is_kept_until_five_minutes_before_its_end() {
    let answers = answers().on("GET", METADATA, 200, of_metadata("m-1")).on(
        "GET",
        METADATA,
        200,
        of_metadata("m-2"),
    );
    let config = with(json!({ "managedIdentity": {} }));
    let (answer, mut host) = read(host(answers), config.clone());
    answer.unwrap();
    let requests = host.take_requests();
    assert_eq!(requests[0].header("metadata"), Some("true"));
    assert_eq!(requests[1].header("authorization"), Some("Bearer m-1"));
    let login = host.login().unwrap();
    assert_eq!(login.conceal, [b"m-1".to_vec()]);
    assert_eq!(login.expires, Some(NOW + 3_599_000));
    let (answer, mut host) = read(host.later(3_298_999), config.clone());
    answer.unwrap();
    assert_eq!(host.take_requests().len(), 1);
    let (answer, mut host) = read(host.later(1), config);
    answer.unwrap();
    let requests = host.take_requests();
    assert_eq!(requests[1].header("authorization"), Some("Bearer m-2"));
}

#[test]
fn one_identity_of_several_in_another_cloud() {
    let url = "/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https%3A%2F%2Fvault.azure.cn&client_id=c%2F1";
    let answers = answers().on("GET", url, 200, of_metadata("m-1"));
    let config = json!({ "vault": "shop", "domain": "vault.azure.cn",
        "credentials": { "managedIdentity": { "clientId": "c/1" } } });
    let (answer, host) = read(host(answers), config);
    answer.unwrap();
    assert!(host.requests()[1].contains("https://shop.vault.azure.cn/"));
}

#[test]
fn a_metadata_service_that_gives_no_token() {
    for (status, code, class) in [
        (400, "azure.no-identity", FaultClass::Denied),
        (404, "azure.metadata-unavailable", FaultClass::Unavailable),
        (410, "azure.metadata-unavailable", FaultClass::Unavailable),
        (500, "azure.metadata-unavailable", FaultClass::Unavailable),
    ] {
        let body = json!({ "error": "invalid_request", "error_description": "Identity not found" });
        let answers = Answers::new().on("GET", METADATA, status, body);
        let (answer, _) = read(host(answers), with(json!({ "managedIdentity": {} })));
        let fault = answer.unwrap_err();
        assert_eq!((fault.code.as_str(), fault.class), (code, class));
        assert!(
            fault
                .message
                .ends_with("invalid_request: Identity not found")
        );
    }
    for body in ["<html>", "{}"] {
        let answers = Answers::new().on("GET", METADATA, 200, body);
        let (answer, _) = read(host(answers), with(json!({ "managedIdentity": {} })));
        assert_eq!(answer.unwrap_err().code, "azure.unreadable");
    }
}

#[test]
fn a_workload_shows_its_issuer_s_token() {
    let answers = answers().on("POST", LOGIN, 200, of_login("w-1"));
    let (answer, mut host) = read(pod(answers), workload());
    answer.unwrap();
    let requests = host.take_requests();
    assert_eq!(
        form(&requests[0]),
        "grant_type=client_credentials&client_id=client-1&scope=https%3A%2F%2Fvault.azure.net%2F.default\
         &client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer&client_assertion=j.w%2Bt"
    );
    assert_eq!(requests[1].header("authorization"), Some("Bearer w-1"));
}

#[test]
fn a_workload_that_lacks_something() {
    let (answer, _) = read(host(Answers::new()), workload());
    let fault = answer.unwrap_err();
    assert_eq!(fault.code, "azure.no-credentials");
    assert!(fault.message.contains("AZURE_TENANT_ID"));
    let (answer, _) = read(pod(Answers::new()).with_file("/t", " \n"), workload());
    assert_eq!(answer.unwrap_err().code, "azure.token-file");
    let (answer, host) = read(
        pod(Answers::new()).with_variable("AZURE_TENANT_ID", "../x"),
        workload(),
    );
    assert!(answer.unwrap_err().pointer.unwrap().ends_with("/tenantId"));
    assert!(host.requests().is_empty());
}

fn client_secret() -> Json {
    with(
        json!({ "clientSecret": { "tenantId": "tenant-1", "clientId": "client-1", "clientSecret": "s&1" } }),
    )
}

#[test]
fn an_application_shows_its_secret_and_a_token_that_is_not_taken_is_replaced_once() {
    let answers = answers()
        .on("POST", LOGIN, 200, of_login("s-1"))
        .on("GET", SECRET, 401, "{}")
        .on("GET", SECRET, 200, value("x"))
        .on("GET", SECRET, 401, "{}");
    let (answer, mut host) = read(host(answers), client_secret());
    answer.unwrap();
    assert!(form(&host.take_requests()[0]).ends_with("&client_secret=s%261"));
    let (answer, mut host) = read(host, client_secret());
    answer.unwrap();
    assert_eq!(host.take_requests().len(), 3);
    let (answer, mut host) = read(host, client_secret());
    assert_eq!(answer.unwrap_err().code, "azure.credentials");
    assert_eq!(host.take_requests().len(), 3);
}

#[test]
fn a_login_that_is_refused_says_why() {
    use FaultClass::{Denied, Unavailable};
    for (status, error, code, class) in [
        (401, "invalid_client", "azure.client", Denied),
        (400, "unauthorized_client", "azure.application", Denied),
        (400, "invalid_request", "azure.application", Denied),
        (404, "other", "azure.login", Denied),
        (429, "", "azure.throttled", Unavailable),
        (
            503,
            "temporarily_unavailable",
            "azure.unavailable",
            Unavailable,
        ),
    ] {
        let body = json!({ "error": error, "error_description": "AADSTS1: why.\r\nTrace ID: 1" });
        let answers = Answers::new().on("POST", LOGIN, status, body);
        let fault = read(host(answers), client_secret()).0.unwrap_err();
        assert_eq!((fault.code.as_str(), fault.class), (code, class));
        assert!(fault.message.ends_with("AADSTS1: why."));
    }
}
