//! Opens a connection to PostgreSQL with all of the session's settings as its defaults.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use secrecy::ExposeSecret;
use tokio_postgres::Config;
use tokio_postgres_rustls::MakeRustlsConnect;

use super::error;
use super::session::PostgresSession;
use super::verifier::{AnyCertificate, AnyName};
use crate::endpoint::{Endpoint, Location, PostgresLocation, SslMode};
use crate::session::{DatabaseError, ErrorKind, Session, SessionSettings};

/// Opens a session.
pub(crate) async fn connect(
    endpoint: &Endpoint,
    settings: &SessionSettings,
) -> Result<Box<dyn Session>, DatabaseError> {
    let Location::Postgres(location) = &endpoint.location else {
        return Err(DatabaseError::new(
            ErrorKind::Client,
            "",
            "this is no endpoint of PostgreSQL",
        ));
    };
    let tls = tls(location)?;
    let attempt = open(endpoint, location, settings, &tls, true).await;
    let result = match attempt {
        // PostgreSQL before 14, or a server on a system that can't look: it goes without.
        Err(error) if matches!(error.code.as_str(), "42704" | "22023") => {
            open(endpoint, location, settings, &tls, false).await
        }
        other => other,
    };
    Ok(Box::new(result?))
}

async fn open(
    endpoint: &Endpoint,
    location: &PostgresLocation,
    settings: &SessionSettings,
    tls: &MakeRustlsConnect,
    check_client: bool,
) -> Result<PostgresSession, DatabaseError> {
    let mut config = Config::new();
    config
        .host(&location.host)
        .port(location.port)
        .application_name(&settings.application_name)
        .connect_timeout(settings.connect_timeout)
        .tcp_user_timeout(settings.client_check_interval * 10)
        .keepalives_idle(settings.client_check_interval * 5)
        .ssl_mode(match location.ssl_mode {
            SslMode::Disable => tokio_postgres::config::SslMode::Disable,
            // As libpq does: a socket of this machine has no encryption to ask for.
            SslMode::Prefer if location.host.starts_with('/') => {
                tokio_postgres::config::SslMode::Disable
            }
            SslMode::Prefer => tokio_postgres::config::SslMode::Prefer,
            _ => tokio_postgres::config::SslMode::Require,
        })
        .options(options(endpoint, settings, check_client));
    if let Some(database) = &location.database {
        config.dbname(database);
    }
    if let Some(username) = &endpoint.username {
        config.user(username.expose_secret());
    }
    if let Some(password) = &endpoint.password {
        config.password(password.expose_secret());
    }
    // The driver's own timeout ends when there is a connection: who accepts one and says nothing is waited for without end.
    let connecting = tokio::time::timeout(settings.connect_timeout, config.connect(tls.clone()));
    let connected = connecting.await.map_err(|_| silent(settings))?;
    let (client, connection) = connected.map_err(|error| error::of_connecting(&error))?;
    Ok(PostgresSession::start(client, connection, tls.clone()))
}

fn silent(settings: &SessionSettings) -> DatabaseError {
    let seconds = settings.connect_timeout.as_secs_f64();
    let what = format!("nobody answered as a PostgreSQL server does within {seconds} s");
    DatabaseError::new(ErrorKind::Connection, "", what)
}

/// Settings go along with the connection, so that they are what RESET goes back to.
fn options(endpoint: &Endpoint, settings: &SessionSettings, check_client: bool) -> String {
    let milliseconds = |duration: Option<std::time::Duration>| {
        duration.map_or(0, |value| value.as_millis()).to_string()
    };
    let mut pairs = vec![
        ("lock_timeout", milliseconds(settings.lock_timeout)),
        (
            "statement_timeout",
            milliseconds(settings.statement_timeout),
        ),
        (
            "idle_in_transaction_session_timeout",
            milliseconds(Some(settings.idle_in_transaction_timeout)),
        ),
        (
            "tcp_user_timeout",
            milliseconds(Some(settings.client_check_interval * 10)),
        ),
        ("default_transaction_isolation", "read committed".to_owned()),
        (
            "default_transaction_read_only",
            if settings.read_only { "on" } else { "off" }.to_owned(),
        ),
        ("default_transaction_deferrable", "off".to_owned()),
        ("synchronous_commit", "on".to_owned()),
        ("standard_conforming_strings", "on".to_owned()),
    ];
    if check_client {
        pairs.push((
            "client_connection_check_interval",
            milliseconds(Some(settings.client_check_interval)),
        ));
    }
    if let Some(role) = &endpoint.role {
        pairs.push(("role", role.clone()));
    }
    let escape = |value: &str| value.replace('\\', "\\\\").replace(' ', "\\ ");
    let options: Vec<_> = pairs
        .iter()
        .map(|(name, value)| format!("-c {name}={}", escape(value)))
        .collect();
    options.join(" ")
}

/// As libpq has it: `require` encrypts, only the `verify` modes look at the certificate.
fn tls(location: &PostgresLocation) -> Result<MakeRustlsConnect, DatabaseError> {
    let fail = |what: String| DatabaseError::new(ErrorKind::Connection, "", what);
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| fail(format!("TLS can't be set up: {error}")))?;
    let config = match (location.ssl_mode, &location.ssl_root_certificate) {
        (SslMode::VerifyFull, root) => builder.with_root_certificates(roots(root.as_deref())?),
        (SslMode::VerifyCa, root) => {
            let verifier = WebPkiServerVerifier::builder_with_provider(
                Arc::new(roots(root.as_deref())?),
                provider,
            )
            .build()
            .map_err(|error| fail(format!("the root certificates can't be used: {error}")))?;
            builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(AnyName(verifier)))
        }
        _ => builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider))),
    };
    Ok(MakeRustlsConnect::new(config.with_no_client_auth()))
}

fn roots(file: Option<&Path>) -> Result<RootCertStore, DatabaseError> {
    let fail = |what: String| DatabaseError::new(ErrorKind::Connection, "", what);
    let mut store = RootCertStore::empty();
    if let Some(path) = file {
        let pem = fs::read(path)
            .map_err(|error| fail(format!("{} can't be read: {error}", path.display())))?;
        let certificates = CertificateDer::pem_slice_iter(&pem).filter_map(Result::ok);
        store.add_parsable_certificates(certificates);
    } else {
        store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    }
    if store.is_empty() {
        return Err(
            fail("no root certificate was found to verify the server with".to_owned())
                .with_hint("set `sslrootcert` in the URL"),
        );
    }
    Ok(store)
}
