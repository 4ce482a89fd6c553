//! The backend `kubernetes`: through a real API server, whose RBAC lets it `get` by name only, and from a mounted folder.

use std::collections::BTreeMap;
use std::fs;

use serde_json::json;
use whimbrel_conformance::{Doing, Kept, Setup, Step, Subject, component};
use whimbrel_core::fault::FaultClass::{Denied, NotFound};
use whimbrel_faulty_proxy::{FaultyProxy, Rule};
use whimbrel_kubernetes_server::KubernetesServer;
use whimbrel_secrets::{Backend as _, UNNAMED_FIELD};

const PASSWORD: &str = "the password in the Secret";

fn kept(path: &str, field: &str) -> Kept {
    Kept::new(&format!("secret://kubernetes/{path}"), field, PASSWORD)
}

#[tokio::test(flavor = "multi_thread")]
async fn kubernetes_is_a_secret_backend_through_the_api() {
    let server = KubernetesServer::shared();
    let namespace = server.namespace();
    for name in ["database", "bank"] {
        server.secret(&namespace, name, &json!({ "password": PASSWORD }));
    }
    // It may get what is named, whether it is there or not, and nothing else.
    let rules = json!([{
        "apiGroups": [""], "resources": ["secrets"], "verbs": ["get"], "resourceNames": ["database", "nobody"],
    }]);
    let token = server.account(&namespace, "migrator", &rules);
    let account = tempfile::tempdir().unwrap();
    fs::write(account.path().join("token"), token).unwrap();
    fs::write(account.path().join("namespace"), &namespace).unwrap();
    let folder = account.path().to_str().unwrap();
    let proxy = FaultyProxy::start(&server.address(), Some(server.certificate()));
    let setup = Setup {
        with: json!({ "from": { "api": { "address": proxy.address(), "account": folder } } }),
        grants: json!({
            "http": [{ "to": "config:/from/api/address", "ca": { "file": "ca" } }], "files": [folder],
        }),
        files: BTreeMap::from([("ca".to_owned(), proxy.certificate())]),
    };
    let place = format!("/api/v1/namespaces/{namespace}/secrets");
    let subject = Subject {
        store: setup.store("kubernetes", component("kubernetes")).await,
        proxy: Some(&proxy),
        kept: kept(&format!("{namespace}/database"), "password"),
        earlier: None,
        missing: "secret://kubernetes/nobody".parse().unwrap(),
        lent: None,
        steps: vec![Step::new(
            Doing::Read,
            Rule::on(format!("{place}/database")),
            &[(401, Denied), (403, Denied), (404, NotFound)],
        )],
    };
    subject.conforms().await;
    // One Secret by its name, never a list.
    let seen = proxy.seen();
    assert!(
        seen.iter()
            .all(|request| request.target.starts_with(&format!("{place}/")))
    );
    let store = &subject.store;
    let told = |name: &str| {
        let reference = format!("secret://kubernetes/{name}").parse().unwrap();
        async move { store.read(&reference).await.err().unwrap() }
    };
    let denied = told("bank").await;
    assert_eq!(
        (denied.class, denied.code.as_str()),
        (Denied, "kubernetes.denied")
    );
    assert!(denied.hint.unwrap().contains("resourceNames: [bank]"));
    assert_eq!(told("kube-system/database").await.class, Denied);
    // A token of nobody: expired, or of another cluster.
    fs::write(account.path().join("token"), "token.of-nobody").unwrap();
    assert_eq!(told("database").await.code, "kubernetes.unauthenticated");
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
        steps: Vec::new(),
    };
    subject.conforms().await;
}
