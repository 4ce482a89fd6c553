//! Reading and describing over scripted answers.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod support;

use support::*;
use whimbrel_sdk::mock::Answers;
use whimbrel_sdk::prelude::*;

const SECRET: &str = "https://shop.vault.azure.net/secrets/db?api-version=7.4";
const VERSIONS: &str = "https://shop.vault.azure.net/secrets/db/versions?api-version=7.4";

fn error(code: &str, inner: &str) -> Json {
    json!({ "error": { "code": code, "message": "what it says", "innererror": { "code": inner } } })
}

fn item(version: &str, created: u64, is_enabled: bool) -> Json {
    json!({ "id": format!("https://shop.vault.azure.net/secrets/DB/{version}"), "contentType": "text/plain",
        "attributes": { "enabled": is_enabled, "created": created, "exp": 2_000_000_000_u64 } })
}

fn describe(answers: Answers, reference: &Reference) -> (Result<Shape, Fault>, Vec<String>) {
    let (shape, host) = call(host(answers), given(), |store: &KeyVault| {
        store.describe(reference)
    });
    (shape, host.requests())
}

#[test]
fn a_document_has_its_fields_unless_it_is_wanted_raw() {
    let text = r#"{"password":"hunter2","port":5432}"#;
    let answers = Answers::new().on("GET", SECRET, 200, value(text));
    let (answer, mut host) = read(host(answers), given());
    let secret = answer.unwrap();
    assert_eq!(secret.field("password"), Some(&b"hunter2"[..]));
    assert_eq!(secret.field("port"), Some(&b"5432"[..]));
    assert_eq!(secret.version.as_deref(), Some(ID));
    assert_eq!(secret.expires, Some(2_000_000_000_000));
    assert_eq!(
        host.take_requests()[0].header("authorization"),
        Some("Bearer t-1")
    );
    let raw = Reference::new("Shop/db").with_options(json!({ "raw": true }));
    let (answer, _) = call(host, given(), |store: &KeyVault| store.read(&raw));
    assert_eq!(answer.unwrap().field("value"), Some(text.as_bytes()));
}

#[test]
fn a_version_at_another_address() {
    let url = "https://private:8443/secrets/db/abc?api-version=7.4";
    let mut config = given();
    config["endpoint"] = json!("https://private:8443/");
    let answers = Answers::new().on("GET", url, 200, value("hunter2"));
    let (answer, _) = call(host(answers), config, |store: &KeyVault| {
        store.read(&Reference::new("db").with_version("abc"))
    });
    assert_eq!(answer.unwrap().field("value"), Some(&b"hunter2"[..]));
}

#[test]
fn refusals_are_told_apart() {
    use FaultClass::{Denied, Internal, Invalid, NotFound, Unavailable};
    for (status, inner, code, class, retry) in [
        (400, "", "azure.invalid", Invalid, Retry::Never),
        (401, "", "azure.credentials", Denied, Retry::Never),
        (403, "AccessDenied", "azure.denied", Denied, Retry::Never),
        (403, "ForbiddenByRbac", "azure.denied", Denied, Retry::Never),
        (
            403,
            "ForbiddenByFirewall",
            "azure.firewall",
            Denied,
            Retry::Never,
        ),
        (
            403,
            "SecretDisabled",
            "azure.disabled",
            NotFound,
            Retry::Never,
        ),
        (404, "", "azure.not-found", NotFound, Retry::Never),
        (429, "", "azure.throttled", Unavailable, Retry::Backoff),
        (503, "", "azure.unavailable", Unavailable, Retry::Backoff),
        (302, "", "azure.unexpected", Internal, Retry::Never),
    ] {
        let answers = Answers::new().on("GET", SECRET, status, error("Outer", inner));
        let fault = read(host(answers), given()).0.unwrap_err();
        assert_eq!(
            (fault.code.as_str(), fault.class, fault.retry),
            (code, class, retry)
        );
        assert!(fault.message.contains("shop/db") && fault.message.ends_with("what it says"));
    }
    let answers = Answers::new().busy("GET", SECRET, 1);
    let fault = read(host(answers), given()).0.unwrap_err();
    assert_eq!(fault.retry, Retry::After(1_000));
    assert!(fault.message.ends_with("status 429"));
    for body in [
        json!("hunter2"),
        json!({ "id": "x" }),
        json!({ "value": "hunter2", "id": "x" }),
    ] {
        let fault = read(host(Answers::new().on("GET", SECRET, 200, body)), given())
            .0
            .unwrap_err();
        assert_eq!(fault.code, "azure.unreadable");
        assert!(!fault.message.contains("hunter2"));
    }
}

