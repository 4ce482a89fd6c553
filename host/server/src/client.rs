//! Asks another `whimbrel serve` whether what an app needs is there: for init containers, which then need no access to any
//! database.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::http::uri::InvalidUri;
use hyper::{Request, StatusCode, Uri, header};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;

/// How long one question may take; whoever waits asks again.
const PATIENCE: Duration = Duration::from_secs(10);

/// The most bytes of an answer that are read.
const LONGEST: usize = 64 << 10;

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

/// What somebody waits for.
#[derive(Clone, Copy, Debug)]
pub enum Awaited<'a> {
    /// A migration.
    Migration(&'a str),
    /// Everything that a revision defines.
    Revision(&'a str),
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

/// Asks whether it is there; what is missing, in the server's words, if it isn't.
///
/// # Errors
/// The server can't be reached, or doesn't understand.
pub async fn ask(
    place: &Place,
    environment: &str,
    awaited: Awaited<'_>,
) -> Result<Option<String>, AskError> {
    let lost = |error: String| AskError::Unreachable(error);
    let (key, value) = match awaited {
        Awaited::Migration(name) => ("migration", name),
        Awaited::Revision(revision) => ("revision", revision),
    };
    let path = format!("/readyz/{}?{key}={}", escaped(environment), escaped(value));
    let answer = tokio::time::timeout(PATIENCE, get(place, &path)).await;
    let (status, body) = answer
        .map_err(|_| lost("it doesn't answer".to_owned()))?
        .map_err(|error| lost(error.to_string()))?;
    let detail = || {
        let body: Option<serde_json::Value> = serde_json::from_slice(&body).ok();
        let detail = body.as_ref().and_then(|body| body.get("detail")?.as_str());
        detail.map_or_else(|| status.to_string(), str::to_owned)
    };
    match status {
        StatusCode::OK => Ok(None),
        StatusCode::SERVICE_UNAVAILABLE => Ok(Some(detail())),
        _ => Err(AskError::Refused(detail())),
    }
}

type Lost = Box<dyn std::error::Error + Send + Sync>;

async fn get(place: &Place, path: &str) -> Result<(StatusCode, Bytes), Lost> {
    match &place.0 {
        Kind::Socket(socket) => over(UnixStream::connect(socket).await?, "localhost", path).await,
        Kind::Port {
            host,
            port,
            is_secure,
        } => {
            let name = host.trim_matches(['[', ']']);
            let stream = TcpStream::connect((name, *port)).await?;
            let authority = format!("{host}:{port}");
            if *is_secure {
                let connector = TlsConnector::from(Arc::new(trusting_this_machine()));
                let name = ServerName::try_from(name.to_owned())?;
                over(connector.connect(name, stream).await?, &authority, path).await
            } else {
                over(stream, &authority, path).await
            }
        }
    }
}

async fn over(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    authority: &str,
    path: &str,
) -> Result<(StatusCode, Bytes), Lost> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let carried = tokio::spawn(connection);
    let request = Request::get(path)
        .header(header::HOST, authority)
        .body(Empty::<Bytes>::new())?;
    let response = sender.send_request(request).await?;
    let status = response.status();
    let body = Limited::new(response.into_body(), LONGEST)
        .collect()
        .await?;
    carried.abort();
    Ok((status, body.to_bytes()))
}

fn trusting_this_machine() -> ClientConfig {
    let mut roots = RootCertStore::empty();
    // What can't be read is trusted by nobody.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth()
}

/// Text as a part of a URL.
fn escaped(text: &str) -> String {
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
