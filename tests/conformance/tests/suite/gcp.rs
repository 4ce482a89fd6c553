//! The backend `gcp-secret-manager` before a fake: a small server that answers as Google's published description of the API
//! says, with a metadata server that gives tokens. No Google Cloud was asked.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use whimbrel_conformance::{Doing, Kept, Setup, Step, Subject, component};
use whimbrel_core::fault::FaultClass::{Denied, NotFound};
use whimbrel_faulty_proxy::{FaultyProxy, Rule};
use whimbrel_test_server::{Listener, Request, Response};

const TOKEN: &str = "token.of.the-metadata-server";
/// Payloads with their CRC32C, which another program worked out.
const FIRST: (&str, &str) = (r#"{"password":"the first password"}"#, "1637924165");
const SECOND: (&str, &str) = (r#"{"password":"the second password"}"#, "4197701792");
const PLACE: &str = "/v1/projects/shop/secrets/database/versions/";

fn answer(request: &Request) -> Response {
    let refused = |code: u16, status: &str| {
        let error = json!({ "code": code, "status": status, "message": format!("{status}: {}", request.target) });
        Response::json(code, json!({ "error": error }).to_string())
    };
    if request.target == "/computeMetadata/v1/instance/service-accounts/default/token" {
        return match request.header("metadata-flavor") {
            Some("Google") => Response::json(
                200,
                json!({ "access_token": TOKEN, "expires_in": 3599, "token_type": "Bearer" })
                    .to_string(),
            ),
            _ => Response::json(403, "{}"),
        };
    }
    if request.header("authorization") != Some(&format!("Bearer {TOKEN}")) {
        return refused(401, "UNAUTHENTICATED");
    }
    let Some(rest) = request.target.strip_prefix(PLACE) else {
        return refused(404, "NOT_FOUND");
    };
    let (version, is_access) = rest
        .strip_suffix(":access")
        .map_or((rest, false), |version| (version, true));
    let (number, (text, checksum)) = match version {
        "1" => (1, FIRST),
        "2" | "latest" => (2, SECOND),
        _ => return refused(404, "NOT_FOUND"),
    };
    let name = format!("projects/4242/secrets/database/versions/{number}");
    let body = if is_access {
        json!({ "name": name, "payload": { "data": STANDARD.encode(text), "dataCrc32c": checksum } })
    } else {
        json!({ "name": name, "state": "ENABLED", "createTime": "2026-01-01T00:00:00Z" })
    };
    Response::json(200, body.to_string())
}

fn kept(reference: &str, value: &str) -> Kept {
    Kept::new(&format!("secret://gcp/{reference}"), "password", value)
}

#[tokio::test(flavor = "multi_thread")]
async fn gcp_secret_manager_is_a_secret_backend() {
    let server = Listener::answering(None, answer);
    let proxy = FaultyProxy::start(&format!("http://{}", server.address()), None);
    let setup = Setup {
        with: json!({
            "project": "shop", "endpoint": proxy.address(),
            "credentials": { "metadata": { "endpoint": proxy.address() } },
        }),
        grants: json!({
            "http": [{ "to": format!("{}/*", proxy.address()), "ca": { "file": "ca" } }],
            "clock": true,
        }),
        files: BTreeMap::from([("ca".to_owned(), proxy.certificate())]),
    };
    let subject = Subject {
        store: setup
            .store("gcp-secret-manager", component("gcp-secret-manager"))
            .await,
        proxy: Some(&proxy),
        kept: kept("shop/database", "the second password"),
        earlier: Some(kept("database?version=1", "the first password")),
        missing: "secret://gcp/shop/nobody".parse().unwrap(),
        lent: None,
        steps: vec![
            Step::new(
                Doing::Read,
                Rule::on(format!("{PLACE}latest:access")),
                &[(403, Denied), (404, NotFound)],
            ),
            Step::new(
                Doing::LogIn,
                Rule::on("/computeMetadata/"),
                &[(403, Denied), (404, Denied)],
            ),
        ],
    };
    subject.conforms().await;
}
