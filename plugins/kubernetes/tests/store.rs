//! The backend over scripted answers and files.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use kubernetes::Kubernetes;
use whimbrel_sdk::mock::{self, Answers, Host};
use whimbrel_sdk::prelude::*;

const ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";
const PLACE: &str = "https://kubernetes.default.svc/api/v1/namespaces/shop/secrets/db";

fn host(answers: Answers) -> Host {
    Host::without_database()
        .with_answers(answers)
        .with_file(&format!("{ACCOUNT}/token"), "t-1\n")
        .with_file(&format!("{ACCOUNT}/namespace"), "shop")
}

fn call<T>(
    host: Host,
    from: Json,
    action: impl FnOnce(&Kubernetes) -> Result<T, Fault>,
) -> (Result<T, Fault>, Host) {
    mock::call(host, json!({ "from": from }), action)
}

fn read(host: Host, from: Json, path: &str) -> (Result<Secret, Fault>, Host) {
    call(host, from, |store| store.read(&Reference::new(path)))
}

fn api() -> Json {
    json!({ "api": {} })
}

fn secret() -> Json {
    json!({ "kind": "Secret", "apiVersion": "v1", "type": "Opaque",
        "metadata": { "name": "db", "namespace": "shop", "resourceVersion": "42" },
        "data": { "password": "aHVudGVyMg==", "key": "AP8Q" } })
}

#[test]
fn a_secret_is_read_by_its_name() {
    let (answer, mut host) = read(
        host(Answers::new().on("GET", PLACE, 200, secret())),
        api(),
        "shop/db",
    );
    let secret = answer.unwrap();
    assert_eq!(secret.field("password"), Some(&b"hunter2"[..]));
    assert_eq!(secret.field("key"), Some(&[0, 255, 16][..]));
    assert_eq!(secret.version.as_deref(), Some("42"));
    assert_eq!(
        host.take_requests()[0].header("authorization"),
        Some("Bearer t-1")
    );
    let (answer, mut host) = read(
        host.with_file(&format!("{ACCOUNT}/token"), "t-2"),
        api(),
        "db",
    );
    answer.unwrap();
    assert_eq!(
        host.take_requests()[0].header("authorization"),
        Some("Bearer t-2"),
        "read anew"
    );
    let (shape, _) = call(host, api(), |store| store.describe(&Reference::new("db")));
    let shape = shape.unwrap();
    assert_eq!(shape.fields, ["key", "password"]);
    assert_eq!(shape.details["type"], "Opaque");
}

#[test]
fn the_configured_namespace_is_the_default() {
    let answers = Answers::new().on(
        "GET",
        "https://api:6443/api/v1/namespaces/other/secrets/db",
        200,
        secret(),
    );
    let from = json!({ "api": { "address": "https://api:6443/", "namespace": "other" } });
    read(host(answers), from, "db").0.unwrap();
}

#[test]
fn one_that_is_empty_or_on_its_way_out() {
    let mut object = secret();
    object["data"] = Json::Null;
    object["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    let (answer, host) = read(
        host(Answers::new().on("GET", PLACE, 200, object)),
        api(),
        "db",
    );
    assert!(answer.unwrap().fields.is_empty());
    assert!(host.logs()[0].1.contains("being deleted"));
}

