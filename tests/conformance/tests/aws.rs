//! The backend `aws-secrets-manager` before moto, which checks signatures.

#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing)]

use std::collections::BTreeMap;

use serde_json::json;
use whimbrel_aws_server::{AwsServer, REGION};
use whimbrel_conformance::{Kept, Setup, Subject, component};
use whimbrel_faulty_proxy::{FaultyProxy, Rule};

#[tokio::test(flavor = "multi_thread")]
async fn aws_secrets_manager_is_a_secret_backend() {
    let server = AwsServer::shared();
    let name = AwsServer::unique("shop");
    let secret = |password: &str| json!({ "password": password }).to_string();
    server.call(
        "secretsmanager",
        "create_secret",
        &json!({ "Name": name, "SecretString": secret("the first password") }),
    );
    server.call(
        "secretsmanager",
        "put_secret_value",
        &json!({ "SecretId": name, "SecretString": secret("the second password") }),
    );
    let reader = server.user(&AwsServer::unique("reader"), "secretsmanager:*");
    let proxy = FaultyProxy::start(&server.endpoint(), None);
    let setup = Setup {
        with: json!({
            "region": REGION, "endpoint": proxy.address(),
            "credentials": { "static": {
                "accessKeyId": reader.access_key_id, "secretAccessKey": reader.secret_access_key,
            } },
        }),
        grants: json!({ "http": [{ "to": "config:/endpoint", "ca": { "file": "ca" } }], "clock": true }),
        files: BTreeMap::from([("ca".to_owned(), proxy.certificate())]),
    };
    let kept = |version: &str, value: &str| {
        Kept::new(&format!("secret://aws/{name}{version}"), "password", value)
    };
    let subject = Subject {
        store: setup
            .store("aws-secrets-manager", component("aws-secrets-manager"))
            .await,
        proxy: Some(&proxy),
        kept: kept("", "the second password"),
        earlier: Some(kept("?version=AWSPREVIOUS", "the first password")),
        missing: "secret://aws/nobody".parse().unwrap(),
        lent: None,
        request: Some(Rule::on("/").header("x-amz-target", "GetSecretValue")),
        says_when: false,
        refusals: &[],
    };
    subject.conforms().await;
}
