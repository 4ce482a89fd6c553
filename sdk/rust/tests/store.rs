//! A store of secrets over the mock host, through the world's exports as the real host calls them.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use whimbrel_sdk::bindings::store::exports::whimbrel::secrets::backend::{
    Guest, Reference as WireReference, Renewal as WireRenewal,
};
use whimbrel_sdk::mock::{Answers, Host};
use whimbrel_sdk::prelude::*;
use whimbrel_sdk::{ExportedStore, clock, environment, files, random, session};

#[derive(Deserialize, JsonSchema)]
#[serde(crate = "whimbrel_sdk::serde", deny_unknown_fields)]
#[schemars(crate = "whimbrel_sdk::schemars")]
struct Config {
    /// Where it is.
    address: String,
}

struct Shelf(Config);

impl SecretStore for Shelf {
    type Config = Config;

    fn configure(config: Config) -> Result<Self, Fault> {
        if config.address.is_empty() {
            return Err(Fault::invalid("/address", "can't be empty"));
        }
        Ok(Self(config))
    }

    fn read(&self, reference: &Reference) -> Result<Secret, Fault> {
        let token = match session::get() {
            Some(token) => token,
            None => {
                let token = files::read("/run/token")?;
                session::put(
                    &token,
                    std::slice::from_ref(&token),
                    Some(clock::now() + 1_000),
                );
                token
            }
        };
        let request = http::Request::get(format!("{}/{}", self.0.address, reference.path))
            .with_header("authorization", String::from_utf8_lossy(&token));
        let response = http::send(&request)?;
        Ok(Secret::of_value(response.body)
            .with_version(reference.version.clone().unwrap_or_default())
            .with_expiry(Some(clock::now()))
            .with_details(reference.options.clone())
            .with_lease(Some(Lease {
                id: "lease".into(),
                is_renewable: true,
                time_to_live: Duration::from_secs(30),
            })))
    }

    fn describe(&self, _: &Reference) -> Result<Shape, Fault> {
        Ok(Shape {
            fields: vec![environment::get("NAME").unwrap_or_default()],
            time_to_live: Some(Duration::from_secs(60)),
            ..Shape::default()
        })
    }

    fn renew(&self, lease: &str, want: Duration) -> Result<Renewal, Fault> {
        let lease = Lease {
            id: lease.to_owned(),
            is_renewable: true,
            time_to_live: Duration::from_secs(20),
        };
        Ok(Renewal::of(lease, want))
    }
}

type Exported = ExportedStore<Shelf>;

fn reference(options: &str) -> WireReference {
    WireReference {
        path: "a".into(),
        version: Some("3".into()),
        options: options.into(),
    }
}

fn configured() -> Result<(), Fault> {
    Exported::configure("{\"address\":\"https://shelf.test\"}".into())
}

#[test]
fn a_call_crosses_the_border_and_back() {
    let host = Host::without_database()
        .with_answers(Answers::new().on("GET", "/a", 200, "hunter2"))
        .with_file("/run/token", "t0k3n")
        .with_variable("NAME", "value")
        .with_clock(5_000);
    let (secret, host) = host.run(|| {
        configured()?;
        Exported::read(reference("{\"x\":1}"))
    });
    let secret = secret.unwrap();
    assert_eq!(secret.fields, [("value".to_owned(), b"hunter2".to_vec())]);
    assert_eq!(
        (secret.expires, secret.version.as_deref()),
        (Some(5_000), Some("3"))
    );
    assert_eq!(
        (secret.lease.unwrap().ttl, secret.details.as_str()),
        (30, "{\"x\":1}")
    );
    let login = host.login().unwrap().clone();
    assert_eq!(
        (login.conceal, login.expires),
        (vec![b"t0k3n".to_vec()], Some(6_000))
    );

    let (again, mut host) = host.run(|| {
        configured()?;
        Exported::read(reference(""))?;
        Exported::describe(reference(""))
    });
    let shape = again.unwrap();
    assert_eq!(
        (shape.fields, shape.ttl),
        (vec!["value".to_owned()], Some(60))
    );
    let requests = host.take_requests();
    assert_eq!(requests[1].header("Authorization"), Some("t0k3n"));
    assert!(host.requests().is_empty());

    let (closed, host) = host.run(|| {
        configured()?;
        Exported::revoke("lease".into())?;
        Exported::close()?;
        Exported::close()
    });
    closed.unwrap();
    assert!(host.login().is_none());
}

#[test]
fn a_login_ends_with_its_time() {
    let host = Host::without_database().with_clock(1_000);
    let (_, host) = host.run(|| {
        session::put(b"x", &[], Some(2_000));
        Ok::<_, Fault>(())
    });
    let (early, host) = host.later(999).run(|| Ok::<_, Fault>(session::get()));
    assert!(early.unwrap().is_some());
    let (late, _) = host.later(1).run(|| Ok::<_, Fault>(session::get()));
    assert!(late.unwrap().is_none());
}

#[test]
fn renewals_and_what_is_not_written() {
    let (answer, _) = Host::without_database().run(|| {
        configured()?;
        assert!(matches!(
            Exported::renew("a".into(), 20)?,
            WireRenewal::Renewed(_)
        ));
        assert!(matches!(
            Exported::renew("a".into(), 21)?,
            WireRenewal::Truncated(_)
        ));
        Exported::revoke("a".into())
    });
    answer.unwrap();
}

#[test]
fn its_configuration_is_read_or_pointed_at() {
    let schema: Json = whimbrel_sdk::serde_json::from_str(&Exported::schema()).unwrap();
    assert_eq!(
        schema["properties"]["address"]["description"],
        "Where it is."
    );
    let fault = Exported::configure("{\"address\":3}".into()).unwrap_err();
    assert_eq!(fault.pointer.as_deref(), Some("/address"));
    let fault = Exported::configure("{\"address\":\"\"}".into()).unwrap_err();
    assert_eq!(fault.class, FaultClass::Invalid);
    assert_eq!(Exported::close().unwrap_err().code, "not-configured");
}

#[test]
fn what_the_host_does_not_have_is_a_fault() {
    let (answer, _) = Host::without_database().run(|| {
        assert_eq!(files::read("/x").unwrap_err().class, FaultClass::NotFound);
        assert_eq!(environment::get("X"), None);
        assert_eq!(random::bytes(3).len(), 3);
        http::send(&http::Request::post("https://x.test", "b")).map(|_| ())
    });
    assert_eq!(answer.unwrap_err().class, FaultClass::Denied);
    let host = Host::without_database().with_answers(Answers::new().fail("GET", "/a"));
    let (answer, _) = host.run(|| {
        assert_eq!(
            http::send(&http::Request::get("x")).unwrap_err().code,
            "mock.unexpected"
        );
        http::send(&http::Request::get("x/a"))
    });
    assert_eq!(answer.unwrap_err().class, FaultClass::Unavailable);
}
