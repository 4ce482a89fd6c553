//! The backend `aws-secrets-manager` before moto, which checks signatures.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

use serde_json::json;
use whimbrel_aws_server::{AwsServer, Credentials, Metadata, REGION};
use whimbrel_conformance::{Doing, Kept, Setup, Step, Subject, component, value};
use whimbrel_core::fault::FaultClass::Denied;
use whimbrel_faulty_proxy::{Fault, FaultyProxy, Rule};
use whimbrel_plugin::SecretStore;
use whimbrel_secrets::Backend as _;
use whimbrel_test_server::{Listener, Response};

const DAY: i64 = 86_400;

/// The backend, with somebody's access key.
async fn store(endpoint: &str, certificate: Option<String>, reader: &Credentials) -> SecretStore {
    let setup = Setup {
        with: json!({
            "region": REGION, "endpoint": endpoint,
            "credentials": { "static": {
                "accessKeyId": reader.access_key_id, "secretAccessKey": reader.secret_access_key,
            } },
        }),
        grants: match &certificate {
            Some(_) => {
                json!({ "http": [{ "to": "config:/endpoint", "ca": { "file": "ca" } }], "clock": true })
            }
            None => json!({ "http": [{ "to": "config:/endpoint" }], "clock": true }),
        },
        files: certificate
            .map(|text| ("ca".to_owned(), text))
            .into_iter()
            .collect(),
    };
    let name = "aws-secrets-manager";
    setup.store(name, component(name)).await
}

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
    let kept = |version: &str, value: &str| {
        Kept::new(&format!("secret://aws/{name}{version}"), "password", value)
    };
    let subject = Subject {
        store: store(&proxy.address(), Some(proxy.certificate()), &reader).await,
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
    let (_, credentials) = server.assumed(&AwsServer::unique("machine"), "secretsmanager:*");
    let metadata = Metadata::start(credentials);
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

#[tokio::test(flavor = "multi_thread")]
async fn a_signature_of_another_time_is_corrected_once_and_remembered() {
    let server = AwsServer::shared();
    let name = AwsServer::unique("clock");
    let secret = json!({ "Name": name, "SecretString": json!({ "password": "kept" }).to_string() });
    server.call("secretsmanager", "create_secret", &secret);
    let reader = server.user(&AwsServer::unique("reader"), "secretsmanager:*");
    let proxy = FaultyProxy::start(&server.endpoint(), None);
    let reference = format!("secret://aws/{name}").parse().unwrap();
    for off in [-DAY, DAY] {
        proxy.mend();
        proxy.inject(Rule::on("/").fault(Fault::Clock(off)));
        proxy.forget();
        let store = store(&proxy.address(), Some(proxy.certificate()), &reader).await;
        for _ in 0..2 {
            let secret = store.read(&reference).await.unwrap();
            assert_eq!(value(&secret, "password"), "kept");
        }
        let statuses: Vec<_> = proxy.seen().iter().map(|seen| seen.status).collect();
        assert_eq!(statuses, [Some(400), Some(200), Some(200)], "{off}");
    }
}

/// A server that takes no time at all, and says another one with each refusal.
#[tokio::test(flavor = "multi_thread")]
async fn who_goes_on_refusing_for_the_time_is_asked_twice_and_no_more() {
    let nobody = Credentials {
        access_key_id: "AKIAIOSFODNN7EXAMPLE".to_owned(),
        secret_access_key: "a key that fits no server".to_owned(),
        session_token: None,
    };
    for (refusal, expected) in [
        ("RequestTimeTooSkewed", "aws.clock"),
        ("RequestExpired", "aws.clock"),
        ("InvalidSignatureException", "aws.clock"),
        ("SignatureDoesNotMatch", "aws.credentials"),
    ] {
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        let days = AtomicI64::new(0);
        let listener = Listener::answering(None, move |_| {
            count.fetch_add(1, Ordering::SeqCst);
            let day = days.fetch_add(1, Ordering::SeqCst) % 28 + 1;
            let said = json!({ "__type": refusal, "message": "Signature expired: it is later" });
            Response::json(400, said.to_string())
                .with_header("date", format!("Mon, {day:02} Feb 2038 12:00:00 GMT"))
        });
        let store = store(&format!("http://{}", listener.address()), None, &nobody).await;
        for times in 1..=2 {
            let told = store.read(&"secret://aws/shop".parse().unwrap()).await;
            let told = told.err().unwrap();
            assert_eq!(
                (told.class, told.code.as_str()),
                (Denied, expected),
                "{refusal}"
            );
            assert_eq!(asked.load(Ordering::SeqCst), times * 2, "{refusal}");
        }
    }
}
