//! A Git host's plugins over the mock host, through the worlds' exports as the real host calls them.

#![allow(clippy::unwrap_used)]

use whimbrel_sdk::bindings::reporter::exports::whimbrel::git::reporter::Guest as ReporterGuest;
use whimbrel_sdk::bindings::webhook::exports::whimbrel::git::webhook::Guest as WebhookGuest;
use whimbrel_sdk::mock::{self, Answers, Host};
use whimbrel_sdk::prelude::*;
use whimbrel_sdk::reporter::{State, Status};
use whimbrel_sdk::verify::{self, Digest, Key};
use whimbrel_sdk::webhook::{Delivery, Event, Rejection, Verified};
use whimbrel_sdk::{ExportedReporter, ExportedWebhook};

#[derive(Deserialize, JsonSchema)]
#[serde(crate = "whimbrel_sdk::serde", deny_unknown_fields)]
#[schemars(crate = "whimbrel_sdk::schemars")]
struct Config {
    /// Where it is.
    api: String,
}

struct Bell;

impl WebhookReceiver for Bell {
    type Config = Config;

    fn receive(_: &Config, delivery: &Delivery) -> Result<Verified, Rejection> {
        let token = delivery.header("X-Token").ok_or(Rejection::Unsigned)?;
        if !verify::token(token.as_bytes()) {
            return Err(Rejection::BadSignature);
        }
        Ok(Verified {
            id: "1".to_owned(),
            repository: "a/b".to_owned(),
            event: Event::Ping,
        })
    }
}

struct Board(Config);

impl GitReporter for Board {
    type Config = Config;

    fn configure(config: Config) -> Result<Self, Fault> {
        Ok(Self(config))
    }

    fn set_status(&self, status: &Status) -> Result<(), Fault> {
        http::send(&http::Request::post(
            format!("{}/{}", self.0.api, status.commit),
            "",
        ))
        .map(|_| ())
    }

    fn put_comment(&self, number: u64, marker: &str, _: &str) -> Result<(), Fault> {
        http::send(&http::Request::get(format!(
            "{}/{number}/{marker}",
            self.0.api
        )))
        .map(|_| ())
    }
}

fn delivery(headers: &[(&str, &str)]) -> Delivery {
    let headers = headers.iter();
    Delivery {
        headers: headers
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        body: vec![],
        received: 0,
    }
}

#[test]
fn a_receiver_is_told_whether_a_live_secret_fits() {
    let with = || json!({ "api": "x" });
    let receive = |headers: &[(&str, &str)]| {
        let host = Host::without_database()
            .with_live_secret("old")
            .with_live_secret("new");
        mock::receive::<Bell>(host, with(), &delivery(headers))
    };
    assert!(receive(&[("x-token", "old")]).is_ok() && receive(&[("x-token", "new")]).is_ok());
    assert_eq!(receive(&[("x-token", "no")]), Err(Rejection::BadSignature));
    for headers in [
        &[][..],
        &[("x-token", "")],
        &[("x-token", "old"), ("X-Token", "new")],
    ] {
        assert_eq!(receive(headers), Err(Rejection::Unsigned));
    }
    // Outside a call nothing fits.
    assert!(!verify::token(b"old") && !verify::hmac(Key::Text, Digest::Sha256, b"", b""));
    let schema = ExportedWebhook::<Bell>::schema();
    assert!(schema.contains("Where it is."));
    let wrong = ExportedWebhook::<Bell>::receive("{\"api\":1}".to_owned(), delivery(&[]));
    assert!(matches!(wrong, Err(Rejection::Malformed(why)) if why.contains("/api")));
}

#[test]
fn every_kind_of_key_and_digest_is_served() {
    let fits = |secret: &str, key, digest, mac: &str| {
        let mac: Vec<u8> = (0..mac.len() / 2)
            .map(|at| u8::from_str_radix(&mac[2 * at..2 * at + 2], 16).unwrap())
            .collect();
        let host = Host::without_database().with_live_secret(secret);
        let (answer, _) = host.run(|| {
            Ok::<_, Fault>(verify::hmac(
                key,
                digest,
                b"what do ya want for nothing?",
                &mac,
            ))
        });
        answer.unwrap()
    };
    // RFC 4231, test case 2.
    let short = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
    let long = "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737";
    assert!(fits("Jefe", Key::Text, Digest::Sha256, short));
    assert!(fits("SmVmZQ==", Key::Base64, Digest::Sha512, long));
    assert!(fits("whsec_SmVmZQ==", Key::Whsec, Digest::Sha256, short));
    assert!(!fits("SmVmZQ==", Key::Whsec, Digest::Sha256, short));
    assert!(!fits("whsec_", Key::Whsec, Digest::Sha256, short));
}

#[test]
fn a_reporter_is_configured_first_in_every_call() {
    let answers = || {
        Answers::new()
            .on("POST", "/c0ffee", 200, "")
            .on("GET", "/7/m", 200, "")
    };
    let status = Status {
        commit: "c0ffee".to_owned(),
        context: "x".to_owned(),
        state: State::Success,
        summary: String::new(),
        link: None,
    };
    let (answer, host) = mock::report(
        Host::without_database().with_answers(answers()),
        json!({ "api": "https://board.test" }),
        |board: &Board| board.set_status(&status),
    );
    answer.unwrap();
    assert_eq!(host.requests(), ["POST https://board.test/c0ffee"]);
    type Exported = ExportedReporter<Board>;
    let unconfigured = Exported::set_status(status.clone()).unwrap_err();
    assert_eq!(unconfigured.code, "not-configured");
    assert!(Exported::schema().contains("Where it is."));
    let wrong = Exported::configure("{}".to_owned()).unwrap_err();
    assert_eq!(wrong.class, FaultClass::Invalid);
    let (answer, host) = Host::without_database().with_answers(answers()).run(|| {
        Exported::configure("{\"api\":\"https://board.test\"}".to_owned())?;
        Exported::set_status(status)?;
        Exported::put_comment(7, "m".to_owned(), "text".to_owned())
    });
    answer.unwrap();
    assert_eq!(host.requests().len(), 2);
}
