//! Where credentials come from, and how long they serve.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod support;

use support::*;
use whimbrel_sdk::mock::Answers;
use whimbrel_sdk::prelude::*;

fn sts(expires: &str) -> String {
    format!(
        "<AssumeRoleWithWebIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleWithWebIdentityResult>\
         <Credentials><AccessKeyId>ASIA</AccessKeyId><SecretAccessKey>sk</SecretAccessKey><SessionToken>st</SessionToken>\
         <Expiration>{expires}</Expiration></Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>"
    )
}

#[test]
fn a_web_identity_gets_a_role_that_is_kept_until_it_ends() {
    let answers = service(200, value("x")).on(
        "POST",
        "https://sts.us-east-1.amazonaws.com/",
        200,
        sts(HOUR_LATER),
    );
    let config = from(json!({ "webIdentity": {} }));
    let host = host(answers)
        .with_variable("AWS_ROLE_ARN", "arn:aws:iam::1:role/app")
        .with_variable("AWS_WEB_IDENTITY_TOKEN_FILE", "/var/token")
        .with_file("/var/token", "j.w+t\n");
    let (answer, mut host) = read(host, config.clone());
    answer.unwrap();
    let requests = host.take_requests();
    let form = String::from_utf8(requests[0].body.clone().unwrap()).unwrap();
    assert_eq!(
        form,
        "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fapp&RoleSessionName=whimbrel&WebIdentityToken=j.w%2Bt"
    );
    assert!(requests[0].header("authorization").is_none());
    assert_eq!(requests[1].header("x-amz-security-token"), Some("st"));
    let login = host.login().unwrap();
    assert_eq!(login.conceal, [b"sk".to_vec(), b"st".to_vec()]);
    assert_eq!(login.expires, Some(NOW + 3_600_000));
    let (answer, mut host) = read(host.later(3_299_999), config.clone());
    answer.unwrap();
    assert_eq!(host.take_requests().len(), 1);
    let (answer, mut host) = read(host.later(1), config);
    answer.unwrap();
    assert_eq!(host.take_requests().len(), 2, "five minutes before its end");
}

#[test]
fn a_role_that_is_refused_says_why() {
    let refused = "<ErrorResponse><Error><Type>Sender</Type><Code>InvalidIdentityToken</Code><Message>no provider</Message></Error></ErrorResponse>";
    let answers = Answers::new().on("POST", "https://sts.us-east-1.amazonaws.com/", 400, refused);
    let config = from(json!({ "webIdentity": { "roleArn": "r", "tokenFile": "/t" } }));
    let (answer, _) = read(host(answers).with_file("/t", "j"), config.clone());
    let fault = answer.unwrap_err();
    assert_eq!(fault.code, "aws.web-identity");
    assert!(fault.message.contains("no provider"));
    let (answer, _) = read(host(Answers::new()).with_file("/t", ""), config.clone());
    assert_eq!(answer.unwrap_err().code, "aws.token-file");
    let (answer, _) = read(
        host(Answers::new().on("POST", "/", 200, "<html>")).with_file("/t", "j"),
        config,
    );
    assert_eq!(answer.unwrap_err().code, "aws.unreadable");
}

fn document() -> Json {
    json!({ "Code": "Success", "AccessKeyId": "ASIA", "SecretAccessKey": "sk", "Token": "st", "Expiration": HOUR_LATER })
}

#[test]
fn pod_identity_shows_its_token_to_the_agent() {
    let answers = service(200, value("x")).on(
        "GET",
        "http://169.254.170.23/v1/credentials",
        200,
        document(),
    );
    let host = host(answers)
        .with_variable(
            "AWS_CONTAINER_CREDENTIALS_FULL_URI",
            "http://169.254.170.23/v1/credentials",
        )
        .with_file("/pod-token", "eyJ");
    let (answer, mut host) = read(
        host,
        from(json!({ "podIdentity": { "tokenFile": "/pod-token" } })),
    );
    answer.unwrap();
    let requests = host.take_requests();
    assert_eq!(requests[0].header("authorization"), Some("eyJ"));
    assert_eq!(requests[1].header("x-amz-security-token"), Some("st"));
}

#[test]
fn an_instance_gives_its_role_for_a_token() {
    let list = "/latest/meta-data/iam/security-credentials/";
    let answers = || service(200, value("x")).on("PUT", "/latest/api/token", 200, "imds-token");
    let good = answers().on("GET", list, 200, "app-role\n").on(
        "GET",
        &format!("{list}app-role"),
        200,
        document(),
    );
    let config = from(json!({ "instance": {} }));
    let (answer, mut host) = read(host(good), config.clone());
    answer.unwrap();
    let requests = host.take_requests();
    assert_eq!(
        requests[0].header("x-aws-ec2-metadata-token-ttl-seconds"),
        Some("21600")
    );
    assert!(
        requests[1..3]
            .iter()
            .all(|request| request.header("x-aws-ec2-metadata-token") == Some("imds-token"))
    );
    let (answer, _) = read(
        self::host(answers().on("GET", list, 404, "")),
        config.clone(),
    );
    assert_eq!(answer.unwrap_err().code, "aws.no-instance-role");
    let (answer, _) = read(
        self::host(Answers::new().on("PUT", "/latest/api/token", 403, "")),
        config.clone(),
    );
    assert_eq!(answer.unwrap_err().code, "aws.denied");
    let wrong = answers().on("GET", list, 200, "r").on(
        "GET",
        &format!("{list}r"),
        200,
        json!({ "Code": "Failed" }),
    );
    let (answer, _) = read(self::host(wrong), config);
    assert_eq!(answer.unwrap_err().code, "aws.unreadable");
}

#[test]
fn temporary_credentials_that_are_over_are_replaced_once() {
    let url = "https://secretsmanager.us-east-1.amazonaws.com/";
    let expired = json!({ "__type": "ExpiredTokenException", "Message": "The security token included in the request is expired" });
    let answers = Answers::new()
        .on("POST", url, 400, &expired)
        .on("POST", url, 200, value("x"))
        .on("POST", url, 400, &expired)
        .on("GET", "/credentials", 200, document());
    let config =
        from(json!({ "podIdentity": { "uri": "http://agent/credentials", "tokenFile": "/t" } }));
    let (answer, mut host) = read(host(answers).with_file("/t", "j"), config.clone());
    answer.unwrap();
    assert_eq!(host.take_requests().len(), 4);
    let (answer, _) = read(host, config);
    assert_eq!(answer.unwrap_err().code, "aws.credentials-expired");
}

#[test]
fn the_environment_gives_keys_and_region() {
    let config = json!({ "credentials": "environment" });
    let answers = || {
        Answers::new().on(
            "POST",
            "https://secretsmanager.cn-north-1.amazonaws.com.cn/",
            200,
            value("x"),
        )
    };
    let (answer, host) = read(
        host(answers()).with_variable("AWS_REGION", "cn-north-1"),
        config.clone(),
    );
    let fault = answer.unwrap_err();
    assert_eq!(fault.code, "aws.no-credentials");
    assert!(fault.message.contains("AWS_ACCESS_KEY_ID"));
    let host = host
        .with_variable("AWS_ACCESS_KEY_ID", "a")
        .with_variable("AWS_SECRET_ACCESS_KEY", "s")
        .with_variable("AWS_SESSION_TOKEN", "t");
    let (answer, host) = read(host, config.clone());
    answer.unwrap();
    assert!(host.login().is_none(), "nothing to keep");
    let (answer, _) = read(self::host(answers()), config);
    assert_eq!(answer.unwrap_err().pointer.as_deref(), Some("/region"));
}
