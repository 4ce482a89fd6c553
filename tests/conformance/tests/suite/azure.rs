//! The backend `azure-key-vault` before a fake: a small server that answers as Microsoft's published description of the API
//! says, with a metadata service and a tenant's login that give tokens. No Azure was asked.

use std::collections::BTreeMap;
use std::fs;

use serde_json::{Value as Json, json};
use whimbrel_conformance::{Doing, Kept, Setup, Step, Subject, component};
use whimbrel_core::fault::FaultClass::{Denied, NotFound};
use whimbrel_faulty_proxy::{FaultyProxy, Rule};
use whimbrel_test_server::{Listener, Request, Response};

const TOKEN: &str = "token.of.the-login";
const METADATA: &str =
    "/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https%3A%2F%2Fvault.azure.net";
const FIRST: &str = "11111111111111111111111111111111";
const SECOND: &str = "22222222222222222222222222222222";

fn answer(request: &Request) -> Response {
    let refused = |status: u16, code: &str| {
        let error = json!({ "code": code, "message": format!("{code}: {}", request.target) });
        Response::json(status, json!({ "error": error }).to_string())
    };
    let good = |body: Json| Response::json(200, body.to_string());
    match (request.method.as_str(), request.target.as_str()) {
        ("GET", METADATA) if request.header("metadata") == Some("true") => {
            return good(
                json!({ "access_token": TOKEN, "expires_in": "3599", "token_type": "Bearer" }),
            );
        }
        ("POST", "/tenant-1/oauth2/v2.0/token") => {
            let form = String::from_utf8_lossy(&request.body);
            return if form.contains("client_assertion=token.of-the.pod")
                || form.contains("client_secret=a%26b")
            {
                good(json!({ "access_token": TOKEN, "expires_in": 3599, "token_type": "Bearer" }))
            } else {
                Response::json(401, json!({ "error": "invalid_client" }).to_string())
            };
        }
        _ => {}
    }
    if request.header("authorization") != Some(&format!("Bearer {TOKEN}")) {
        return refused(401, "Unauthorized");
    }
    let item = |version: &str, created: u64| {
        json!({
            "id": format!("https://shop.vault.azure.net/secrets/database/{version}"),
            "attributes": { "enabled": true, "created": created, "updated": created },
        })
    };
    let secret = |version: &str, text: &str| {
        let mut secret = item(version, 10);
        if let Some(map) = secret.as_object_mut() {
            map.insert(
                "value".to_owned(),
                json!({ "password": text }).to_string().into(),
            );
        }
        good(secret)
    };
    let target = request.target.strip_suffix("?api-version=7.4");
    match target.unwrap_or_default().strip_prefix("/secrets/database") {
        Some("") => secret(SECOND, "the second password"),
        Some("/versions") => {
            good(json!({ "value": [item(SECOND, 20), item(FIRST, 10)], "nextLink": null }))
        }
        Some(rest) if rest.strip_prefix('/') == Some(FIRST) => secret(FIRST, "the first password"),
        _ => refused(404, "SecretNotFound"),
    }
}

fn kept(reference: &str, value: &str) -> Kept {
    Kept::new(&format!("secret://azure/{reference}"), "password", value)
}

#[tokio::test(flavor = "multi_thread")]
async fn azure_key_vault_is_a_secret_backend_by_each_login() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("token"), "token.of-the.pod").unwrap();
    let place = folder.path().to_str().unwrap();
    let server = Listener::answering(None, answer);
    let proxy = FaultyProxy::start(&format!("http://{}", server.address()), None);
    let login = proxy.address();
    for credentials in [
        json!({ "managedIdentity": { "endpoint": login } }),
        json!({ "workloadIdentity": {
            "tenantId": "tenant-1", "clientId": "c", "tokenFile": format!("{place}/token"), "authority": login,
        } }),
        json!({ "clientSecret": {
            "tenantId": "tenant-1", "clientId": "c", "clientSecret": "a&b", "authority": login,
        } }),
    ] {
        let path = if credentials.get("managedIdentity").is_some() {
            METADATA
        } else {
            "/tenant-1/oauth2"
        };
        let setup = Setup {
            with: json!({ "vault": "shop", "endpoint": proxy.address(), "credentials": credentials }),
            grants: json!({
                "http": [{ "to": format!("{login}/*"), "ca": { "file": "ca" } }],
                "clock": true, "files": [place],
            }),
            files: BTreeMap::from([("ca".to_owned(), proxy.certificate())]),
        };
        let subject = Subject {
            store: setup
                .store("azure-key-vault", component("azure-key-vault"))
                .await,
            proxy: Some(&proxy),
            kept: kept("shop/database", "the second password"),
            earlier: Some(kept(
                &format!("database?version={FIRST}"),
                "the first password",
            )),
            missing: "secret://azure/nobody".parse().unwrap(),
            lent: None,
            steps: vec![
                Step::new(
                    Doing::Read,
                    Rule::on("/secrets/database?api-version"),
                    &[(403, Denied), (404, NotFound)],
                ),
                Step::new(
                    Doing::LogIn,
                    Rule::on(path),
                    &[(400, Denied), (403, Denied)],
                ),
            ],
        };
        subject.conforms().await;
    }
}
