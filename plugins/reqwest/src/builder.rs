//! What a client can be told, none of which is a plugin's to decide.

use std::time::Duration;

use crate::{Client, Error, Result};

/// Makes a [`Client`].
#[derive(Debug, Default)]
pub struct ClientBuilder(());

#[allow(
    clippy::unused_self,
    clippy::missing_const_for_fn,
    clippy::needless_pass_by_value,
    reason = "reqwest's signatures"
)]
impl ClientBuilder {
    /// One with nothing said.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// No effect: TLS is the host's.
    #[must_use]
    pub fn tls_backend_native(self) -> Self {
        self
    }

    /// No effect: TLS is the host's.
    #[must_use]
    pub fn tls_backend_rustls(self) -> Self {
        self
    }

    /// No effect: certificates are always verified.
    #[must_use]
    pub fn tls_danger_accept_invalid_certs(self, _: bool) -> Self {
        self
    }

    /// No effect: certificate authorities are said beside the grant.
    #[must_use]
    pub fn tls_certs_only(self, _: impl IntoIterator<Item = Certificate>) -> Self {
        self
    }

    /// No effect: certificate authorities are said beside the grant.
    #[must_use]
    pub fn tls_certs_merge(self, _: impl IntoIterator<Item = Certificate>) -> Self {
        self
    }

    /// No effect: timeouts are the host's.
    #[must_use]
    pub fn timeout(self, _: Duration) -> Self {
        self
    }

    /// No effect: there is no [`Identity`].
    #[must_use]
    pub fn identity(self, _: Identity) -> Self {
        self
    }

    /// No effect: there is no [`Proxy`].
    #[must_use]
    pub fn proxy(self, _: Proxy) -> Self {
        self
    }

    /// The client.
    ///
    /// # Errors
    /// None.
    pub fn build(self) -> Result<Client> {
        Ok(Client::default())
    }
}

/// A client certificate, which a plugin can't have.
#[derive(Clone, Debug)]
pub struct Identity(());

impl Identity {
    /// Refused.
    ///
    /// # Errors
    /// Always: client certificates are the host's.
    pub fn from_pem(_: &[u8]) -> Result<Self> {
        Err(Error::unsupported("client certificates"))
    }
}

/// A certificate authority, which a plugin can't have.
#[derive(Clone, Debug)]
pub struct Certificate(());

impl Certificate {
    /// Refused.
    ///
    /// # Errors
    /// Always: certificate authorities are the host's.
    pub fn from_pem_bundle(_: &[u8]) -> Result<Vec<Self>> {
        Err(Error::unsupported("certificate authorities"))
    }
}

/// A proxy, which a plugin can't have.
#[derive(Clone, Debug)]
pub struct Proxy(());

impl Proxy {
    /// Refused.
    ///
    /// # Errors
    /// Always: proxies are the host's.
    pub fn all(_: &str) -> Result<Self> {
        Err(Error::unsupported("proxies"))
    }
}
