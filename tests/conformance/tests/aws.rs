//! The backend `aws-secrets-manager` before moto, which checks signatures.

#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing)]

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};
use whimbrel_aws_server::{AwsServer, Credentials, Metadata, REGION};
use whimbrel_conformance::{Doing, Kept, Setup, Step, Subject, component};
use whimbrel_core::fault::FaultClass::Denied;
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
        steps: vec![
            Step::new(
                Doing::Read,
                Rule::on("/").header("x-amz-target", "GetSecretValue"),
                &[],
            )
            .says_nothing_of_when(),
        ],
    };
    subject.conforms().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn aws_secrets_manager_is_a_secret_backend_by_the_login_of_a_machine() {
    let server = AwsServer::shared();
    let name = AwsServer::unique("machine");
    let secret =
        json!({ "Name": name, "SecretString": json!({ "password": "of a machine" }).to_string() });
    server.call("secretsmanager", "create_secret", &secret);
    let role = server.role(&AwsServer::unique("machine"), "secretsmanager:*");
    let assume = json!({ "RoleArn": role, "RoleSessionName": "machine" });
    let assumed = server.call("sts", "assume_role", &assume);
    let of = |name: &str| {
        let text = assumed.pointer(&format!("/Credentials/{name}"));
        text.and_then(Json::as_str).unwrap().to_owned()
    };
    let metadata = Metadata::start(Credentials {
        access_key_id: of("AccessKeyId"),
        secret_access_key: of("SecretAccessKey"),
        session_token: Some(of("SessionToken")),
    });
    // Before the machine's metadata service only: what is asked of Secrets Manager fails elsewhere.
    let proxy = FaultyProxy::start(&metadata.endpoint(), None);
    let setup = Setup {
        with: json!({
            "region": REGION, "endpoint": server.endpoint(),
            "credentials": { "instance": { "endpoint": proxy.address() } },
        }),
        grants: json!({ "clock": true, "http": [
            { "to": "config:/endpoint" },
            { "to": format!("{}/*", proxy.address()), "ca": { "file": "ca" } },
        ] }),
        files: BTreeMap::from([("ca".to_owned(), proxy.certificate())]),
    };
    let component = component("aws-secrets-manager");
    let subject = Subject {
        store: setup.store("aws-secrets-manager", component).await,
        proxy: Some(&proxy),
        kept: Kept::new(&format!("secret://aws/{name}"), "password", "of a machine"),
        earlier: None,
        missing: "secret://aws/nobody".parse().unwrap(),
        lent: None,
        steps: vec![
            Step::new(Doing::LogIn, Rule::on("/latest/"), &[(403, Denied)]).says_nothing_of_when(),
        ],
    };
    subject.conforms().await;
}
