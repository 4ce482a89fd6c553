//! Why the process can't serve.

use std::path::PathBuf;

use super::handshake::{COOKIE_KEY, PROTOCOL};

/// Why the process can't serve Terraform.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// A person started it.
    #[error("this is a provider: Terraform starts it, with {COOKIE_KEY} in its environment")]
    NotTerraform,
    /// Terraform speaks another protocol.
    #[error("Terraform speaks the plugin protocols {0}, and this provider speaks {PROTOCOL}")]
    Protocol(String),
    /// Terraform's certificate can't be used.
    #[error("the client's certificate in PLUGIN_CLIENT_CERT can't be read: {0}")]
    ClientCertificate(String),
    /// No certificate could be made.
    #[error("making a certificate")]
    Certificate(#[from] rcgen::Error),
    /// TLS can't be set up.
    #[error("setting up TLS")]
    Tls(#[from] rustls::Error),
    /// There is no place for the socket.
    #[error("making a socket in {}", folder.display())]
    Socket {
        /// Where it was to be.
        folder: PathBuf,
        /// Why it isn't.
        source: std::io::Error,
    },
    /// The socket's path doesn't fit.
    #[error("the path of a socket has at most {most} bytes, and {} is longer: set TMPDIR to a shorter one", path.display())]
    LongPath {
        /// What it would be.
        path: PathBuf,
        /// How long it may be.
        most: usize,
    },
    /// Nobody reads where it serves.
    #[error("saying where the provider is")]
    Announce(#[source] std::io::Error),
}
