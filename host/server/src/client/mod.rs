//! Asks another `whimbrel serve`: for init containers, which then need no access to any database, and for whoever leaves its
//! work to one.

mod exchange;
mod readiness;

use std::path::PathBuf;

use hyper::Uri;
use hyper::http::uri::InvalidUri;

pub use exchange::{Answered, Client};
pub use readiness::{Awaited, ask};

/// Where a server is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place(Kind);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    Socket(PathBuf),
    Port {
        host: String,
        port: u16,
        is_secure: bool,
    },
}

/// The text is no place of a server.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected http://HOST:PORT, https://HOST:PORT or unix:PATH")]
pub struct PlaceError;

impl std::str::FromStr for Place {
    type Err = PlaceError;

    fn from_str(text: &str) -> Result<Self, PlaceError> {
        if let Some(path) = text.strip_prefix("unix:").filter(|path| !path.is_empty()) {
            return Ok(Self(Kind::Socket(path.into())));
        }
        let uri: Uri = text.parse().map_err(|_: InvalidUri| PlaceError)?;
        let (is_secure, usual) = match uri.scheme_str() {
            Some("http") => (false, 80),
            Some("https") => (true, 443),
            _ => return Err(PlaceError),
        };
        if uri.path().len() > 1 || uri.query().is_some() {
            return Err(PlaceError);
        }
        Ok(Self(Kind::Port {
            host: uri.host().ok_or(PlaceError)?.to_owned(),
            port: uri.port_u16().unwrap_or(usual),
            is_secure,
        }))
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.0 {
            Kind::Socket(path) => write!(formatter, "unix:{}", path.display()),
            Kind::Port {
                host,
                port,
                is_secure,
            } => {
                let scheme = if *is_secure { "https" } else { "http" };
                write!(formatter, "{scheme}://{host}:{port}")
            }
        }
    }
}

/// Why a server gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// It can't be reached now.
    #[error("the server can't be reached: {0}")]
    Unreachable(String),
    /// The question makes no sense to it.
    #[error("the server says: {0}")]
    Refused(String),
}

/// Text as a part of a URL.
#[must_use]
pub fn escaped(text: &str) -> String {
    use std::fmt::Write as _;
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                out.push(char::from(byte));
            }
            // Writing to a string can't fail.
            _ => drop(write!(out, "%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{Place, escaped};

    #[test]
    fn a_server_is_at_a_url_or_a_socket() {
        for text in [
            "http://shop:8731",
            "https://[::1]",
            "https://shop:1/",
            "unix:/run/w.sock",
        ] {
            assert!(text.parse::<Place>().is_ok(), "{text}");
        }
        let place: Place = "https://[::1]".parse().unwrap();
        assert_eq!(place.to_string(), "https://[::1]:443");
        for text in [
            "shop:8731",
            "unix:",
            "ftp://shop",
            "http://shop/path",
            "http://shop?x",
            "",
        ] {
            assert!(text.parse::<Place>().is_err(), "{text}");
        }
        assert_eq!(escaped("0001-a b/ü"), "0001-a%20b%2F%C3%BC");
    }
}
