//! The backend `sops`: files that the real `sops` encrypted, in a granted folder.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::{Value as Json, json};
use whimbrel_conformance::{Kept, Setup, Subject, component, value};
use whimbrel_core::fault::FaultClass::Denied;
use whimbrel_secrets::Backend as _;

const MADE: &str = "../../plugins/sops/tests/files";

/// Sets the backend up with an identity, and reads a field of a file that only `identity.txt` decrypts.
async fn subject(file: &str, field: &str, text: &str) -> Subject<'static> {
    let made = Path::new(env!("CARGO_MANIFEST_DIR")).join(MADE);
    let made = made.canonicalize().unwrap();
    let folder = made.to_str().unwrap();
    let identity = fs::read_to_string(made.join("identity.txt")).unwrap();
    let setup = Setup {
        with: json!({ "folder": folder, "identity": { "secret": "env", "path": "identity" } }),
        grants: json!({ "files": [folder] }),
        files: BTreeMap::from([("identity".to_owned(), identity)]),
    };
    Subject {
        store: setup.store("sops", component("sops")).await,
        proxy: None,
        kept: Kept {
            reference: format!("secret://sops/{file}").parse().unwrap(),
            field: field.to_owned(),
            value: text.to_owned(),
        },
        earlier: None,
        missing: "secret://sops/nobody.yaml".parse().unwrap(),
        lent: None,
        steps: Vec::new(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sops_is_a_secret_backend() {
    for (file, field, text) in [
        ("shop.yaml", "host", "db.example.org"),
        ("shop.json", "password", "the password in the file"),
    ] {
        let subject = subject(file, field, text).await;
        subject.conforms().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_nested_is_reached_by_a_key() {
    let store = subject("shop.yaml", "host", "db.example.org").await.store;
    let reference = "secret://sops/shop.yaml#/db/nested/deep/key";
    let reference = reference.parse().unwrap();
    store
        .shape(&reference)
        .await
        .unwrap()
        .fits(&reference)
        .unwrap();
    let nested: Json =
        serde_json::from_str(&value(&store.read(&reference).await.unwrap(), "db")).unwrap();
    assert_eq!(nested["nested"]["deep"]["key"], "inside");
    let nobody = "secret://sops/shop.yaml#/nobody/key".parse().unwrap();
    let shape = store.shape(&nobody).await.unwrap();
    assert!(shape.fits(&nobody).is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_for_others_stays_closed() {
    let subject = subject("other.json", "password", "").await;
    let reference = &subject.kept.reference;
    let shape = subject.store.shape(reference).await.unwrap();
    assert!(shape.fields.contains(&subject.kept.field));
    let fault = subject.store.read(reference).await.err().unwrap();
    assert_eq!(fault.class, Denied);
    assert_eq!(fault.code, "sops.wrong-identity");
}
