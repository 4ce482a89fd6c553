//! Secrets through the API: `GET /api/v1/namespaces/NAMESPACE/secrets/NAME`.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use whimbrel_sdk::http::{self, Refusal, Request, Response};
use whimbrel_sdk::prelude::*;
use whimbrel_sdk::{files, serde};

use crate::config::Api;
use crate::name;

/// The parts of a Secret that matter.
#[derive(Deserialize)]
#[serde(crate = "serde", rename_all = "camelCase")]
struct Object {
    kind: String,
    metadata: Metadata,
    #[serde(default)]
    data: Option<BTreeMap<String, String>>,
    #[serde(rename = "type", default)]
    of: String,
}

#[derive(Deserialize)]
#[serde(crate = "serde", rename_all = "camelCase")]
struct Metadata {
    #[serde(default)]
    resource_version: String,
    #[serde(default)]
    deletion_timestamp: Option<String>,
}

/// Reads a Secret.
pub(crate) fn read(api: &Api, reference: &Reference) -> Result<Secret, Fault> {
    let account = api.account.trim_end_matches('/');
    let (namespace, name) = match reference.path.split_once('/') {
        Some((namespace, name)) => (namespace.to_owned(), name),
        None => (own_namespace(api, account)?, reference.path.as_str()),
    };
    let (namespace, name) = (name::check(&namespace)?, name::check(name)?);
    let token = text(&format!("{account}/token"))?;
    let url = format!(
        "{}/api/v1/namespaces/{namespace}/secrets/{name}",
        api.address.trim_end_matches('/')
    );
    let request = Request::get(url)
        .with_header("accept", "application/json")
        .with_bearer(&token);
    let response = http::send(&request)?;
    if !response.is_success() {
        return Err(refused(&response, namespace, name));
    }
    let object: Object = response.json().map_err(|_| unreadable())?;
    if object.kind != "Secret" {
        return Err(unreadable());
    }
    if object.metadata.deletion_timestamp.is_some() {
        log::write(
            log::Level::Warn,
            "the Secret is being deleted",
            &[("namespace", namespace), ("name", name)],
        );
    }
    let mut fields = Vec::new();
    for (key, value) in object.data.unwrap_or_default() {
        fields.push((key, STANDARD.decode(value).map_err(|_| unreadable())?));
    }
    Ok(Secret::new(fields)
        .with_version(object.metadata.resource_version)
        .with_details(json!({ "namespace": namespace, "type": object.of })))
}

fn own_namespace(api: &Api, account: &str) -> Result<String, Fault> {
    match &api.namespace {
        Some(namespace) => Ok(namespace.clone()),
        None => text(&format!("{account}/namespace")),
    }
}

fn text(path: &str) -> Result<String, Fault> {
    let text = String::from_utf8(files::read(path)?).unwrap_or_default();
    let text = text.trim();
    if text.is_empty() || text.contains(char::is_whitespace) {
        let message = format!("{path} doesn't hold what a service account's file does");
        return Err(Fault::new(
            FaultClass::Invalid,
            "kubernetes.account",
            message,
        ));
    }
    Ok(text.to_owned())
}

/// What the API server says when it doesn't give the Secret, told apart.
fn refused(response: &Response, namespace: &str, name: &str) -> Fault {
    use FaultClass::{Denied, Internal, NotFound, Unavailable};
    let (class, code, hint, retry) = match response.status {
        401 => (
            Denied,
            "kubernetes.unauthenticated",
            "the API server doesn't take the service account's token: is it expired, or of another cluster?".to_owned(),
            Retry::Never,
        ),
        403 => (
            Denied,
            "kubernetes.denied",
            format!("a Role in {namespace} with `get` on `secrets` and `resourceNames: [{name}]`, bound to the service account, is all that is needed"),
            Retry::Never,
        ),
        404 => (
            NotFound,
            "kubernetes.not-found",
            "a reference is NAMESPACE/NAME, or NAME in the configured namespace".to_owned(),
            Retry::Never,
        ),
        429 => (Unavailable, "kubernetes.busy", String::new(), response.retry_after()),
        500..=599 => (Unavailable, "kubernetes.unavailable", String::new(), response.retry_after()),
        _ => (
            Internal,
            "kubernetes.unexpected",
            "is `address` that of the API server?".to_owned(),
            Retry::Never,
        ),
    };
    let status: Json = response.json().unwrap_or_default();
    let said = status.get("message").and_then(Json::as_str);
    let refusal = Refusal {
        doing: &format!("reading Secret {namespace}/{name}"),
        status: response.status,
        name: "",
        said: said.unwrap_or_default(),
    };
    Fault::new(class, code, refusal.to_string())
        .with_retry(retry)
        .with_hint(hint)
}

fn unreadable() -> Fault {
    Fault::new(
        FaultClass::Internal,
        "kubernetes.unreadable",
        "the answer is no Secret",
    )
}
