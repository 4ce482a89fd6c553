//! One request and its answer, over a connection of its own.

use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::{self, HeaderValue};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value as Json;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;

use super::{AskError, Kind, Place};

/// How long one question may take if nothing else is said: a server begins its answer within a minute.
const PATIENCE: Duration = Duration::from_secs(90);

/// The most bytes of an answer that are read: a plan of thousands of migrations with its text.
const LONGEST: usize = 32 << 20;

/// Asks one server.
#[derive(Clone)]
pub struct Client {
    place: Place,
    token: Option<SecretString>,
    patience: Duration,
}

/// What a server answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    /// The status of HTTP.
    pub status: u16,
    /// The body; null where it is no JSON.
    pub body: Json,
}

/// What is asked.
struct Asking<'a> {
    method: Method,
    path: &'a str,
    body: Option<&'a Json>,
    key: Option<&'a str>,
}

type Lost = Box<dyn std::error::Error + Send + Sync>;

impl Client {
    /// A client of the server there, with what says who asks.
    #[must_use]
    pub const fn new(place: Place, token: Option<SecretString>) -> Self {
        Self {
            place,
            token,
            patience: PATIENCE,
        }
    }

    /// The same with so much time for one question.
    #[must_use]
    pub const fn with_patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Gets what is at a path.
    ///
    /// # Errors
    /// The server can't be reached, or doesn't answer.
    pub async fn get(&self, path: &str) -> Result<Answered, AskError> {
        self.ask(Asking {
            method: Method::GET,
            path,
            body: None,
            key: None,
        })
        .await
    }

    /// Gives an order; with a key, the same order again is one order.
    ///
    /// # Errors
    /// As [`Client::get`]: then the order may have been heard all the same.
    pub async fn post(
        &self,
        path: &str,
        body: Option<&Json>,
        key: Option<&str>,
    ) -> Result<Answered, AskError> {
        self.ask(Asking {
            method: Method::POST,
            path,
            body,
            key,
        })
        .await
    }

    async fn ask(&self, asking: Asking<'_>) -> Result<Answered, AskError> {
        let lost = |error: String| AskError::Unreachable(error);
        let answer = tokio::time::timeout(self.patience, self.reach(asking)).await;
        answer
            .map_err(|_| lost("it doesn't answer".to_owned()))?
            .map_err(|error| lost(error.to_string()))
    }

    async fn reach(&self, asking: Asking<'_>) -> Result<Answered, Lost> {
        match &self.place.0 {
            Kind::Socket(socket) => {
                let stream = UnixStream::connect(socket).await?;
                self.over(stream, "localhost", asking).await
            }
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
                    let stream = connector.connect(name, stream).await?;
                    self.over(stream, &authority, asking).await
                } else {
                    self.over(stream, &authority, asking).await
                }
            }
        }
    }

    async fn over(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        authority: &str,
        asking: Asking<'_>,
    ) -> Result<Answered, Lost> {
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let carried = tokio::spawn(connection);
        let mut request = Request::builder()
            .method(asking.method)
            .uri(asking.path)
            .header(header::HOST, authority);
        if let Some(token) = &self.token {
            let said = format!("Bearer {}", token.expose_secret().trim_end());
            let mut said = HeaderValue::from_str(&said)?;
            said.set_sensitive(true);
            request = request.header(header::AUTHORIZATION, said);
        }
        if let Some(key) = asking.key {
            request = request.header("idempotency-key", key);
        }
        let mut sent = Bytes::new();
        if let Some(body) = asking.body {
            request = request.header(header::CONTENT_TYPE, "application/json");
            sent = Bytes::from(body.to_string());
        }
        let response = sender.send_request(request.body(Full::new(sent))?).await?;
        let status = response.status().as_u16();
        let body = Limited::new(response.into_body(), LONGEST)
            .collect()
            .await?;
        carried.abort();
        let body = serde_json::from_slice(&body.to_bytes()).unwrap_or_default();
        Ok(Answered { status, body })
    }
}

impl Answered {
    /// Why it isn't what was asked for, in the server's words.
    #[must_use]
    pub fn detail(&self) -> String {
        let detail = self.body.get("detail").and_then(Json::as_str);
        detail.map_or_else(
            || format!("it answers with the status {}", self.status),
            str::to_owned,
        )
    }
}

fn trusting_this_machine() -> ClientConfig {
    let mut roots = RootCertStore::empty();
    // What can't be read is trusted by nobody.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth()
}
