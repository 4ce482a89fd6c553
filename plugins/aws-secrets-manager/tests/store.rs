//! What is asked, what is given, what is told apart.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod support;

use support::*;
use whimbrel_sdk::http::Response;
use whimbrel_sdk::mock::{Answers, Host};
use whimbrel_sdk::prelude::*;

#[test]
fn the_current_version_is_asked_for_by_name_and_signed() {
    let (secret, mut host) = read(
        host(service(200, value(r#"{"username":"ada","port":5432}"#))),
        keys(),
    );
    let secret = secret.unwrap();
    assert_eq!(secret.field("username"), Some(&b"ada"[..]));
    assert_eq!(secret.field("port"), Some(&b"5432"[..]));
    assert_eq!(secret.version.as_deref(), Some(ID));
    let request = &host.take_requests()[0];
    assert_eq!(
        body(request),
        json!({ "SecretId": "MyTestDatabaseSecret", "VersionStage": "AWSCURRENT" })
    );
    assert_eq!(
        request.header("x-amz-target"),
        Some("secretsmanager.GetSecretValue")
    );
    assert_eq!(
        request.header("content-type"),
        Some("application/x-amz-json-1.1")
    );
    let authorization = request.header("authorization").unwrap();
    assert!(
        authorization.ends_with("9d91f5c3a02d975a071d3544e47a4b751f5bcd56393ca6489ecfc45584eddee2"),
        "{authorization}"
    );
    assert!(request.header("host").is_none() && request.header("x-amz-security-token").is_none());
}

#[test]
fn text_that_is_no_object_and_bytes_are_one_value() {
    for (text, raw, field) in [
        ("hunter2", false, "value"),
        ("[1]", false, "value"),
        (r#"{"a":"1"}"#, true, "value"),
        (r#"{"a":"1"}"#, false, "a"),
    ] {
        let reference = Reference::new("a").with_options(json!({ "raw": raw }));
        let (secret, _) = call(
            host(service(200, value(text))),
            keys(),
            |store: &SecretsManager| store.read(&reference),
        );
        assert!(secret.unwrap().field(field).is_some(), "{text}");
    }
    let binary = |text: &str| service(200, json!({ "VersionId": ID, "SecretBinary": text }));
    let (secret, _) = read(host(binary("AP8Q")), keys());
    assert_eq!(secret.unwrap().field("value"), Some(&[0, 255, 16][..]));
    for answers in [
        binary("!"),
        service(200, json!({})),
        service(200, json!("hunter2")),
    ] {
        let (secret, _) = read(host(answers), keys());
        assert_eq!(secret.unwrap_err().code, "aws.unreadable");
    }
}

#[test]
fn a_version_is_an_id_or_a_stage() {
    let (answer, mut host) = call(
        host(service(200, value("x"))),
        keys(),
        |store: &SecretsManager| {
            store.read(&Reference::new("a").with_version(ID))?;
            store.read(&Reference::new("a").with_version("AWSPREVIOUS"))?;
            assert_eq!(
                store.read(&Reference::new("")).unwrap_err().code,
                "aws.name"
            );
            assert_eq!(
                store.read(&Reference::new("a\nb")).unwrap_err().code,
                "aws.name"
            );
            Ok(())
        },
    );
    answer.unwrap();
    let requests = host.take_requests();
    assert_eq!(
        body(&requests[0]),
        json!({ "SecretId": "a", "VersionId": ID })
    );
    assert_eq!(
        body(&requests[1]),
        json!({ "SecretId": "a", "VersionStage": "AWSPREVIOUS" })
    );
    assert_eq!(requests.len(), 2);
}

#[test]
fn it_is_described_without_its_value() {
    let described = json!({ "ARN": "arn", "RotationEnabled": true, "NextRotationDate": 1_440_938_999.5,
        "VersionIdsToStages": { ID: ["AWSCURRENT"], "other": ["AWSPREVIOUS", "mine"] } });
    let (answer, mut host) = call(
        host(service(200, described)),
        keys(),
        |store: &SecretsManager| {
            let of = |version: &str| store.describe(&Reference::new("a").with_version(version));
            let shape = store.describe(&Reference::new("a"))?;
            assert_eq!(
                (shape.version.as_deref(), shape.next_rotation),
                (Some(ID), Some(1_440_938_999_500))
            );
            assert_eq!(of("mine")?.version.as_deref(), Some("other"));
            assert_eq!(of(ID)?.version.as_deref(), Some(ID));
            of("AWSPENDING")
        },
    );
    assert_eq!(answer.unwrap_err().code, "aws.version-not-found");
    assert!(
        host.take_requests()
            .iter()
            .all(|request| request.header("x-amz-target") == Some("secretsmanager.DescribeSecret"))
    );
    let (answer, _) = call(
        self::host(service(200, json!({ "DeletedDate": 1.0 }))),
        keys(),
        |store: &SecretsManager| store.describe(&Reference::new("a")),
    );
    assert_eq!(answer.unwrap_err().code, "aws.scheduled-for-deletion");
}

#[test]
fn refusals_are_told_apart() {
    use FaultClass::{Denied, Internal, Invalid, NotFound, Unavailable};
    for (status, code, message, expected, class, retry) in [
        (
            400,
            "ResourceNotFoundException",
            "",
            "aws.not-found",
            NotFound,
            Retry::Never,
        ),
        (
            400,
            "InvalidRequestException",
            "You can't perform this operation on the secret because it was marked for deletion.",
            "aws.scheduled-for-deletion",
            NotFound,
            Retry::Never,
        ),
        (
            400,
            "InvalidRequestException",
            "",
            "aws.invalid-request",
            Invalid,
            Retry::Never,
        ),
        (
            400,
            "InvalidParameterException",
            "",
            "aws.invalid-parameter",
            Invalid,
            Retry::Never,
        ),
        (
            400,
            "DecryptionFailure",
            "",
            "aws.decryption",
            Denied,
            Retry::Never,
        ),
        (
            400,
            "AccessDeniedException",
            "",
            "aws.denied",
            Denied,
            Retry::Never,
        ),
        (
            400,
            "ExpiredTokenException",
            "",
            "aws.credentials-expired",
            Denied,
            Retry::Never,
        ),
        (
            400,
            "UnrecognizedClientException",
            "",
            "aws.credentials",
            Denied,
            Retry::Never,
        ),
        (400, "RequestExpired", "", "aws.clock", Denied, Retry::Never),
        (
            400,
            "ThrottlingException",
            "",
            "aws.throttled",
            Unavailable,
            Retry::Backoff,
        ),
        (
            500,
            "InternalServiceError",
            "",
            "aws.unavailable",
            Unavailable,
            Retry::Backoff,
        ),
        (503, "", "", "aws.unavailable", Unavailable, Retry::Backoff),
        (429, "", "", "aws.throttled", Unavailable, Retry::Backoff),
        (403, "", "", "aws.denied", Denied, Retry::Never),
        (404, "", "", "aws.not-found", NotFound, Retry::Never),
        (418, "", "", "aws.unexpected", Internal, Retry::Never),
    ] {
        let (answer, host) = read(host(refusal(status, code, message)), keys());
        let fault = answer.unwrap_err();
        assert_eq!(
            (fault.code.as_str(), fault.class, fault.retry),
            (expected, class, retry),
            "{code}"
        );
        assert!(fault.message.contains("GetSecretValue") && fault.message.contains(message));
        assert_eq!(host.requests().len(), 1);
    }
    let refused = "<ErrorResponse><Error><Code>SignatureDoesNotMatch</Code><Message>no</Message></Error></ErrorResponse>";
    let (answer, _) = read(host(Answers::new().on("POST", "/", 403, refused)), keys());
    assert_eq!(answer.unwrap_err().code, "aws.credentials");
    let (answer, _) = read(host(Answers::new().fail("POST", "/")), keys());
    assert_eq!(answer.unwrap_err().code, "http.unreachable");
}

#[test]
fn a_clock_that_is_off_is_corrected_once_and_remembered() {
    let url = "https://secretsmanager.us-east-1.amazonaws.com/";
    let late = || {
        Response {
        status: 400,
        headers: vec![("Date".into(), "Sun, 30 Aug 2015 13:36:00 GMT".into())],
        body: json!({ "__type": "InvalidSignatureException", "message": "Signature expired: 20150830T123600Z is now earlier" }).to_string().into(),
    }
    };
    let good = Response {
        status: 200,
        headers: vec![],
        body: value("x").to_string().into(),
    };
    let answers = Answers::new()
        .reply("POST", url, late())
        .reply("POST", url, good);
    let (answer, mut host) = read(host(answers), keys());
    answer.unwrap();
    let dates = |host: &mut Host| -> Vec<String> {
        host.take_requests()
            .iter()
            .map(|request| request.header("x-amz-date").unwrap().to_owned())
            .collect()
    };
    assert_eq!(dates(&mut host), ["20150830T123600Z", "20150830T133600Z"]);
    let (answer, mut host) = read(host, keys());
    answer.unwrap();
    assert_eq!(dates(&mut host), ["20150830T133600Z"]);

    let (answer, host) = read(
        self::host(Answers::new().reply("POST", url, late())),
        keys(),
    );
    assert_eq!(answer.unwrap_err().code, "aws.clock");
    assert_eq!(host.requests().len(), 2, "once, not for ever");
}

#[test]
fn another_endpoint_and_configurations_that_make_no_sense() {
    let mut config = keys();
    config["endpoint"] = json!("http://127.0.0.1:5000/");
    let (answer, _) = read(
        host(Answers::new().on("POST", "http://127.0.0.1:5000/", 200, value("x"))),
        config.clone(),
    );
    answer.unwrap();
    config["endpoint"] = json!("https://moto/path");
    let (answer, _) = read(host(Answers::new()), config);
    assert_eq!(answer.unwrap_err().pointer.as_deref(), Some("/endpoint"));
    let mut config = keys();
    config["region"] = json!("evil.example.org/");
    let (answer, _) = read(host(Answers::new()), config);
    assert_eq!(answer.unwrap_err().pointer.as_deref(), Some("/region"));
    let (answer, _) = read(
        host(Answers::new()),
        from(json!({ "webIdentity": { "endpoint": "x" } })),
    );
    assert!(
        answer
            .unwrap_err()
            .pointer
            .unwrap()
            .ends_with("/webIdentity/endpoint")
    );
    let (answer, _) = read(
        host(Answers::new()),
        from(json!({ "instance": { "endpoint": "x" } })),
    );
    assert!(
        answer
            .unwrap_err()
            .pointer
            .unwrap()
            .ends_with("/instance/endpoint")
    );
}

#[test]
fn closing_forgets() {
    let (answer, host) = call(host(Answers::new()), keys(), |store: &SecretsManager| {
        whimbrel_sdk::session::put(b"{}", &[], None);
        store.close()?;
        store.close()
    });
    answer.unwrap();
    assert!(host.login().is_none());
}