#[test]
fn refusals_are_told_apart() {
    use FaultClass::{Denied, Internal, NotFound, Unavailable};
    for (status, code, class, retry) in [
        (401, "kubernetes.unauthenticated", Denied, Retry::Never),
        (403, "kubernetes.denied", Denied, Retry::Never),
        (404, "kubernetes.not-found", NotFound, Retry::Never),
        (429, "kubernetes.busy", Unavailable, Retry::Backoff),
        (503, "kubernetes.unavailable", Unavailable, Retry::Backoff),
        (302, "kubernetes.unexpected", Internal, Retry::Never),
    ] {
        let body = json!({ "kind": "Status", "message": "what it says" });
        let fault = read(
            host(Answers::new().on("GET", PLACE, status, body)),
            api(),
            "db",
        )
        .0
        .unwrap_err();
        assert_eq!(
            (fault.code.as_str(), fault.class, fault.retry),
            (code, class, retry)
        );
        assert!(fault.message.contains("shop/db") && fault.message.ends_with("what it says"));
    }
    let fault = read(host(Answers::new().busy("GET", PLACE, 1)), api(), "db")
        .0
        .unwrap_err();
    assert_eq!(fault.retry, Retry::After(1_000));
    let mut broken = secret();
    broken["data"]["key"] = json!("not base64!");
    for body in [
        json!("hunter2"),
        json!({ "kind": "SecretList", "metadata": {} }),
        broken,
    ] {
        let fault = read(
            host(Answers::new().on("GET", PLACE, 200, body)),
            api(),
            "db",
        )
        .0
        .unwrap_err();
        assert_eq!(fault.code, "kubernetes.unreadable");
    }
    let fault = read(
        host(Answers::new()).with_file(&format!("{ACCOUNT}/token"), "a\nb"),
        api(),
        "db",
    )
    .0
    .unwrap_err();
    assert_eq!(fault.code, "kubernetes.account");
}

#[test]
fn a_mounted_folder_is_read_without_the_api() {
    let from = json!({ "mounted": { "folder": "/run/secrets/" } });
    let host = Host::without_database().with_file("/run/secrets/db/password", "hunter2");
    let (answer, host) = read(host, from.clone(), "db/password");
    assert_eq!(answer.unwrap().field("value"), Some(&b"hunter2"[..]));
    let reference = Reference::new("db").with_options(json!({ "key": "password" }));
    let (answer, host) = call(host, from.clone(), |store| store.read(&reference));
    assert_eq!(answer.unwrap().field("password"), Some(&b"hunter2"[..]));
    let (answer, host) = call(host, from.clone(), |store| {
        store.describe(&Reference::new("db/password"))
    });
    assert_eq!(answer.unwrap().fields, ["value"]);
    let (answer, _) = read(host, from, "db/user");
    assert_eq!(answer.unwrap_err().class, FaultClass::NotFound);
}

#[test]
fn names_that_mean_another_path_are_refused() {
    let mounted = || json!({ "mounted": { "folder": "/run/secrets" } });
    for path in [
        "", "..", "a/../b", "a//b", "..data", "a?b", "a%2fb", "a b", "shop/", "/db",
    ] {
        for from in [api(), mounted()] {
            let (answer, host) = read(host(Answers::new()), from, path);
            assert_eq!(answer.unwrap_err().code, "kubernetes.name", "{path}");
            assert!(host.requests().is_empty());
        }
    }
    let (answer, _) = read(host(Answers::new()), api(), "a/b/c");
    assert_eq!(answer.unwrap_err().code, "kubernetes.name");
    let (answer, _) = call(host(Answers::new()), api(), |store| {
        store.read(&Reference::new("db").with_version("1"))
    });
    assert_eq!(answer.unwrap_err().code, "kubernetes.no-versions");
}

#[test]
fn a_configuration_that_makes_no_sense_is_pointed_at() {
    for (from, pointer) in [
        (
            json!({ "api": { "address": "kubernetes" } }),
            "/from/api/address",
        ),
        (
            json!({ "api": { "address": "https://user@host" } }),
            "/from/api/address",
        ),
        (
            json!({ "api": { "namespace": "../x" } }),
            "/from/api/namespace",
        ),
        (json!({ "api": { "account": "/" } }), "/from/api/account"),
        (
            json!({ "mounted": { "folder": "" } }),
            "/from/mounted/folder",
        ),
    ] {
        let (answer, _) = read(host(Answers::new()), from, "db");
        assert_eq!(answer.unwrap_err().pointer.as_deref(), Some(pointer));
    }
}
