//! Signatures and policies are checked; a workload's own ways to credentials are there.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use serde_json::json;
use whimbrel_aws_server::{AwsServer, Credentials, Metadata};
use whimbrel_test_server::{Connection, Request, Response};

#[test]
fn only_who_may_reads() {
    let aws = AwsServer::shared();
    let name = AwsServer::unique("shop");
    let create = json!({ "Name": name, "SecretBinary": { "base64": "Y2FuYXJ5" } });
    aws.call("secretsmanager", "create_secret", &create);
    let read = json!({ "SecretId": name, "VersionStage": "AWSCURRENT" });
    let secret = aws.call("secretsmanager", "get_secret_value", &read);
    assert_eq!(secret["SecretBinary"]["base64"], "Y2FuYXJ5");

    let reader = aws.user("reader", "secretsmanager:GetSecretValue");
    assert!(
        aws.call_as(&reader, "secretsmanager", "get_secret_value", &read)
            .is_ok()
    );
    let refused = aws.call_as(&reader, "secretsmanager", "create_secret", &create);
    assert!(refused.unwrap_err().to_string().contains("AccessDenied"));
    let guessed = Credentials {
        secret_access_key: "guessed".to_owned(),
        ..reader
    };
    let refused = aws.call_as(&guessed, "secretsmanager", "get_secret_value", &read);
    assert!(
        refused
            .unwrap_err()
            .to_string()
            .contains("SignatureDoesNotMatch")
    );
}

#[test]
fn a_role_is_assumed_by_a_token_of_elsewhere() {
    let aws = AwsServer::start();
    let name = AwsServer::unique("bank");
    aws.call(
        "secretsmanager",
        "create_secret",
        &json!({ "Name": name, "SecretString": "canary" }),
    );
    let role = aws.role("migrator", "secretsmanager:GetSecretValue");
    aws.leave_unchecked(1);
    let answer = aws.call(
        "sts",
        "assume_role_with_web_identity",
        &json!({ "RoleArn": role, "RoleSessionName": "run", "WebIdentityToken": "a.b.c" }),
    );
    let text = |name: &str| answer["Credentials"][name].as_str().unwrap().to_owned();
    let assumed = Credentials {
        access_key_id: text("AccessKeyId"),
        secret_access_key: text("SecretAccessKey"),
        session_token: Some(text("SessionToken")),
    };
    let read = json!({ "SecretId": name });
    let secret = aws.call_as(&assumed, "secretsmanager", "get_secret_value", &read);
    assert_eq!(secret.unwrap()["SecretString"], "canary");
    let guessed = Credentials {
        secret_access_key: "guessed".to_owned(),
        ..assumed
    };
    let refused = aws.call_as(&guessed, "secretsmanager", "get_secret_value", &read);
    assert!(refused.is_err());
}

fn ask(metadata: &Metadata, method: &str, target: &str, header: (&str, &str)) -> Response {
    let port = metadata
        .endpoint()
        .rsplit(':')
        .next()
        .unwrap()
        .parse()
        .unwrap();
    let request = Request {
        method: method.to_owned(),
        target: target.to_owned(),
        headers: vec![(header.0.to_owned(), header.1.to_owned())],
        body: Vec::new(),
    };
    let mut connection = Connection::call(port, None).unwrap();
    request.send(&mut connection, "169.254.169.254").unwrap()
}

#[test]
fn metadata_asks_for_a_session_and_an_agent_for_its_token() {
    let credentials = |id: &str| Credentials {
        access_key_id: id.to_owned(),
        secret_access_key: "secret".to_owned(),
        session_token: None,
    };
    let metadata = Metadata::start(credentials("first"));
    let list = "/latest/meta-data/iam/security-credentials/";
    assert_eq!(ask(&metadata, "GET", list, ("x-nothing", "")).status, 401);
    let ttl = ("X-aws-ec2-metadata-token-ttl-seconds", "60");
    let session = ask(&metadata, "PUT", "/latest/api/token", ttl).body;
    let session = String::from_utf8(session).unwrap();
    let session = ("X-aws-ec2-metadata-token", session.as_str());
    let role = String::from_utf8(ask(&metadata, "GET", list, session).body).unwrap();
    let given = ask(&metadata, "GET", &format!("{list}{role}"), session);
    assert!(String::from_utf8(given.body).unwrap().contains("\"first\""));
    assert_eq!(
        ask(&metadata, "GET", &format!("{list}nobody"), session).status,
        404
    );

    metadata.rotate(credentials("second"));
    let given = ask(
        &metadata,
        "GET",
        "/v1/credentials",
        ("Authorization", &metadata.pod_token),
    );
    assert!(
        String::from_utf8(given.body)
            .unwrap()
            .contains("\"second\"")
    );
    assert!(metadata.pod_identity().ends_with("/v1/credentials"));
    assert_eq!(
        ask(
            &metadata,
            "GET",
            "/v1/credentials",
            ("Authorization", "guessed")
        )
        .status,
        401
    );
}
