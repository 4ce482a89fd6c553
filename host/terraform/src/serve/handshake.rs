//! The handshake of go-plugin: what Terraform says in the environment, and the line that answers.

use std::io::Write;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use rustls::pki_types::CertificateDer;

use super::ServeError;

/// What tells a plugin that Terraform started it. No secret.
pub(super) const COOKIE_KEY: &str = "TF_PLUGIN_MAGIC_COOKIE";
const COOKIE: &str = "d602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2";

/// The version of go-plugin's own protocol.
const CORE_PROTOCOL: u32 = 1;

/// The version of Terraform's protocol, whose minor versions only add.
pub(super) const PROTOCOL: u32 = 6;

/// What Terraform says when it starts a plugin.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Environment {
    /// `TF_PLUGIN_MAGIC_COOKIE`.
    pub cookie: Option<String>,
    /// `PLUGIN_PROTOCOL_VERSIONS`: what it speaks, with commas between.
    pub protocols: Option<String>,
    /// `PLUGIN_CLIENT_CERT`: the certificate that it will show, as PEM. Without one, nothing is encrypted.
    pub client_certificate: Option<String>,
    /// `PLUGIN_UNIX_SOCKET_DIR`: where sockets belong.
    pub socket_folder: Option<PathBuf>,
}

impl Environment {
    /// This process's.
    #[must_use]
    pub fn of_process() -> Self {
        let read = |name| std::env::var(name).ok().filter(|text| !text.is_empty());
        Self {
            cookie: read(COOKIE_KEY),
            protocols: read("PLUGIN_PROTOCOL_VERSIONS"),
            client_certificate: read("PLUGIN_CLIENT_CERT"),
            socket_folder: read("PLUGIN_UNIX_SOCKET_DIR").map(PathBuf::from),
        }
    }

    /// Whether Terraform started this process at all.
    #[must_use]
    pub fn is_terraform(&self) -> bool {
        self.cookie.as_deref() == Some(COOKIE)
    }

    pub(super) fn check(&self) -> Result<(), ServeError> {
        if !self.is_terraform() {
            return Err(ServeError::NotTerraform);
        }
        match &self.protocols {
            Some(spoken) if !speaks(spoken) => Err(ServeError::Protocol(spoken.clone())),
            // Before there were versions to choose from, nothing was said.
            _ => Ok(()),
        }
    }
}

fn speaks(protocols: &str) -> bool {
    let mut all = protocols.split(',');
    all.any(|one| one.trim().parse() == Ok(PROTOCOL))
}

/// Writes the line by which Terraform finds the socket and knows the certificate.
pub(super) fn announce(
    mut out: impl Write,
    socket: &Path,
    certificate: Option<&CertificateDer<'_>>,
) -> Result<(), ServeError> {
    let certificate = certificate.map_or_else(String::new, |der| STANDARD_NO_PAD.encode(der));
    let socket = socket.display();
    writeln!(
        out,
        "{CORE_PROTOCOL}|{PROTOCOL}|unix|{socket}|grpc|{certificate}"
    )
    .and_then(|()| out.flush())
    .map_err(ServeError::Announce)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terraform() -> Environment {
        Environment {
            cookie: Some(COOKIE.to_owned()),
            protocols: Some("5,6".to_owned()),
            ..Environment::default()
        }
    }

    #[test]
    fn only_terraform_is_answered() {
        assert!(terraform().check().is_ok());
        let person = Environment::default();
        assert!(matches!(person.check(), Err(ServeError::NotTerraform)));
        let other = Environment {
            cookie: Some("other".to_owned()),
            ..terraform()
        };
        assert!(matches!(other.check(), Err(ServeError::NotTerraform)));
    }

    #[test]
    fn another_protocol_is_refused_by_name() {
        let old = Environment {
            protocols: Some("4,5".to_owned()),
            ..terraform()
        };
        let refused = old.check().unwrap_err().to_string();
        assert_eq!(
            refused,
            "Terraform speaks the plugin protocols 4,5, and this provider speaks 6"
        );
    }

    #[test]
    fn the_line_has_the_six_parts_of_go_plugin() {
        let mut line = Vec::new();
        let certificate = CertificateDer::from(vec![1, 2, 3, 4]);
        announce(&mut line, Path::new("/tmp/s"), Some(&certificate)).unwrap();
        assert_eq!(line, b"1|6|unix|/tmp/s|grpc|AQIDBA\n");
    }
}
