//! The part of reqwest's interface that `rustify`, and so `vaultrs`, is written against, sending through the `http`
//! import of plugins. With it a client library for native programs runs unmodified in a component.
//!
//! What a plugin has no say in is refused or has no effect: TLS, certificates, proxies and timeouts are the host's.

#![forbid(unsafe_code)]

mod builder;

use std::cell::RefCell;
use std::fmt;

pub use builder::{Certificate, ClientBuilder, Identity, Proxy};
use whimbrel_sdk::{Fault, FaultClass};

/// A result of this crate's.
pub type Result<T> = std::result::Result<T, Error>;

/// There was no response; why, in the host's words.
#[derive(Debug)]
pub struct Error(Fault);

impl Error {
    /// What the host said.
    #[must_use]
    pub const fn fault(&self) -> &Fault {
        &self.0
    }

    fn unsupported(what: &str) -> Self {
        Self(Fault::new(
            FaultClass::Unsupported,
            "http.unsupported",
            format!("{what} are the host's business: they are said beside the grant `http`"),
        ))
    }

    fn malformed(what: &str, error: &dyn fmt::Display) -> Self {
        Self(Fault::new(
            FaultClass::Invalid,
            "http.malformed",
            format!("{what}: {error}"),
        ))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0.message)
    }
}

impl std::error::Error for Error {}

thread_local! {
    /// The headers of the last response. `rustify` drops those of a refusal, and `Retry-After` is one of them.
    static LAST: RefCell<Vec<(String, String)>> = RefCell::default();
}

/// A header of the last response, which `rustify` doesn't hand on when the status is an error's. Not in reqwest.
#[must_use]
pub fn last_header(name: &str) -> Option<String> {
    LAST.with_borrow(|headers| {
        let mut found = headers
            .iter()
            .filter(|(known, _)| known.eq_ignore_ascii_case(name));
        found.next().map(|(_, value)| value.clone())
    })
}

/// A request.
#[derive(Debug)]
pub struct Request(http::Request<Vec<u8>>);

impl Request {
    /// Where it goes. In reqwest a `Url`: here nobody needs to read it once more.
    #[must_use]
    pub fn url(&self) -> &http::Uri {
        self.0.uri()
    }

    /// What it asks for.
    #[must_use]
    pub fn method(&self) -> &http::Method {
        self.0.method()
    }
}

impl TryFrom<http::Request<Vec<u8>>> for Request {
    type Error = Error;

    fn try_from(mut request: http::Request<Vec<u8>>) -> Result<Self> {
        let uri = request.uri_mut();
        if uri.scheme().is_none() || uri.authority().is_none() {
            return Err(Error::malformed(
                "the URL makes no sense",
                &"it has no host",
            ));
        }
        // `rustify` ends a URL whose parameters are all absent with a question mark.
        if uri.query() == Some("") {
            let mut parts = std::mem::take(uri).into_parts();
            parts.path_and_query = match parts.path_and_query {
                Some(path) => Some(path.path().parse().map_err(senseless)?),
                None => None,
            };
            *uri = http::Uri::from_parts(parts).map_err(senseless)?;
        }
        Ok(Self(request))
    }
}

fn senseless(error: impl fmt::Display) -> Error {
    Error::malformed("the URL makes no sense", &error)
}

/// A response of any status.
#[derive(Debug)]
pub struct Response(http::Response<Vec<u8>>);

impl Response {
    /// Its status.
    #[must_use]
    pub fn status(&self) -> http::StatusCode {
        self.0.status()
    }

    /// Its headers.
    #[must_use]
    pub fn headers(&self) -> &http::HeaderMap {
        self.0.headers()
    }

    /// Its body.
    ///
    /// # Errors
    /// None: the host hands it over whole.
    #[allow(clippy::unused_async, reason = "reqwest's is async")]
    pub async fn bytes(self) -> Result<bytes::Bytes> {
        Ok(self.0.into_body().into())
    }
}

/// Sends requests. Has no state: connections are the host's.
#[derive(Clone, Debug, Default)]
pub struct Client(());

impl Client {
    /// Sends a request.
    ///
    /// # Errors
    /// There was no response.
    #[allow(clippy::unused_async, reason = "reqwest's is async")]
    pub async fn execute(&self, request: Request) -> Result<Response> {
        LAST.take();
        let (parts, body) = request.0.into_parts();
        let mut headers = Vec::with_capacity(parts.headers.len());
        for (name, value) in &parts.headers {
            let value = value
                .to_str()
                .map_err(|error| Error::malformed("a header is no text", &error))?;
            headers.push((name.to_string(), value.to_owned()));
        }
        let answer = whimbrel_sdk::http::send(&whimbrel_sdk::http::Request {
            method: parts.method.to_string(),
            url: parts.uri.to_string(),
            headers,
            body: (!body.is_empty()).then_some(body),
            timeout_ms: None,
        })
        .map_err(Error)?;
        let mut response = http::Response::builder().status(answer.status);
        for (name, value) in &answer.headers {
            response = response.header(name, value);
        }
        let response = response
            .body(answer.body)
            .map_err(|error| Error::malformed("the response makes no sense", &error))?;
        LAST.set(answer.headers);
        Ok(Response(response))
    }
}
