//! One request and its answer: what of a guest's request is sent, how much of an answer is read, and what went wrong.

use std::error::Error as _;
use std::time::Duration;

use bytes::Bytes;
use http::header::{
    ACCEPT_ENCODING, CONNECTION, CONTENT_LENGTH, EXPECT, HOST, PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, Uri};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Incoming};
use url::Url;
use whimbrel_core::fault::{Fault, FaultClass, Retry};
use zeroize::Zeroizing;

use super::connect::ConnectError;
use crate::limits::Limits;

/// Headers that belong to the connection, which is the host's.
const FORBIDDEN: [HeaderName; 9] = [
    CONNECTION,
    EXPECT,
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
    HeaderName::from_static("keep-alive"),
];

/// What a guest asks for.
pub struct Asked {
    pub method: String,
    pub url: String,
    pub headers: Vec<(String, String)>,
    pub body: Zeroizing<Vec<u8>>,
    pub timeout: Option<Duration>,
}

/// What came back.
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Zeroizing<Vec<u8>>,
}

impl Asked {
    /// How long the whole exchange may take.
    pub fn limit(&self, limits: &Limits) -> Duration {
        let wanted = self.timeout.unwrap_or(limits.http_timeout);
        wanted.min(limits.http_timeout_ceiling)
    }

    /// The request as it will be sent.
    ///
    /// # Errors
    /// It can't be sent like that.
    pub fn request(&self, limits: &Limits) -> Result<(Url, Request<Full<Bytes>>), Fault> {
        let mut url = Url::parse(&self.url).map_err(|error| invalid(format!("no URL: {error}")))?;
        url.set_fragment(None);
        if self.body.len() > limits.http_request_bytes {
            return Err(too_large("the request", limits.http_request_bytes));
        }
        let method = match Method::from_bytes(self.method.as_bytes()) {
            Ok(method) if method != Method::CONNECT && method != Method::TRACE => method,
            _ => return Err(invalid("no method that can be sent".to_owned())),
        };
        let uri: Uri = url
            .as_str()
            .parse()
            .map_err(|error| invalid(format!("no URL: {error}")))?;
        let mut request = Request::new(Full::new(Bytes::copy_from_slice(&self.body)));
        *request.method_mut() = method;
        *request.headers_mut() = self.headers(&url, limits)?;
        *request.uri_mut() = uri;
        Ok((url, request))
    }

    fn headers(&self, url: &Url, limits: &Limits) -> Result<HeaderMap, Fault> {
        let size: usize = self
            .headers
            .iter()
            .map(|(name, value)| name.len() + value.len())
            .sum();
        if self.headers.len() > limits.http_headers || size > limits.http_header_bytes {
            return Err(too_large("the request's headers", limits.http_header_bytes));
        }
        let mut headers = HeaderMap::new();
        for (name, value) in &self.headers {
            let broken = || invalid(format!("{name:?} is no header that can be sent"));
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| broken())?;
            let value = HeaderValue::from_str(value).map_err(|_| broken())?;
            // Signatures sign these, so that guests send them; they must say what is true anyway.
            if name == HOST || name == CONTENT_LENGTH {
                let length = self.body.len().to_string();
                let truth = if name == HOST { authority(url) } else { length };
                if value.as_bytes() != truth.as_bytes() {
                    return Err(invalid(format!(
                        "the header `{name}` would say what isn't so"
                    )));
                }
                continue;
            }
            if FORBIDDEN.contains(&name) {
                return Err(invalid(format!("the header `{name}` is the host's")));
            }
            headers.append(name, value);
        }
        headers
            .entry(ACCEPT_ENCODING)
            .or_insert(HeaderValue::from_static("identity"));
        Ok(headers)
    }
}

/// Host and port as the `Host` header has them.
fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

/// Reads an answer to its end.
///
/// # Errors
/// It is too large, or breaks off.
pub async fn answer(response: Response<Incoming>, limits: &Limits) -> Result<Answer, Fault> {
    let limit = limits.http_response_bytes;
    let too_large = || too_large("the answer", limit);
    let (parts, mut body) = response.into_parts();
    if body.size_hint().lower() > limit as u64 {
        return Err(too_large());
    }
    let size: usize = parts
        .headers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len())
        .sum();
    if size > limits.http_header_bytes {
        return Err(self::too_large(
            "the answer's headers",
            limits.http_header_bytes,
        ));
    }
    // Room for all of it where the length is known, so that growing leaves no copies behind.
    let expected = usize::try_from(body.size_hint().lower()).unwrap_or_default();
    let mut whole = Zeroizing::new(Vec::with_capacity(expected));
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| broken(&error))?;
        let Some(data) = frame.data_ref() else {
            continue;
        };
        if whole.len() + data.len() > limit {
            return Err(too_large());
        }
        grow(&mut whole, data);
    }
    let headers = parts.headers.iter().map(|(name, value)| {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        (name.as_str().to_owned(), value)
    });
    Ok(Answer {
        status: parts.status.as_u16(),
        headers: headers.collect(),
        body: whole,
    })
}

/// Appends, and wipes what is moved away from.
fn grow(whole: &mut Zeroizing<Vec<u8>>, data: &[u8]) {
    if whole.capacity() < whole.len() + data.len() {
        let mut larger = Zeroizing::new(Vec::with_capacity((whole.len() + data.len()) * 2));
        larger.extend_from_slice(whole);
        *whole = larger;
    }
    whole.extend_from_slice(data);
}

