//! Requests to the hosts that were granted. TLS, proxies, address checks and size limits are the host's.

use std::fmt;

#[cfg(target_arch = "wasm32")]
use crate::bindings::whimbrel::http::client as host;
pub use crate::bindings::whimbrel::http::client::{Request, Response};
pub use crate::refusal::Refusal;
use crate::{Fault, Retry, import};

/// Sends a request. A response of any status is `Ok`; a fault means that there was none.
///
/// # Errors
/// The host isn't granted, or there was no response.
pub fn send(request: &Request) -> Result<Response, Fault> {
    import!(host::send, send(request))
}

impl Request {
    /// A request without headers and body.
    pub fn new(method: impl Into<String>, url: impl Into<String>) -> Self {
        Self {
            method: method.into(),
            url: url.into(),
            headers: Vec::new(),
            body: None,
            timeout_ms: None,
        }
    }

    /// A GET.
    pub fn get(url: impl Into<String>) -> Self {
        Self::new("GET", url)
    }

    /// A POST of these bytes.
    pub fn post(url: impl Into<String>, body: impl Into<Vec<u8>>) -> Self {
        Self {
            body: Some(body.into()),
            ..Self::new("POST", url)
        }
    }

    /// A POST of a form.
    pub fn post_form(url: impl Into<String>, fields: &[(&str, &str)]) -> Self {
        let fields: Vec<String> = fields
            .iter()
            .map(|(name, value)| format!("{}={}", encoded(name), encoded(value)))
            .collect();
        Self::post(url, fields.join("&"))
            .with_header("content-type", "application/x-www-form-urlencoded")
    }

    /// The same, showing an access token.
    #[must_use]
    pub fn with_bearer(self, token: &str) -> Self {
        self.with_header("authorization", format!("Bearer {token}"))
    }

    /// The same with one more header.
    #[must_use]
    pub fn with_header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// The first header of this name, in any case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        first(&self.headers, name)
    }
}

impl Response {
    /// The first header of this name, in any case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        first(&self.headers, name)
    }

    /// Whether the status is 2xx.
    #[must_use]
    pub const fn is_success(&self) -> bool {
        matches!(self.status, 200..=299)
    }

    /// Whether an answer is a response that doesn't take who asks (401), for
    /// [`session::with_token`](crate::session::with_token).
    #[must_use]
    pub fn refuses_login(answer: &Result<Self, Fault>) -> bool {
        matches!(answer, Ok(response) if response.status == 401)
    }

    /// When to call again, as the server says in seconds; by the host's own steps if it says nothing of that.
    #[must_use]
    pub fn retry_after(&self) -> Retry {
        Retry::after_header(self.header("retry-after"))
    }

    /// The body as JSON, or as whatever reads itself from JSON. No error tells what stood there: it may be a secret.
    ///
    /// # Errors
    /// What kind of document was expected.
    pub fn json<T: serde::de::DeserializeOwned>(&self) -> Result<T, Unreadable> {
        serde_json::from_slice(&self.body).map_err(|error| Unreadable {
            line: error.line(),
            column: error.column(),
        })
    }
}

/// A text percent-encoded as a form or a query wants it: letters, digits and `-._~` stay.
#[must_use]
pub fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

/// A body was not the JSON that it should be. Says where, and nothing of what stands there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unreadable {
    line: usize,
    column: usize,
}

impl fmt::Display for Unreadable {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "the answer can't be read at line {} column {}",
            self.line, self.column
        )
    }
}

impl std::error::Error for Unreadable {}

fn first<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers
        .iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.as_str())
}

#[cfg(test)]
mod tests {
    use super::{Request, Response};

    #[test]
    fn headers_have_no_case() {
        let request = Request::get("https://example.org").with_header("X-A", "1");
        assert_eq!(request.header("x-a"), Some("1"));
        assert_eq!(request.header("x-b"), None);
    }

    #[test]
    fn an_unreadable_body_is_not_shown() {
        let response = Response {
            status: 200,
            headers: vec![("Date".into(), "now".into())],
            body: b"{\"password\": hunter2}".to_vec(),
        };
        assert!(response.is_success());
        assert_eq!(response.header("date"), Some("now"));
        let text = response
            .json::<serde_json::Value>()
            .unwrap_err()
            .to_string();
        assert!(
            !text.contains("hunter2") && text.contains("column 14"),
            "{text}"
        );
    }
}
