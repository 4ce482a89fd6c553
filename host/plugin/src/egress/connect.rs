//! Connections to granted places: the name is resolved here, every address is checked, and what was checked is what is
//! connected to, so that no later answer of a name server can lead elsewhere. No proxy is asked.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use async_trait::async_trait;
use futures::future::BoxFuture;
use http::Uri;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use whimbrel_core::destination::Reach;

use super::address;

/// Finds the addresses of a name. The system's own resolver unless a sandbox is given another one.
#[async_trait]
pub trait Names: Send + Sync {
    /// The addresses of a host.
    ///
    /// # Errors
    /// They can't be had.
    async fn addresses(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>>;
}

/// The system's resolver.
pub struct SystemNames;

#[async_trait]
impl Names for SystemNames {
    async fn addresses(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        Ok(tokio::net::lookup_host((host, port)).await?.collect())
    }
}

/// No connection came about.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The URL has no host, or its host can't have a certificate.
    #[error("{0:?} is no host")]
    Host(String),
    /// The name server didn't say.
    #[error("finding the address of {host}: {source}")]
    Name {
        /// The name.
        host: String,
        /// Why.
        source: io::Error,
    },
    /// No address is one that the grant allows.
    #[error("{host} is at {what}")]
    Refused {
        /// The name.
        host: String,
        /// The last of its addresses and what that is.
        what: String,
        /// What would help.
        hint: &'static str,
    },
    /// Nobody answers.
    #[error("connecting to {host} at {address}: {source}")]
    Connect {
        /// The name.
        host: String,
        /// Where it was tried last.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// Both sides agree on no TLS.
    #[error("TLS with {host}: {source}")]
    Tls {
        /// The name.
        host: String,
        /// Why.
        source: io::Error,
    },
}

/// Opens connections for one granted place.
#[derive(Clone)]
pub struct Connector {
    pub reach: Reach,
    pub names: Arc<dyn Names>,
    pub tls: Arc<ClientConfig>,
    pub timeout: Duration,
}

impl Connector {
    async fn open(self, uri: Uri) -> Result<TokioIo<Wire>, ConnectError> {
        let host = uri.host().unwrap_or_default();
        let host = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'))
            .unwrap_or(host)
            .to_owned();
        let https = uri.scheme_str() == Some("https");
        let port = uri.port_u16().unwrap_or(if https { 443 } else { 80 });
        let plain = self.reach_one(&host, port).await?;
        // Small requests go out at once; a socket that can't do that works as well.
        let _ = plain.set_nodelay(true);
        if !https {
            return Ok(TokioIo::new(Wire::Plain(plain)));
        }
        let name =
            ServerName::try_from(host.clone()).map_err(|_| ConnectError::Host(host.clone()))?;
        let handshake = TlsConnector::from(Arc::clone(&self.tls)).connect(name, plain);
        let stream = match tokio::time::timeout(self.timeout, handshake).await {
            Ok(stream) => stream,
            Err(_) => Err(io::ErrorKind::TimedOut.into()),
        };
        let stream = stream.map_err(|source| ConnectError::Tls { host, source })?;
        Ok(TokioIo::new(Wire::Tls(Box::new(stream))))
    }

    /// Connects to the first address that answers, of those that the grant allows.
    async fn reach_one(&self, host: &str, port: u16) -> Result<TcpStream, ConnectError> {
        let mut failed = None;
        for address in self.addresses(host, port).await? {
            if !address::is_within(self.reach, address.ip()) {
                let (what, hint) = address::refusal(self.reach, address.ip());
                failed.get_or_insert(ConnectError::Refused {
                    host: host.to_owned(),
                    what,
                    hint,
                });
                continue;
            }
            let attempt = tokio::time::timeout(self.timeout, TcpStream::connect(address)).await;
            match attempt.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
                Ok(stream) => return Ok(stream),
                Err(source) => {
                    failed = Some(ConnectError::Connect {
                        host: host.to_owned(),
                        address,
                        source,
                    });
                }
            }
        }
        Err(failed.unwrap_or_else(|| ConnectError::Name {
            host: host.to_owned(),
            source: io::Error::from(io::ErrorKind::NotFound),
        }))
    }

    async fn addresses(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, ConnectError> {
        if let Ok(address) = host.parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(address, port)]);
        }
        let found = tokio::time::timeout(self.timeout, self.names.addresses(host, port)).await;
        let found = found.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        let found = found.map_err(|source| ConnectError::Name {
            host: host.to_owned(),
            source,
        })?;
        // Whatever a resolver says of ports, the one that was granted is meant.
        Ok(found
            .into_iter()
            .map(|address| SocketAddr::new(address.ip(), port))
            .collect())
    }
}

impl tower_service::Service<Uri> for Connector {
    type Response = TokioIo<Wire>;
    type Error = ConnectError;
    type Future = BoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        Box::pin(self.clone().open(uri))
    }
}

/// A connection.
pub enum Wire {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Connection for Wire {
    fn connected(&self) -> Connected {
        match self {
            Self::Tls(stream) if stream.get_ref().1.alpn_protocol() == Some(b"h2") => {
                Connected::new().negotiated_h2()
            }
            _ => Connected::new(),
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Tls(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(context),
            Self::Tls(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}
