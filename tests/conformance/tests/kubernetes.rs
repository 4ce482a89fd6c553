//! The backend `kubernetes`: through an API that answers as Kubernetes does, and from a mounted folder.

#![allow(missing_docs, clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use whimbrel_conformance::{Kept, Setup, Subject, component};
use whimbrel_core::fault::FaultClass::{Denied, NotFound};
use whimbrel_faulty_proxy::{FaultyProxy, Rule};
use whimbrel_secrets::UNNAMED_FIELD;
use whimbrel_test_server::{Listener, Request, Response};

const TOKEN: &str = "token.of.the-service-account";
const PASSWORD: &str = "the password in the Secret";

/// As the API server answers: a Secret by its name, and a `Status` for everything else.
fn answer(request: &Request) -> Response {
    let refused = |code: u16, reason: &str| {
        let status = json!({
            "kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "code": code,
            "message": format!("{reason}: {}", request.target),
        });
        Response::json(code, status.to_string())
    };
    if request.header("authorization") != Some(&format!("Bearer {TOKEN}")) {
        return refused(401, "Unauthorized");
    }
    match (request.method.as_str(), request.target.as_str()) {
        ("GET", "/api/v1/namespaces/shop/secrets/database") => Response::json(
            200,
            json!({
                "kind": "Secret", "apiVersion": "v1", "type": "Opaque",
                "metadata": { "name": "database", "namespace": "shop", "resourceVersion": "41" },
                "data": { "password": STANDARD.encode(PASSWORD) },
            })
            .to_string(),
        ),
        ("GET", target) if target.contains("/secrets/") => refused(404, "NotFound"),
        _ => refused(403, "Forbidden"),
    }
}

fn kept(path: &str, field: &str) -> Kept {
    Kept::new(&format!("secret://kubernetes/{path}"), field, PASSWORD)
}

#[tokio::test(flavor = "multi_thread")]
async fn kubernetes_is_a_secret_backend_through_the_api() {
    let account = tempfile::tempdir().unwrap();
    fs::write(account.path().join("token"), TOKEN).unwrap();
    fs::write(account.path().join("namespace"), "shop").unwrap();
    let folder = account.path().to_str().unwrap();
    let server = Listener::answering(None, answer);
    let proxy = FaultyProxy::start(&format!("http://{}", server.address()), None);
    let setup = Setup {
        with: json!({ "from": { "api": { "address": proxy.address(), "account": folder } } }),
        grants: json!({
            "http": [{ "to": "config:/from/api/address", "ca": { "file": "ca" } }], "files": [folder],
        }),
        files: BTreeMap::from([("ca".to_owned(), proxy.certificate())]),
    };
    let subject = Subject {
        store: setup.store("kubernetes", component("kubernetes")).await,
        proxy: Some(&proxy),
        kept: kept("shop/database", "password"),
        earlier: None,
        missing: "secret://kubernetes/shop/nobody".parse().unwrap(),
        lent: None,
        request: Some(Rule::on("/api/v1/namespaces/shop/secrets/database")),
        says_when: true,
        refusals: &[(403, Denied), (404, NotFound)],
    };
    subject.conforms().await;
    // One Secret by its name, never a list.
    let seen = proxy.seen();
    assert!(
        seen.iter()
            .all(|request| request.target.contains("/secrets/"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn kubernetes_is_a_secret_backend_from_a_mounted_folder() {
    let mounted = tempfile::tempdir().unwrap();
    fs::create_dir(mounted.path().join("database")).unwrap();
    fs::write(mounted.path().join("database/password"), PASSWORD).unwrap();
    let folder = mounted.path().to_str().unwrap();
    let setup = Setup {
        with: json!({ "from": { "mounted": { "folder": folder } } }),
        grants: json!({ "files": [folder] }),
        files: BTreeMap::new(),
    };
    let subject = Subject {
        store: setup.store("kubernetes", component("kubernetes")).await,
        proxy: None,
        kept: kept("database/password", UNNAMED_FIELD),
        earlier: None,
        missing: "secret://kubernetes/database/nobody".parse().unwrap(),
        lent: None,
        request: None,
        says_when: true,
        refusals: &[],
    };
    subject.conforms().await;
}
