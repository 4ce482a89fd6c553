//! Signatures, held to AWS's own test suite (`signatures.json`: its cases for the path `/` without parameters, with the
//! headers that each signs) and to a worked `GetSecretValue`.

#![allow(clippy::unwrap_used)]

use aws_secrets_manager::{Credentials, Signing, authorization};
use whimbrel_sdk::prelude::*;
use whimbrel_sdk::serde_json;

/// 2015-08-30T12:36:00Z, the moment of every case.
const THEN: u64 = 1_440_938_160_000;

#[derive(Deserialize)]
#[serde(crate = "whimbrel_sdk::serde")]
struct Case {
    name: String,
    method: String,
    headers: Vec<(String, String)>,
    body: String,
    authorization: String,
}

fn credentials() -> Credentials {
    Credentials {
        access_key_id: "AKIDEXAMPLE".into(),
        secret_access_key: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".into(),
        session_token: None,
    }
}

const fn signing(service: &'static str) -> Signing<'static> {
    Signing {
        now: THEN,
        region: "us-east-1",
        service,
    }
}

#[test]
fn the_test_suite_of_aws() {
    let cases: Vec<Case> = serde_json::from_str(include_str!("signatures.json")).unwrap();
    assert!(cases.len() >= 14);
    for case in cases {
        let signed = authorization(
            &signing("service"),
            &credentials(),
            &case.method,
            &case.headers,
            case.body.as_bytes(),
        );
        assert_eq!(signed, case.authorization, "{}", case.name);
    }
}

#[test]
fn a_worked_get_secret_value() {
    let body = br#"{"SecretId":"MyTestDatabaseSecret","VersionStage":"AWSCURRENT"}"#;
    let mut headers = [
        ("content-type", "application/x-amz-json-1.1"),
        ("host", "secretsmanager.us-east-1.amazonaws.com"),
        ("x-amz-date", "20150830T123600Z"),
        ("x-amz-target", "secretsmanager.GetSecretValue"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .to_vec();
    let sign = |headers: &[(String, String)]| {
        authorization(
            &signing("secretsmanager"),
            &credentials(),
            "POST",
            headers,
            body,
        )
    };
    assert_eq!(
        sign(&headers),
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/secretsmanager/aws4_request, \
         SignedHeaders=content-type;host;x-amz-date;x-amz-target, \
         Signature=9d91f5c3a02d975a071d3544e47a4b751f5bcd56393ca6489ecfc45584eddee2"
    );
    headers.push(("x-amz-security-token".into(), "SESSIONTOKENEXAMPLE".into()));
    assert!(
        sign(&headers)
            .ends_with("8557c627271a431f52792d174adfc54cb4515c73c9606ae08407a0f80abcebca")
    );
}
