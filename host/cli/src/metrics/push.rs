//! Metrics pushed to a Pushgateway (its API: <https://github.com/prometheus/pushgateway#api>): `PUT` and `POST` of
//! `/metrics/job/whimbrel/environment/NAME`, in the text format.

use std::fmt;
use std::io;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue};
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use url::{Host, Url};
use whimbrel_report::metrics::TEXT;
use whimbrel_secrets::SecretError;
use whimbrel_signal::metric::NAMESPACE;

use super::limits::REFUSAL;

/// The address of a Pushgateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Gateway(Url);

/// What is no address of a Pushgateway.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GatewayError {
    /// It is no URL.
    #[error("it is no URL: {0}")]
    Url(#[from] url::ParseError),
    /// It leads elsewhere than to a host by HTTP.
    #[error("it must begin with `https://` or `http://`, and have a host")]
    Scheme,
    /// A password is written in it.
    #[error(
        "it must hold no password: name the secret with `--metrics-push-basic` or `--metrics-push-token`"
    )]
    Credentials,
}

impl FromStr for Gateway {
    type Err = GatewayError;

    fn from_str(text: &str) -> Result<Self, GatewayError> {
        let url = Url::parse(text)?;
        if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
            return Err(GatewayError::Scheme);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(GatewayError::Credentials);
        }
        Ok(Self(url))
    }
}

impl fmt::Display for Gateway {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// Who pushes.
pub(super) enum Credentials {
    /// A token.
    Bearer(SecretString),
    /// `user:password`.
    Basic(SecretString),
}

/// Why nothing was pushed.
#[derive(Debug, thiserror::Error)]
pub(super) enum PushError {
    /// It took too long.
    #[error("it takes longer than {0:?}")]
    Slow(Duration),
    /// The environment that says where its credentials are can't be opened.
    #[error("its credentials can't be read, because the environment couldn't be opened")]
    NotOpen,
    /// Its credentials can't be had.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// They can't be sent.
    #[error("the credentials have characters that no header may hold")]
    Header,
    /// The certificate authorities can't be read.
    #[error("reading the certificate authorities: {0}")]
    Authorities(String),
    /// Nobody answers.
    #[error("connecting: {0}")]
    Connect(#[source] io::Error),
    /// The exchange broke off.
    #[error("sending: {0}")]
    Send(#[from] hyper::Error),
    /// The request can't be made.
    #[error("making the request: {0}")]
    Request(#[from] http::Error),
    /// The gateway said no.
    #[error("it answered {status}{text}")]
    Refused {
        /// The status.
        status: StatusCode,
        /// The beginning of what it said.
        text: String,
    },
}

/// One push.
pub(super) struct Push<'a> {
    pub(super) gateway: &'a Gateway,
    pub(super) environment: &'a str,
    /// That of a cluster's environment.
    pub(super) namespace: Option<&'a str>,
    pub(super) credentials: Option<Credentials>,
    pub(super) authorities: Option<&'a Path>,
    /// Whether everything that was pushed for the environment before goes; otherwise only metrics of the same names.
    pub(super) replace: bool,
}

impl Push<'_> {
    /// Pushes.
    pub(super) async fn send(&self, text: String) -> Result<(), PushError> {
        let url = &self.gateway.0;
        let host = url.host_str().unwrap_or_default();
        let port = url.port_or_known_default().unwrap_or(80);
        let name = match url.host() {
            Some(Host::Ipv6(address)) => address.to_string(),
            _ => host.to_owned(),
        };
        let stream = TcpStream::connect((name.as_str(), port))
            .await
            .map_err(PushError::Connect)?;
        if url.scheme() == "http" {
            return self.exchange(stream, text).await;
        }
        let server = ServerName::try_from(name)
            .map_err(|error| PushError::Connect(io::Error::other(error)))?;
        let connector = TlsConnector::from(Arc::new(self.tls()?));
        let stream = connector
            .connect(server, stream)
            .await
            .map_err(PushError::Connect)?;
        self.exchange(stream, text).await
    }

    async fn exchange<S>(&self, stream: S, text: String) -> Result<(), PushError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let request = self.request(text)?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        // It ends with the exchange, whose error says all.
        let driving = tokio::spawn(async move { drop(connection.await) });
        let answer = sender.send_request(request).await;
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => {
                driving.abort();
                return Err(error.into());
            }
        };
        let status = answer.status();
        if status.is_success() {
            driving.abort();
            return Ok(());
        }
        let body = Limited::new(answer.into_body(), REFUSAL).collect().await;
        driving.abort();
        let said = body
            .map(http_body_util::Collected::to_bytes)
            .unwrap_or_default();
        let said = String::from_utf8_lossy(&said);
        let text = match said.trim() {
            "" => String::new(),
            said => format!(": {said}"),
        };
        Err(PushError::Refused { status, text })
    }

