//! The backend `terraform-state`: a state in a granted folder, and behind a server that answers as Terraform's backend `http`
//! wants it.

use std::collections::BTreeMap;
use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value as Json, json};
use whimbrel_conformance::{Doing, Kept, Setup, Step, Subject, component, value};
use whimbrel_core::fault::FaultClass::{Denied, NotFound, Unavailable};
use whimbrel_faulty_proxy::{FaultyProxy, Rule};
use whimbrel_secrets::{Backend as _, UNNAMED_FIELD};
use whimbrel_test_server::{Listener, Request, Response};

const PLACE: &str = "/states/shop";
const USER: &str = "ada";
const PASSWORD: &str = "the password of the server";
const VALUE: &str = "the password of the database";
const OF_A_RESOURCE: &str = "the password of another database";

fn state() -> Json {
    json!({
        "version": 4, "terraform_version": "1.11.4", "serial": 3, "lineage": "5f1c6f0e-0000-0000-0000-000000000001",
        "outputs": {
            "database_password": { "value": VALUE, "type": "string", "sensitive": true },
            "server": { "value": { "host": "db.example.org", "port": 5432 }, "type": ["object", {}] },
        },
        "resources": [{
            "mode": "managed", "type": "database", "name": "other",
            "instances": [{ "attributes": { "password": OF_A_RESOURCE } }],
        }],
    })
}

fn answer(request: &Request) -> Response {
    let login = STANDARD.encode(format!("{USER}:{PASSWORD}"));
    if request.header("authorization") != Some(&format!("Basic {login}")) {
        return Response::json(401, "{}");
    }
    match (request.method.as_str(), request.target.as_str()) {
        ("GET", PLACE) => Response::json(200, state().to_string()),
        ("GET", _) => Response::json(404, "{}"),
        _ => Response::json(405, "{}"),
    }
}

fn kept() -> Kept {
    Kept::new("secret://terraform/database_password", UNNAMED_FIELD, VALUE)
}

fn local(folder: &str) -> Setup {
    Setup {
        with: json!({ "from": { "local": { "path": format!("{folder}/terraform.tfstate") } } }),
        grants: json!({ "files": [folder] }),
        files: BTreeMap::new(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn terraform_state_is_a_secret_backend_over_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("terraform.tfstate");
    fs::write(&file, format!("{:#}", state())).unwrap();
    let setup = local(folder.path().to_str().unwrap());
    let subject = Subject {
        store: setup
            .store("terraform-state", component("terraform-state"))
            .await,
        proxy: None,
        kept: kept(),
        earlier: None,
        missing: "secret://terraform/nobody".parse().unwrap(),
        lent: None,
        steps: Vec::new(),
    };
    subject.conforms().await;
    // Somebody writes it.
    fs::write(&file, &state().to_string().as_bytes()[..80]).unwrap();
    let fault = subject.store.read(&kept().reference).await.err().unwrap();
    assert_eq!(
        (fault.code.as_str(), fault.class),
        ("terraform.half-written", Unavailable)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn terraform_state_is_a_secret_backend_before_a_server() {
    let server = Listener::answering(None, answer);
    let proxy = FaultyProxy::start(&format!("http://{}", server.address()), None);
    let setup = Setup {
        with: json!({ "from": { "http": {
            "address": format!("{}{PLACE}", proxy.address()), "username": USER,
            "password": { "secret": "env", "path": "password" },
        } } }),
        grants: json!({ "http": [{ "to": "config:/from/http/address", "ca": { "file": "ca" } }] }),
        files: BTreeMap::from([
            ("ca".to_owned(), proxy.certificate()),
            ("password".to_owned(), PASSWORD.to_owned()),
        ]),
    };
    let subject = Subject {
        store: setup
            .store("terraform-state", component("terraform-state"))
            .await,
        proxy: Some(&proxy),
        kept: kept(),
        earlier: None,
        missing: "secret://terraform/nobody".parse().unwrap(),
        lent: None,
        steps: vec![Step::new(
            Doing::Read,
            Rule::on(PLACE),
            &[(401, Denied), (403, Denied), (404, NotFound)],
        )],
    };
    subject.conforms().await;
    // Read without a lock, and nothing but the state.
    let seen = proxy.seen();
    assert!(seen.iter().all(|request| request.target == PLACE));
    // What a fault says of a state that was heard is still legible.
    let near = "secret://terraform/database_passwrod".parse().unwrap();
    let fault = subject.store.read(&near).await.err().unwrap();
    assert_eq!(
        fault.hint.as_deref(),
        Some("did you mean `database_password`?")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_of_an_output_are_fields() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("terraform.tfstate");
    fs::write(file, state().to_string()).unwrap();
    let setup = local(folder.path().to_str().unwrap());
    let store = setup
        .store("terraform-state", component("terraform-state"))
        .await;
    let server = store
        .read(&"secret://terraform/server".parse().unwrap())
        .await;
    let server = server.unwrap_or_else(|fault| panic!("{fault:?}"));
    assert_eq!(value(&server, "host"), "db.example.org");
    assert_eq!(value(&server, "port"), "5432");
    assert!(!server.is_sensitive());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_granted_is_not_read() {
    let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fs::write(folder.path().join("terraform.tfstate"), state().to_string()).unwrap();
    let setup = Setup {
        grants: json!({ "files": [other.path().to_str().unwrap()] }),
        ..local(folder.path().to_str().unwrap())
    };
    let store = setup
        .store("terraform-state", component("terraform-state"))
        .await;
    let fault = store.read(&kept().reference).await.err().unwrap();
    assert_eq!((fault.code.as_str(), fault.class), ("files.denied", Denied));
}
