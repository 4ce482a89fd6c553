//! What crosses the wire, and what a refusal means.

use whimbrel_sdk::http::{self, Refusal, Request, Response};
use whimbrel_sdk::prelude::*;
use whimbrel_sdk::serde;
use whimbrel_sdk::serde::de::DeserializeOwned;

/// The code of the fault for a token that is over.
pub const LOGGED_OUT: &str = "strongbox.logged-out";

#[derive(Deserialize)]
#[serde(crate = "serde")]
pub struct LoggedIn {
    pub token: String,
    pub seconds: u64,
}

#[derive(Deserialize)]
#[serde(crate = "serde")]
pub struct Kept {
    pub version: u64,
    pub fields: Json,
}

#[derive(Deserialize)]
#[serde(crate = "serde")]
pub struct Outline {
    pub version: u64,
    pub fields: Vec<String>,
    pub rotates: Option<String>,
}

#[derive(Deserialize)]
#[serde(crate = "serde")]
pub struct Lent {
    pub loan: String,
    pub seconds: u64,
    pub fields: Json,
}

#[derive(Deserialize)]
#[serde(crate = "serde")]
pub struct Role {
    pub fields: Vec<String>,
    pub seconds: u64,
}

/// An answer that is no refusal.
#[derive(Debug)]
pub struct Answer(Response);

impl Answer {
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, Fault> {
        self.0.json().map_err(|_| unreadable())
    }

    /// That it is done: with nothing more to say, or with something of the Strongbox's own. A page of whatever stands before
    /// it is neither.
    pub fn done(&self) -> Result<(), Fault> {
        if self.0.body.is_empty() {
            return Ok(());
        }
        self.read::<Json>().map(|_| ())
    }
}

pub fn unreadable() -> Fault {
    Fault::unreadable("strongbox.unreadable", "the Strongbox")
}

/// Sends a request; a refusal is a fault.
pub fn send(
    address: &str,
    method: &str,
    path: &str,
    token: Option<&str>,
    body: Option<Json>,
) -> Result<Answer, Fault> {
    let mut request = Request::new(method, format!("{}{path}", address.trim_end_matches('/')));
    if let Some(token) = token {
        request = request.with_bearer(token);
    }
    if let Some(body) = body {
        request = request.with_header("content-type", "application/json");
        request.body = Some(body.to_string().into_bytes());
    }
    let response = http::send(&request)?;
    if response.is_success() {
        return Ok(Answer(response));
    }
    Err(refused(&response, &format!("{method} {path}")))
}

fn refused(response: &Response, doing: &str) -> Fault {
    use FaultClass::{Denied, Internal, NotFound, Unavailable};
    let (class, code, retry) = match response.status {
        401 => (Denied, LOGGED_OUT, Retry::Never),
        403 => (Denied, "strongbox.denied", Retry::Never),
        404 => (NotFound, "strongbox.not-found", Retry::Never),
        429 => (Unavailable, "strongbox.busy", response.retry_after()),
        500..=599 => (Unavailable, "strongbox.down", Retry::Backoff),
        _ => (Internal, "strongbox.unexpected", Retry::Never),
    };
    let body: Json = response.json().unwrap_or_default();
    let said = body.get("error").and_then(Json::as_str);
    let refusal = Refusal {
        doing,
        status: response.status,
        name: "",
        said: said.unwrap_or_default(),
    };
    Fault::new(class, code, refusal.to_string()).with_retry(retry)
}
