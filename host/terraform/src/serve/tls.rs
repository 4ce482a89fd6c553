//! TLS between two processes that have never met: each takes exactly the certificate that it was told of.

use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose,
};
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, ServerConfig,
    SignatureScheme,
};
use tokio_rustls::TlsAcceptor;

use super::ServeError;

/// The name that Terraform expects in the certificate.
const NAME: &str = "localhost";

/// What takes connections of the client with this certificate, and the certificate that it must expect.
pub(super) fn acceptor(client: &str) -> Result<(TlsAcceptor, CertificateDer<'static>), ServeError> {
    let expected = CertificateDer::from_pem_slice(client.as_bytes())
        .map_err(|error| ServeError::ClientCertificate(error.to_string()))?;
    // Terraform's key is of the curve P-521, which not every provider of cryptography knows.
    let cryptography = Arc::new(aws_lc_rs::default_provider());
    let (certificate, key) = certificate()?;
    let verifier = Pinned {
        expected,
        cryptography: Arc::clone(&cryptography),
    };
    let mut config = ServerConfig::builder_with_provider(cryptography)
        .with_safe_default_protocol_versions()?
        .with_client_cert_verifier(Arc::new(verifier))
        .with_single_cert(vec![certificate.clone()], key.into())?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok((TlsAcceptor::from(Arc::new(config)), certificate))
}

/// A certificate of its own authority, for this process alone.
fn certificate() -> Result<(CertificateDer<'static>, PrivatePkcs8KeyDer<'static>), ServeError> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::new(vec![NAME.to_owned()])?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![
        KeyUsagePurpose::DigitalSignature,
        KeyUsagePurpose::KeyCertSign,
    ];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let certificate = params.self_signed(&key)?;
    let key = PrivatePkcs8KeyDer::from(key.serialize_der());
    Ok((certificate.into(), key))
}

/// Takes one certificate: its bytes are the whole proof, besides that the client has its key.
#[derive(Debug)]
struct Pinned {
    expected: CertificateDer<'static>,
    cryptography: Arc<CryptoProvider>,
}

impl ClientCertVerifier for Pinned {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        shown: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        if shown == &self.expected {
            Ok(ClientCertVerified::assertion())
        } else {
            Err(CertificateError::ApplicationVerificationFailure.into())
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.cryptography.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.cryptography.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let algorithms = &self.cryptography.signature_verification_algorithms;
        algorithms.supported_schemes()
    }
}
