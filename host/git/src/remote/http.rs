//! Git's "smart" protocol over HTTP. Source: gitprotocol-http(5).
//!
//! TLS is rustls, as everywhere in the product. Redirects are followed within one server only, so that no credential
//! goes anywhere else.

use std::io::Read;
use std::sync::Arc;
use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use secrecy::{ExposeSecret as _, SecretString};
use ureq::http::Response;
use ureq::tls::{Certificate, RootCerts, TlsConfig, TlsProvider};
use ureq::{Agent, Body, Error, Timeout};
use url::Url;

use super::address::is_loopback;
use super::connection::{Connection, Service};
use super::credentials::{Access, HttpCredential};
use super::error::readable;
use super::{Address, Limits, RemoteError};

/// Servers answer Git in Git's way only to who calls itself Git.
const USER_AGENT: &str = concat!("git/2 (whimbrel/", env!("CARGO_PKG_VERSION"), ")");

pub(super) struct Http {
    address: Address,
    url: Url,
    agent: Agent,
    authorization: Option<SecretString>,
    redirects: usize,
}

impl Http {
    pub(super) fn new(
        address: &Address,
        url: &Url,
        access: &Access,
        limits: &Limits,
        until: Instant,
    ) -> Result<Self, RemoteError> {
        let authorization = access.http.as_ref().map(authorization);
        if authorization.is_some() && url.scheme() == "http" && !is_loopback(url) {
            return Err(RemoteError::PlainText(address.clone()));
        }
        let tls = TlsConfig::builder()
            .provider(TlsProvider::Rustls)
            .unversioned_rustls_crypto_provider(Arc::new(
                rustls::crypto::aws_lc_rs::default_provider(),
            ))
            .root_certs(roots(access)?)
            .build();
        let left = until.saturating_duration_since(Instant::now());
        let config = Agent::config_builder()
            .tls_config(tls)
            .user_agent(USER_AGENT)
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_global(Some(left))
            .timeout_resolve(Some(limits.connect))
            .timeout_connect(Some(limits.connect))
            .timeout_per_read(Some(limits.stall))
            .timeout_per_write(Some(limits.stall))
            .build();
        Ok(Self {
            address: address.clone(),
            url: url.clone(),
            agent: config.new_agent(),
            authorization,
            redirects: limits.redirects,
        })
    }

    fn server(&self) -> String {
        let host = self.url.host_str().unwrap_or_default();
        match self.url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        }
    }

    fn failed(&self, error: Error) -> RemoteError {
        let server = self.server();
        let unreachable = |problem: String| RemoteError::Unreachable {
            server: server.clone(),
            problem,
        };
        match error {
            Error::Rustls(error) => certificate(server, &error),
            Error::Io(error) => {
                let rustls = error
                    .get_ref()
                    .and_then(|inner| inner.downcast_ref::<rustls::Error>());
                match rustls {
                    Some(inner) => certificate(server, inner),
                    None => unreachable(error.to_string()),
                }
            }
            Error::Timeout(Timeout::Connect | Timeout::Resolve) => {
                unreachable("no answer to the connection".to_owned())
            }
            Error::Timeout(which) => RemoteError::timed_out(which),
            Error::HostNotFound => unreachable("there is no such server".to_owned()),
            other => unreachable(other.to_string()),
        }
    }

    /// The body of a good answer.
    fn body(&self, answer: Response<Body>, expected: &str) -> Result<Box<dyn Read>, RemoteError> {
        let status = answer.status().as_u16();
        match status {
            200 => {
                let kind = answer.headers().get("content-type");
                let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
                if kind != expected {
                    return Err(RemoteError::Protocol(format!(
                        "it answers with `{}`; is this a repository's address?",
                        readable(kind)
                    )));
                }
                Ok(Box::new(
                    answer
                        .into_body()
                        .into_with_config()
                        .limit(u64::MAX)
                        .reader(),
                ))
            }
            401 | 403 => Err(RemoteError::Denied {
                address: self.address.clone(),
                problem: match &self.authorization {
                    Some(_) => format!("the credential is not accepted (status {status})"),
                    None => format!("a credential is needed (status {status})"),
                },
            }),
            404 | 410 => Err(RemoteError::NotFound(self.address.clone())),
            413 => Err(RemoteError::said("the request is too large (status 413)")),
            _ => Err(RemoteError::Unreachable {
                server: self.server(),
                problem: format!("it answers with status {status}"),
            }),
        }
    }

    /// Where an answer sends to, if that is the same server.
    fn moved(&self, answer: &Response<Body>, suffix: &str) -> Result<Option<Url>, RemoteError> {
        if !matches!(answer.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
            return Ok(None);
        }
        let location = answer.headers().get("location");
        let to = location
            .and_then(|to| to.to_str().ok())
            .and_then(|to| self.url.join(to).ok())
            .ok_or_else(|| RemoteError::protocol("it sends elsewhere without saying where"))?;
        let mut base = to.clone();
        base.set_query(None);
        base.set_fragment(None);
        let elsewhere = || {
            let mut shown = base.clone();
            // Neither can fail on a URL with a server.
            let _ = (shown.set_username(""), shown.set_password(None));
            RemoteError::Moved {
                address: self.address.clone(),
                to: shown.as_str().trim_end_matches(suffix).to_owned(),
            }
        };
        let path = base.path().strip_suffix(suffix).map(str::to_owned);
        match path {
            Some(path) if base.origin() == self.url.origin() => {
                let mut url = self.url.clone();
                url.set_path(&path);
                Ok(Some(url))
            }
            _ => Err(elsewhere()),
        }
    }
}

