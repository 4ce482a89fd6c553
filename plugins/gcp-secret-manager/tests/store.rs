//! The backend over scripted answers.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use gcp_secret_manager::SecretManager;
use whimbrel_sdk::mock::{Answers, Host, call};
use whimbrel_sdk::prelude::*;

const NOW: u64 = 1_800_000_000_000;
const LATEST: &str =
    "https://secretmanager.googleapis.com/v1/projects/shop/secrets/db/versions/latest";
const METADATA: &str =
    "http://169.254.169.254/computeMetadata/v1/instance/service-accounts/default/token";

fn host(answers: Answers) -> Host {
    Host::without_database()
        .with_answers(answers)
        .with_clock(NOW)
}

fn given() -> Json {
    json!({ "project": "shop", "credentials": { "token": "t-1" } })
}

fn from_metadata() -> Json {
    json!({ "project": "shop", "credentials": { "metadata": {} } })
}

fn read(host: Host, config: Json) -> (Result<Secret, Fault>, Host) {
    call(host, config, |store: &SecretManager| {
        store.read(&Reference::new("db"))
    })
}

fn access() -> String {
    format!("{LATEST}:access")
}

/// `{"password":"hunter2","port":5432}`; the checksum is another program's.
fn payload() -> Json {
    json!({ "name": "projects/42/secrets/db/versions/7", "payload": {
        "data": "eyJwYXNzd29yZCI6Imh1bnRlcjIiLCJwb3J0Ijo1NDMyfQ==", "dataCrc32c": "1330091465",
    } })
}

fn token(text: &str) -> Json {
    json!({ "access_token": text, "expires_in": 3599, "token_type": "Bearer" })
}

fn error(code: u16, status: &str) -> Json {
    json!({ "error": { "code": code, "message": "what it says", "status": status } })
}