fn invalid(message: String) -> Fault {
    Fault::new(FaultClass::Invalid, "http.invalid", message)
}

fn too_large(what: &str, limit: usize) -> Fault {
    let message = format!("{what} has more than {limit} bytes");
    Fault::new(FaultClass::Invalid, "http.too-large", message)
}

/// A request to where nobody granted it to go. Its query isn't shown: it may hold anything.
pub fn denied(url: &Url, granted: &[String]) -> Fault {
    let mut shown = url.clone();
    shown.set_query(None);
    let _ = shown.set_username("");
    let _ = shown.set_password(None);
    let granted = match granted {
        [] => "nothing".to_owned(),
        granted => granted.join(", "),
    };
    let message = format!("a request to {shown} isn't granted; granted is {granted}");
    Fault::new(FaultClass::Denied, "http.denied", message)
        .with_hint("if it is meant, add it to the plugin's `http` grant in whimbrel.yaml")
}

/// The exchange took too long.
pub fn timed_out(url: &Url, limit: Duration) -> Fault {
    let host = url.host_str().unwrap_or_default();
    unavailable(
        "http.timeout",
        format!("no whole answer of {host} within {limit:?}"),
    )
}

fn unavailable(code: &str, message: String) -> Fault {
    Fault {
        retry: Retry::Backoff,
        ..Fault::new(FaultClass::Unavailable, code, message)
    }
}

/// Why there was no answer.
pub fn failed(error: &hyper_util::client::legacy::Error) -> Fault {
    let mut cause = error.source();
    while let Some(inner) = cause {
        if let Some(refused) = inner.downcast_ref::<ConnectError>() {
            return no_connection(refused);
        }
        cause = inner.source();
    }
    broken(error)
}

fn no_connection(error: &ConnectError) -> Fault {
    let message = error.to_string();
    match error {
        ConnectError::Host(_) => invalid(message),
        ConnectError::Refused { hint, .. } => {
            Fault::new(FaultClass::Denied, "http.address", message).with_hint(*hint)
        }
        ConnectError::Name { .. } | ConnectError::Connect { .. } => {
            unavailable("http.unreachable", message)
        }
        ConnectError::Tls { source, .. } if source.kind() == std::io::ErrorKind::InvalidData => {
            Fault::new(FaultClass::Denied, "http.tls", message).with_hint(
                "grant the certificate of who signed it as `ca:`, or look who answers there",
            )
        }
        ConnectError::Tls { .. } => unavailable("http.tls", message),
    }
}

fn broken(error: &dyn std::error::Error) -> Fault {
    let mut message = format!("the exchange broke off: {error}");
    let mut cause = error.source();
    while let Some(inner) = cause {
        message.push_str(&format!(": {inner}"));
        cause = inner.source();
    }
    unavailable("http.broken", message)
}

#[cfg(test)]
mod tests {
    use super::{Asked, denied};
    use crate::limits::Limits;
    use zeroize::Zeroizing;

    fn asked(headers: &[(&str, &str)]) -> Asked {
        Asked {
            method: "POST".to_owned(),
            url: "https://a.example:8443/x?y=z#fragment".to_owned(),
            headers: headers
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            body: Zeroizing::new(b"four".to_vec()),
            timeout: None,
        }
    }

    #[test]
    fn headers_of_the_connection_are_the_hosts() {
        let limits = Limits::default();
        let truth = [
            ("Host", "a.example:8443"),
            ("Content-Length", "4"),
            ("X-A", "b"),
        ];
        let (url, request) = asked(&truth).request(&limits).unwrap();
        assert_eq!(url.as_str(), "https://a.example:8443/x?y=z");
        assert_eq!(request.headers().len(), 2);
        for (name, value) in [
            ("Host", "evil.example"),
            ("Content-Length", "5"),
            ("Transfer-Encoding", "chunked"),
            ("Connection", "upgrade"),
            ("Proxy-Authorization", "x"),
            ("X-A", "a\r\nX-B: c"),
            ("X A", "b"),
        ] {
            let refused = asked(&[(name, value)]).request(&limits);
            assert_eq!(refused.unwrap_err().code, "http.invalid", "{name}");
        }
    }

    #[test]
    fn what_is_too_large_or_no_request_is_not_sent() {
        let limits = Limits {
            http_request_bytes: 3,
            ..Limits::default()
        };
        assert_eq!(
            asked(&[]).request(&limits).unwrap_err().code,
            "http.too-large"
        );
        let limits = Limits {
            http_header_bytes: 3,
            ..Limits::default()
        };
        let long = asked(&[("name", "value")]).request(&limits);
        assert_eq!(long.unwrap_err().code, "http.too-large");
        let limits = Limits::default();
        for (method, url) in [
            ("CONNECT", "https://a.example/"),
            ("TRACE", "https://a.example/"),
            ("G T", "https://a.example/"),
            ("GET", "a.example"),
        ] {
            let mut asked = asked(&[]);
            (asked.method, asked.url) = (method.to_owned(), url.to_owned());
            assert_eq!(asked.request(&limits).unwrap_err().code, "http.invalid");
        }
    }

    #[test]
    fn a_denial_shows_neither_query_nor_user() {
        let url = "https://u:pw@a.example/x?token=abc".parse().unwrap();
        let fault = denied(&url, &[]);
        assert!(fault.message.contains("https://a.example/x"), "{fault}");
        assert!(!fault.message.contains("abc") && !fault.message.contains("pw"));
        assert!(fault.message.contains("granted is nothing"));
    }
}