    fn request(&self, text: String) -> Result<Request<Full<Bytes>>, PushError> {
        let method = if self.replace {
            Method::PUT
        } else {
            Method::POST
        };
        let url = &self.gateway.0;
        let authority = match url.port() {
            Some(port) => format!("{}:{port}", url.host_str().unwrap_or_default()),
            None => url.host_str().unwrap_or_default().to_owned(),
        };
        let mut request = Request::builder()
            .method(method)
            .uri(self.path())
            .header(HOST, authority)
            .header(CONTENT_TYPE, TEXT)
            .body(Full::from(text))?;
        if let Some(credentials) = &self.credentials {
            let text = match credentials {
                Credentials::Bearer(token) => format!("Bearer {}", token.expose_secret().trim()),
                Credentials::Basic(pair) => {
                    let pair = pair.expose_secret().trim_end_matches(['\r', '\n']);
                    format!("Basic {}", STANDARD.encode(pair))
                }
            };
            let mut value = HeaderValue::from_str(&text).map_err(|_| PushError::Header)?;
            value.set_sensitive(true);
            request.headers_mut().insert(AUTHORIZATION, value);
        }
        Ok(request)
    }

    /// The group that this environment's metrics are.
    fn path(&self) -> String {
        let before = self.gateway.0.path().trim_end_matches('/');
        let mut path = format!("{before}/metrics/job/whimbrel");
        path.push_str(&segments("environment", self.environment));
        if let Some(namespace) = self.namespace {
            path.push_str(&segments(NAMESPACE, namespace));
        }
        path
    }

    fn tls(&self) -> Result<ClientConfig, PushError> {
        let mut roots = RootCertStore::empty();
        let failed = |error: &dyn fmt::Display| PushError::Authorities(error.to_string());
        match self.authorities {
            Some(file) => {
                let read = CertificateDer::pem_file_iter(file).map_err(|error| failed(&error))?;
                for certificate in read {
                    let certificate = certificate.map_err(|error| failed(&error))?;
                    roots.add(certificate).map_err(|error| failed(&error))?;
                }
            }
            None => {
                let _ =
                    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            }
        }
        if roots.is_empty() {
            return Err(failed(&"there is none"));
        }
        Ok(ClientConfig::builder()
            .with_root_certificates(roots)
            .with_no_client_auth())
    }
}

/// A label of the group. A value that a path can't hold goes in base64.
fn segments(label: &str, value: &str) -> String {
    let is_plain = !value.is_empty()
        && value
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte));
    if is_plain {
        return format!("/{label}/{value}");
    }
    format!("/{label}@base64/{}", URL_SAFE_NO_PAD.encode(value))
}

#[cfg(test)]
mod tests {
    use super::{Gateway, Push};

    fn path(gateway: &str, environment: &str, namespace: Option<&str>) -> String {
        Push {
            gateway: &gateway.parse().unwrap(),
            environment,
            namespace,
            credentials: None,
            authorities: None,
            replace: true,
        }
        .path()
    }

    #[test]
    fn an_environment_is_a_group() {
        assert_eq!(
            path("http://gw:9091", "dev", None),
            "/metrics/job/whimbrel/environment/dev"
        );
        assert_eq!(
            path("http://gw/prefix/", "a/b", None),
            "/prefix/metrics/job/whimbrel/environment@base64/YS9i"
        );
        assert_eq!(
            path("http://gw", "dev", Some("team-a")),
            "/metrics/job/whimbrel/environment/dev/environment_namespace/team-a"
        );
    }

    #[test]
    fn an_address_is_one_of_a_host_and_holds_no_password() {
        for (text, part) in [
            ("gw:9091/x y", "`https://`"),
            ("ftp://gw", "`https://`"),
            ("http://", "no URL"),
            ("http://user:hunter2@gw", "--metrics-push-basic"),
        ] {
            let error = text.parse::<Gateway>().unwrap_err().to_string();
            assert!(
                error.contains(part) && !error.contains("hunter2"),
                "{error}"
            );
        }
    }
}
