//! What Google says when it doesn't give what was asked, told apart by the status of `google.rpc`.
//!
//! <https://cloud.google.com/apis/design/errors#error_model>

use whimbrel_sdk::http::{Refusal, Response};
use whimbrel_sdk::prelude::*;

/// What a refusal means: class, code, hint and advice.
type Meaning = (FaultClass, &'static str, &'static str, Retry);

/// The fault of a refusal by the service.
pub(crate) fn of_service(response: &Response, resource: &str) -> Fault {
    let body: Json = response.json().unwrap_or_default();
    let part = |name: &str| {
        let part = body.pointer(&format!("/error/{name}"));
        part.and_then(Json::as_str).unwrap_or_default()
    };
    let (class, code, hint, retry) = meaning(response, part("status"), resource);
    let refusal = Refusal {
        doing: &format!("reading {resource}"),
        status: response.status,
        name: part("status"),
        said: part("message"),
    };
    Fault::new(class, code, refusal.to_string())
        .with_retry(retry)
        .with_hint(hint)
}

fn meaning(response: &Response, status: &str, resource: &str) -> Meaning {
    use FaultClass::{Denied, Internal, Invalid, NotFound, Unavailable};
    let never = |class, code, hint| (class, code, hint, Retry::Never);
    match (status, response.status) {
        ("UNAUTHENTICATED", _) | ("", 401) => never(
            Denied,
            "gcp.credentials",
            "is the access token over, or of another issuer?",
        ),
        ("PERMISSION_DENIED", _) | ("", 403) => never(
            Denied,
            "gcp.denied",
            if resource.ends_with(":access") {
                "the account needs `secretmanager.versions.access` (`roles/secretmanager.secretAccessor`) on this secret, and a token of the scope `cloud-platform`"
            } else {
                "to say something of a secret without reading it the account needs `secretmanager.versions.get` (`roles/secretmanager.viewer`) on it"
            },
        ),
        ("NOT_FOUND", _) | ("", 404) => never(
            NotFound,
            "gcp.not-found",
            "look at the project, the name and the version: a reference is PROJECT/NAME, or NAME in the configured project",
        ),
        ("FAILED_PRECONDITION", _) => never(
            NotFound,
            "gcp.version-off",
            "the secret is there, this version is disabled or destroyed",
        ),
        ("INVALID_ARGUMENT", _) => never(Invalid, "gcp.invalid", ""),
        ("RESOURCE_EXHAUSTED", _) | ("", 429) => {
            (Unavailable, "gcp.throttled", "", response.retry_after())
        }
        (_, 500..=599) => (Unavailable, "gcp.unavailable", "", response.retry_after()),
        _ => never(
            Internal,
            "gcp.unexpected",
            "is `endpoint` that of Secret Manager?",
        ),
    }
}

/// The fault of a refusal by the metadata server.
pub(crate) fn of_metadata(response: &Response) -> Fault {
    let message = format!(
        "asking the metadata server for a token: status {}",
        response.status
    );
    match response.status {
        429 | 500..=599 => Fault::new(FaultClass::Unavailable, "gcp.metadata-unavailable", message)
            .with_retry(response.retry_after()),
        404 => Fault::new(FaultClass::Denied, "gcp.no-account", message)
            .with_hint("attach a service account to the machine, or give another source of tokens"),
        _ => Fault::new(FaultClass::Denied, "gcp.metadata", message)
            .with_hint("is this the metadata server of Google Cloud?"),
    }
}

/// An answer that isn't what was asked for.
pub(crate) fn unreadable(who: &str) -> Fault {
    Fault::unreadable("gcp.unreadable", who)
}