#[test]
fn a_description_looks_through_the_versions() {
    // The vault names its own address and its own spelling in the link; the pages aren't in order.
    let link = "https://shop.vault.azure.net:443/secrets/DB/versions?api-version=7.4&$skiptoken=2&maxresults=25";
    let second = "https://shop.vault.azure.net/secrets/db/versions?api-version=7.4&$skiptoken=2&maxresults=25";
    let answers = || {
        Answers::new()
            .on(
                "GET",
                VERSIONS,
                200,
                json!({ "value": [item("a", 10, true), item("c", 30, true)], "nextLink": link }),
            )
            .on(
                "GET",
                second,
                200,
                json!({ "value": [item("b", 20, false)], "nextLink": null }),
            )
    };
    let (shape, requests) = describe(answers(), &Reference::new("db"));
    let shape = shape.unwrap();
    assert_eq!(shape.version.as_deref(), Some("c"));
    assert_eq!(shape.details["contentType"], "text/plain");
    assert!(shape.fields.is_empty());
    assert_eq!(
        requests,
        [format!("GET {VERSIONS}"), format!("GET {second}")]
    );
    let (shape, _) = describe(answers(), &Reference::new("db").with_version("a"));
    assert_eq!(shape.unwrap().version.as_deref(), Some("a"));
    let (shape, _) = describe(answers(), &Reference::new("db").with_version("b"));
    assert_eq!(shape.unwrap_err().code, "azure.disabled");
    let (shape, _) = describe(answers(), &Reference::new("db").with_version("d"));
    assert_eq!(shape.unwrap_err().code, "azure.not-found");
}

#[test]
fn a_list_that_leads_elsewhere_or_never_ends() {
    let page = |link: &str| {
        Answers::new().on(
            "GET",
            VERSIONS,
            200,
            json!({ "value": [], "nextLink": link }),
        )
    };
    for link in [
        "https://shop.vault.azure.net/secrets/other?api-version=7.4",
        "https://elsewhere",
        "https://shop.vault.azure.net/secrets/db/versions?a b",
    ] {
        let (shape, requests) = describe(page(link), &Reference::new("db"));
        assert_eq!(shape.unwrap_err().code, "azure.unreadable");
        assert_eq!(requests.len(), 1);
    }
    let (shape, requests) = describe(page(VERSIONS), &Reference::new("db"));
    assert_eq!(shape.unwrap_err().code, "azure.endless");
    assert_eq!(requests.len(), 100);
    let (shape, _) = describe(
        Answers::new().on("GET", VERSIONS, 200, "{}"),
        &Reference::new("db"),
    );
    assert_eq!(shape.unwrap_err().code, "azure.unreadable");
    let denied = Answers::new().on("GET", VERSIONS, 403, error("Forbidden", "AccessDenied"));
    let (shape, _) = describe(denied, &Reference::new("db"));
    assert!(shape.unwrap_err().hint.unwrap().contains("`List`"));
}

#[test]
fn references_that_mean_another_place_are_refused() {
    for (path, version, code) in [
        ("", None, "azure.name"),
        ("shop/", None, "azure.name"),
        ("shop/..", None, "azure.name"),
        ("shop/a/b", None, "azure.name"),
        ("d?b", None, "azure.name"),
        ("db", Some("../x"), "azure.name"),
        ("db", Some(""), "azure.name"),
        ("/db", None, "azure.other-vault"),
        ("elsewhere/db", None, "azure.other-vault"),
    ] {
        let mut reference = Reference::new(path);
        reference.version = version.map(str::to_owned);
        let (answer, host) = call(host(Answers::new()), given(), |store: &KeyVault| {
            store.read(&reference)
        });
        assert_eq!(answer.unwrap_err().code, code, "{path}");
        assert!(host.requests().is_empty());
    }
}

#[test]
fn a_configuration_that_makes_no_sense_is_pointed_at() {
    let secret = |authority: &str, tenant: &str| json!({ "clientSecret": { "tenantId": tenant, "clientId": "c", "clientSecret": "s", "authority": authority } });
    for (config, pointer) in [
        (
            json!({ "vault": "a.b", "credentials": { "token": "t" } }),
            "/vault",
        ),
        (
            json!({ "vault": "a", "domain": "", "credentials": { "token": "t" } }),
            "/domain",
        ),
        (
            json!({ "vault": "a", "endpoint": "a", "credentials": { "token": "t" } }),
            "/endpoint",
        ),
        (
            json!({ "vault": "a", "credentials": { "token": "" } }),
            "/credentials/token",
        ),
        (
            json!({ "vault": "a", "credentials": { "managedIdentity": { "endpoint": "x" } } }),
            "/credentials/managedIdentity/endpoint",
        ),
        (
            json!({ "vault": "a", "credentials": { "workloadIdentity": { "authority": "x" } } }),
            "/credentials/workloadIdentity/authority",
        ),
        (
            json!({ "vault": "a", "credentials": { "workloadIdentity": { "tenantId": ".." } } }),
            "/credentials/workloadIdentity/tenantId",
        ),
        (
            json!({ "vault": "a", "credentials": secret("x", "t") }),
            "/credentials/clientSecret/authority",
        ),
        (
            json!({ "vault": "a", "credentials": secret("https://x", "a/b") }),
            "/credentials/clientSecret/tenantId",
        ),
    ] {
        let (answer, _) = read(host(Answers::new()), config);
        assert_eq!(answer.unwrap_err().pointer.as_deref(), Some(pointer));
    }
}
