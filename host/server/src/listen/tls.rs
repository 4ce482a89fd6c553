//! TLS of ports, with clients' certificates where an authority for them is named.

use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection};
use sha2::{Digest as _, Sha256};
use tokio_rustls::TlsAcceptor;

use crate::error::ServeError;
use crate::settings::Tls;

/// What takes TLS connections.
pub(super) fn acceptor(settings: &Tls) -> Result<TlsAcceptor, ServeError> {
    let chain = certificates(&settings.certificate)?;
    let key = PrivateKeyDer::from_pem_file(&settings.key)
        .map_err(|error| wrong(&settings.key, &error.to_string()))?;
    let builder = match &settings.client_authority {
        None => ServerConfig::builder().with_no_client_auth(),
        Some(file) => {
            let mut roots = RootCertStore::empty();
            for certificate in certificates(file)? {
                roots
                    .add(certificate)
                    .map_err(|error| wrong(file, &error.to_string()))?;
            }
            // Probes have no certificate: what needs one asks for it.
            let verifier = WebPkiClientVerifier::builder(Arc::new(roots))
                .allow_unauthenticated()
                .build()
                .map_err(|error| wrong(file, &error.to_string()))?;
            ServerConfig::builder().with_client_cert_verifier(verifier)
        }
    };
    let config = builder
        .with_single_cert(chain, key)
        .map_err(|error| wrong(&settings.certificate, &error.to_string()))?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// The digest of the certificate that a client showed.
pub(super) fn fingerprint(connection: &ServerConnection) -> Option<String> {
    let certificate = connection.peer_certificates()?.first()?;
    Some(hex::encode(Sha256::digest(certificate)))
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, ServeError> {
    let read = CertificateDer::pem_file_iter(file)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| wrong(file, &error.to_string()))?;
    if read.is_empty() {
        return Err(wrong(file, "it holds no certificate"));
    }
    Ok(read)
}

fn wrong(file: &Path, why: &str) -> ServeError {
    ServeError::Tls(format!("{}: {why}", file.display()))
}
