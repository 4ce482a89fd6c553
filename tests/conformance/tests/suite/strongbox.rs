//! The example of a third party's backend, before the server that comes with it.

use std::collections::BTreeMap;
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command};
use std::time::Duration;

use serde_json::json;
use whimbrel_conformance::{Doing, Kept, Setup, Step, Subject, component};
use whimbrel_core::fault::FaultClass::{Denied, NotFound};
use whimbrel_faulty_proxy::{FaultyProxy, Rule};
use whimbrel_test_server::free_port;

/// The example's own server; it ends with the test.
struct Server(Child, u16);

impl Server {
    fn start() -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../examples/plugins/strongbox/server.py");
        let port = free_port();
        let child = Command::new("python3")
            .arg(script)
            .arg(port.to_string())
            .spawn();
        let server = Self(child.unwrap(), port);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            std::thread::sleep(Duration::from_millis(20));
        }
        server
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn strongbox_is_a_secret_backend() {
    let server = Server::start();
    let proxy = FaultyProxy::start(&format!("http://127.0.0.1:{}", server.1), None);
    let setup = Setup {
        with: json!({ "address": proxy.address(), "client": "whimbrel", "key": "open sesame" }),
        grants: json!({ "http": [{ "to": "config:/address", "ca": { "file": "ca" } }], "clock": true }),
        files: BTreeMap::from([("ca".to_owned(), proxy.certificate())]),
    };
    let kept = |version: &str, value: &str| {
        Kept::new(
            &format!("secret://box/shop/database{version}"),
            "password",
            value,
        )
    };
    let subject = Subject {
        store: setup.store("strongbox", component("strongbox")).await,
        proxy: Some(&proxy),
        kept: kept("", "the second"),
        earlier: Some(kept("?version=1", "the first")),
        missing: "secret://box/shop/nobody".parse().unwrap(),
        lent: Some("secret://box/loan/app".parse().unwrap()),
        steps: vec![
            Step::new(
                Doing::Read,
                Rule::on("/secrets/"),
                &[(403, Denied), (404, NotFound)],
            ),
            Step::new(
                Doing::LogIn,
                Rule::on("/login").method("POST"),
                &[(403, Denied)],
            ),
            Step::new(
                Doing::Lend,
                Rule::on("/loans").method("POST"),
                &[(403, Denied), (404, NotFound)],
            ),
            Step::new(
                Doing::Renew,
                Rule::on("/loans/").method("POST"),
                &[(403, Denied)],
            ),
            Step::new(
                Doing::Revoke,
                Rule::on("/loans/").method("DELETE"),
                &[(403, Denied)],
            ),
        ],
    };
    subject.conforms().await;
}