impl Connection for Http {
    fn begin(&mut self, service: Service) -> Result<Box<dyn Read>, RemoteError> {
        const SUFFIX: &str = "/info/refs";
        let name = service.name();
        for _ in 0..=self.redirects {
            let mut request = self
                .agent
                .get(format!("{}{SUFFIX}?service={name}", self.url));
            if let Some(value) = &self.authorization {
                request = request.header("Authorization", value.expose_secret());
            }
            let answer = request.call().map_err(|error| self.failed(error))?;
            if let Some(url) = self.moved(&answer, SUFFIX)? {
                self.url = url;
                continue;
            }
            let mut body = self.body(answer, &format!("application/x-{name}-advertisement"))?;
            // `# service=…` and a flush stand before what other ways of transport begin with.
            super::pkt::read(&mut *body)?;
            super::pkt::read(&mut *body)?;
            return Ok(body);
        }
        Err(RemoteError::protocol(
            "it sends from one place to another without end",
        ))
    }

    fn finish(&mut self, service: Service, request: Vec<u8>) -> Result<Box<dyn Read>, RemoteError> {
        let name = service.name();
        let mut post = self
            .agent
            .post(format!("{}/{name}", self.url))
            .header("Content-Type", format!("application/x-{name}-request"))
            .header("Accept", format!("application/x-{name}-result"));
        if let Some(value) = &self.authorization {
            post = post.header("Authorization", value.expose_secret());
        }
        let answer = post.send(&request).map_err(|error| self.failed(error))?;
        self.body(answer, &format!("application/x-{name}-result"))
    }
}

fn certificate(server: String, error: &rustls::Error) -> RemoteError {
    RemoteError::Certificate {
        server,
        problem: error.to_string(),
    }
}

fn authorization(credential: &HttpCredential) -> SecretString {
    match (credential.basic(), credential) {
        (Some((name, secret)), _) => {
            let both = SecretString::from(format!("{name}:{}", secret.expose_secret()));
            format!("Basic {}", STANDARD.encode(both.expose_secret())).into()
        }
        (None, HttpCredential::Bearer(token)) => format!("Bearer {}", token.expose_secret()).into(),
        (None, _) => String::new().into(),
    }
}

fn roots(access: &Access) -> Result<RootCerts, RemoteError> {
    let certificates: Vec<CertificateDer<'static>> = match &access.authorities {
        None => rustls_native_certs::load_native_certs().certs,
        Some(pem) => CertificateDer::pem_slice_iter(pem.as_bytes())
            .collect::<Result<_, _>>()
            .map_err(|error| RemoteError::Credential {
                what: "authority's certificate",
                problem: error.to_string(),
            })?,
    };
    let certificates = certificates
        .iter()
        .map(|der| Certificate::from_der(der).to_owned())
        .collect();
    Ok(RootCerts::Specific(Arc::new(certificates)))
}
