//! A state behind a server, as Terraform's backend `http` asks for it:
//! <https://developer.hashicorp.com/terraform/language/backend/http>. It is read without a lock, which is for writers.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use whimbrel_sdk::http::{self, Refusal, Request, Response};
use whimbrel_sdk::prelude::*;

use crate::config::Http;
use crate::state::none_there;

/// Gets the state.
///
/// # Errors
/// There is none, the server doesn't give it, or isn't there.
pub(crate) fn get(from: &Http) -> Result<Vec<u8>, Fault> {
    let mut request = Request::get(&from.address).with_header("accept", "application/json");
    if let Some(username) = &from.username {
        let password = from.password.as_deref().unwrap_or_default();
        let login = STANDARD.encode(format!("{username}:{password}"));
        request = request.with_header("authorization", format!("Basic {login}"));
    }
    let response = http::send(&request)?;
    match response.status {
        // Before the first apply; Terraform takes an empty body for the same.
        204 | 404 => Err(none_there(&from.shown())),
        200 if response.body.is_empty() => Err(none_there(&from.shown())),
        200 => Ok(response.body),
        _ => Err(refused(&response, from)),
    }
}

/// What the server says when it doesn't give the state, told apart as Terraform does.
fn refused(response: &Response, from: &Http) -> Fault {
    use FaultClass::{Denied, Internal, Unavailable};
    let (class, code, hint, retry) = match response.status {
        401 => (
            Denied,
            "terraform.unauthenticated",
            "`username` and `password` stand beside `address`; is the password still the one?",
            Retry::Never,
        ),
        403 => (
            Denied,
            "terraform.denied",
            "whoever asks must be allowed to read this state",
            Retry::Never,
        ),
        429 => (Unavailable, "terraform.busy", "", response.retry_after()),
        500..=599 => (
            Unavailable,
            "terraform.unavailable",
            "",
            response.retry_after(),
        ),
        _ => (
            Internal,
            "terraform.unexpected",
            "is `address` the one that Terraform's backend `http` has?",
            Retry::Never,
        ),
    };
    // Nothing of the body: it may be a state.
    let refusal = Refusal {
        doing: &format!("getting the state at {}", from.shown()),
        status: response.status,
        name: "",
        said: "",
    };
    Fault::new(class, code, refusal.to_string())
        .with_retry(retry)
        .with_hint(hint)
}