#[test]
fn a_document_has_its_fields_unless_it_is_wanted_raw() {
    let answers = Answers::new().on("GET", &access(), 200, payload());
    let (answer, mut host) = read(host(answers), given());
    let secret = answer.unwrap();
    assert_eq!(secret.field("password"), Some(&b"hunter2"[..]));
    assert_eq!(secret.field("port"), Some(&b"5432"[..]));
    assert_eq!(secret.version.as_deref(), Some("7"));
    assert_eq!(
        host.take_requests()[0].header("authorization"),
        Some("Bearer t-1")
    );
    let raw = Reference::new("shop/db").with_options(json!({ "raw": true }));
    let (answer, _) = call(host, given(), |store: &SecretManager| store.read(&raw));
    assert_eq!(
        answer.unwrap().field("value"),
        Some(&br#"{"password":"hunter2","port":5432}"#[..])
    );
}

#[test]
fn bytes_of_a_version_of_another_project() {
    let place = "/v1/projects/example.com:other/secrets/db/versions/3:access";
    let body = json!({ "name": "projects/43/secrets/db/versions/3", "payload": {
        "data": "AP8Q", "dataCrc32c": 3_554_230_422_u32,
    } });
    let (answer, _) = call(
        host(Answers::new().on("GET", place, 200, body)),
        given(),
        |store: &SecretManager| {
            store.read(&Reference::new("example.com:other/db").with_version("3"))
        },
    );
    let secret = answer.unwrap();
    assert_eq!(secret.field("value"), Some(&[0, 255, 16][..]));
    assert_eq!(secret.version.as_deref(), Some("3"));
    // proto3 leaves out what is empty.
    let empty = json!({ "name": "projects/42/secrets/db/versions/1", "payload": {} });
    let (answer, _) = read(
        host(Answers::new().on("GET", &access(), 200, empty)),
        given(),
    );
    assert_eq!(answer.unwrap().field("value"), Some(&b""[..]));
}

#[test]
fn damage_on_the_way_is_seen() {
    let mut damaged = payload();
    damaged["payload"]["dataCrc32c"] = json!("1330091466");
    let (answer, _) = read(
        host(Answers::new().on("GET", &access(), 200, damaged)),
        given(),
    );
    let fault = answer.unwrap_err();
    assert_eq!(
        (fault.code.as_str(), fault.class, fault.retry),
        ("gcp.checksum", FaultClass::Unavailable, Retry::Backoff)
    );
}

#[test]
fn a_description_reads_no_payload() {
    let version = |state: &str| json!({ "name": "projects/42/secrets/db/versions/7", "state": state, "createTime": "2026-01-01T00:00:00Z" });
    let describe = |answers| {
        call(host(answers), given(), |store: &SecretManager| {
            store.describe(&Reference::new("db"))
        })
    };
    let (shape, host) = describe(Answers::new().on("GET", LATEST, 200, version("ENABLED")));
    let shape = shape.unwrap();
    assert_eq!(shape.version.as_deref(), Some("7"));
    assert!(shape.fields.is_empty());
    assert_eq!(host.requests(), [format!("GET {LATEST}")]);
    let (shape, _) = describe(Answers::new().on("GET", LATEST, 200, version("DESTROYED")));
    let fault = shape.unwrap_err();
    assert_eq!(fault.code, "gcp.version-off");
    assert!(fault.message.contains("DESTROYED"));
    let (shape, _) =
        describe(Answers::new().on("GET", LATEST, 403, error(403, "PERMISSION_DENIED")));
    assert!(
        shape
            .unwrap_err()
            .hint
            .unwrap()
            .contains("secretmanager.viewer")
    );
    let (shape, _) = describe(Answers::new().on("GET", LATEST, 200, payload()));
    assert_eq!(shape.unwrap_err().code, "gcp.unreadable");
}

#[test]
fn refusals_are_told_apart() {
    use FaultClass::{Denied, Internal, Invalid, NotFound, Unavailable};
    for (code, status, expected, class, retry) in [
        (
            401,
            "UNAUTHENTICATED",
            "gcp.credentials",
            Denied,
            Retry::Never,
        ),
        (403, "PERMISSION_DENIED", "gcp.denied", Denied, Retry::Never),
        (404, "NOT_FOUND", "gcp.not-found", NotFound, Retry::Never),
        (
            400,
            "FAILED_PRECONDITION",
            "gcp.version-off",
            NotFound,
            Retry::Never,
        ),
        (
            400,
            "INVALID_ARGUMENT",
            "gcp.invalid",
            Invalid,
            Retry::Never,
        ),
        (
            429,
            "RESOURCE_EXHAUSTED",
            "gcp.throttled",
            Unavailable,
            Retry::Backoff,
        ),
        (
            500,
            "INTERNAL",
            "gcp.unavailable",
            Unavailable,
            Retry::Backoff,
        ),
        (
            503,
            "UNAVAILABLE",
            "gcp.unavailable",
            Unavailable,
            Retry::Backoff,
        ),
        (
            504,
            "DEADLINE_EXCEEDED",
            "gcp.unavailable",
            Unavailable,
            Retry::Backoff,
        ),
        (302, "", "gcp.unexpected", Internal, Retry::Never),
    ] {
        let answers = Answers::new().on("GET", &access(), code, error(code, status));
        let fault = read(host(answers), given()).0.unwrap_err();
        assert_eq!(
            (fault.code.as_str(), fault.class, fault.retry),
            (expected, class, retry)
        );
        assert!(fault.message.contains("secrets/db") && fault.message.ends_with("what it says"));
    }
    // Something before the service answers without its words.
    for (code, expected) in [
        (401, "gcp.credentials"),
        (403, "gcp.denied"),
        (404, "gcp.not-found"),
    ] {
        let answers = Answers::new().on("GET", &access(), code, "<html>");
        let fault = read(host(answers), given()).0.unwrap_err();
        assert_eq!(fault.code, expected);
        assert!(fault.message.ends_with(&format!("status {code}")));
    }
    let answers = Answers::new().busy("GET", &access(), 1);
    let fault = read(host(answers), given()).0.unwrap_err();
    assert_eq!(fault.retry, Retry::After(1_000));
    for body in [
        json!("hunter2"),
        json!({ "name": "n" }),
        json!({ "name": "n", "payload": { "data": "not base64!" } }),
    ] {
        let answers = Answers::new().on("GET", &access(), 200, body);
        let fault = read(host(answers), given()).0.unwrap_err();
        assert_eq!(fault.code, "gcp.unreadable");
    }
}

#[test]
fn a_token_of_the_metadata_server_is_kept_while_it_holds() {
    let answers = Answers::new()
        .on("GET", METADATA, 200, token("m-1"))
        .on("GET", METADATA, 200, token("m-2"))
        .on("GET", &access(), 200, payload());
    let (answer, mut host) = read(host(answers), from_metadata());
    answer.unwrap();
    let requests = host.take_requests();
    assert_eq!(requests[0].header("metadata-flavor"), Some("Google"));
    assert_eq!(requests[1].header("authorization"), Some("Bearer m-1"));
    let login = host.login().unwrap();
    assert_eq!(login.conceal, [b"m-1".to_vec()]);
    assert_eq!(login.expires, Some(NOW + 3_599_000));
    let (answer, mut host) = read(host.later(3_599_000 - 225_001), from_metadata());
    answer.unwrap();
    assert_eq!(host.take_requests().len(), 1);
    let (answer, mut host) = read(host.later(1), from_metadata());
    answer.unwrap();
    let requests = host.take_requests();
    assert_eq!(requests[1].header("authorization"), Some("Bearer m-2"));
}

#[test]
fn a_kept_token_that_is_not_taken_is_replaced_once() {
    let refused = error(401, "UNAUTHENTICATED");
    let answers = Answers::new()
        .on("GET", METADATA, 200, token("m-1"))
        .on("GET", &access(), 200, payload())
        .on("GET", &access(), 401, &refused)
        .on("GET", &access(), 200, payload())
        .on("GET", &access(), 401, &refused);
    let (answer, host) = read(host(answers), from_metadata());
    answer.unwrap();
    let (answer, mut host) = read(host, from_metadata());
    answer.unwrap();
    assert_eq!(host.take_requests().len(), 5);
    let (answer, mut host) = read(host, from_metadata());
    assert_eq!(answer.unwrap_err().code, "gcp.credentials");
    assert_eq!(host.take_requests().len(), 3);
}

#[test]
fn a_metadata_server_that_gives_no_token() {
    for (status, code, class) in [
        (403, "gcp.metadata", FaultClass::Denied),
        (404, "gcp.no-account", FaultClass::Denied),
        (503, "gcp.metadata-unavailable", FaultClass::Unavailable),
        (200, "gcp.unreadable", FaultClass::Internal),
    ] {
        let answers = Answers::new().on("GET", METADATA, status, "<html>");
        let fault = read(host(answers), from_metadata()).0.unwrap_err();
        assert_eq!((fault.code.as_str(), fault.class), (code, class));
    }
}

#[test]
fn names_that_mean_another_path_are_refused() {
    for path in [
        "",
        "/db",
        "shop/",
        "../db",
        "./db",
        "shop/..",
        "a/b/c",
        "shop/d.b",
        "shop/d?b",
        "shop/d%2fb",
        "sh op/db",
    ] {
        let (answer, host) = call(host(Answers::new()), given(), |store: &SecretManager| {
            store.read(&Reference::new(path))
        });
        assert_eq!(answer.unwrap_err().code, "gcp.name", "{path}");
        assert!(host.requests().is_empty());
    }
    for version in ["", "1:access", "../1"] {
        let reference = Reference::new("db").with_version(version);
        let (answer, _) = call(host(Answers::new()), given(), |store: &SecretManager| {
            store.describe(&reference)
        });
        assert_eq!(answer.unwrap_err().code, "gcp.name", "{version}");
    }
    let (answer, _) = read(
        host(Answers::new()),
        json!({ "credentials": { "token": "t" } }),
    );
    assert_eq!(answer.unwrap_err().code, "gcp.no-project");
}

#[test]
fn a_configuration_that_makes_no_sense_is_pointed_at() {
    for (config, pointer) in [
        (
            json!({ "project": "a/b", "credentials": { "token": "t" } }),
            "/project",
        ),
        (
            json!({ "endpoint": "https://a/v1", "credentials": { "token": "t" } }),
            "/endpoint",
        ),
        (
            json!({ "credentials": { "token": "" } }),
            "/credentials/token",
        ),
        (
            json!({ "credentials": { "metadata": { "endpoint": "metadata" } } }),
            "/credentials/metadata/endpoint",
        ),
    ] {
        let (answer, _) = read(host(Answers::new()), config);
        assert_eq!(answer.unwrap_err().pointer.as_deref(), Some(pointer));
    }
}
