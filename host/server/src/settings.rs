//! What is served, to whom, and from where.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use whimbrel_core::environment::SecretReference;
use whimbrel_core::git_source::GitSource;
use whimbrel_engine::Selection;
use whimbrel_plugin::{Reporter, WebhookReceiver};
use whimbrel_project::{Remote, SourceSecrets};

use crate::limits::Limits;
use crate::written::Written;

/// Where requests come in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listen {
    /// A port.
    Tcp(SocketAddr),
    /// A socket in the file system, for the same user only.
    Unix(PathBuf),
}

impl std::str::FromStr for Listen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(path) = text.strip_prefix("unix:") {
            return if path.is_empty() {
                Err("`unix:` is followed by a path".to_owned())
            } else {
                Ok(Self::Unix(path.into()))
            };
        }
        text.parse()
            .map(Self::Tcp)
            .map_err(|_| format!("`{text}` is neither ADDRESS:PORT nor unix:PATH"))
    }
}

impl std::fmt::Display for Listen {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(formatter),
            Self::Unix(path) => write!(formatter, "unix:{}", path.display()),
        }
    }
}

/// What somebody may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Access {
    /// See everything.
    Read,
    /// Approve, apply and revert as well.
    Apply,
    /// Have migrations of one's own applied and reverted as well, in environments that are there for that.
    Write,
}

/// Somebody who proves by a token who they are.
#[derive(Clone, Debug)]
pub struct Token {
    /// Who they are: recorded with what they approve. Two tokens may have one name, so that they can be rotated.
    pub name: String,
    /// Where the token is.
    pub secret: SecretReference,
    /// What they may do.
    pub access: Access,
    /// What they may say in place of an environment's documents.
    pub grants: Grants,
}

/// What somebody may say of an environment in place of what its documents say: nothing, unless it is granted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Grants {
    /// Values of its parameters.
    pub parameters: bool,
    /// How its databases are reached.
    pub databases: bool,
}

/// The files of TLS, in PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// The server's certificate with its chain.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// Who signs the certificates of clients; without it no client needs one.
    pub client_authority: Option<PathBuf>,
}

/// A project whose environments are kept where it says.
#[derive(Clone, Debug)]
pub struct SourceSettings {
    /// Where it is; its environment is set for each one in turn.
    pub selection: Selection,
    /// The environments; all that it defines if empty.
    pub environments: Vec<String>,
    /// How often it is looked at.
    pub interval: Option<Duration>,
    /// What its document says besides; none for a project that was only named.
    pub hosted: Option<Hosted>,
}

impl SourceSettings {
    /// Whether a Git host may ring.
    #[must_use]
    pub fn has_webhook(&self) -> bool {
        self.hosted
            .as_ref()
            .is_some_and(|hosted| hosted.receiver.is_some())
    }
}

/// A source with a document: what opens it, who may ring, and where results are shown.
#[derive(Clone)]
pub struct Hosted {
    /// The document.
    pub source: Arc<GitSource>,
    /// What reads its secrets, anew for every fetch.
    pub secrets: SourceSecrets,
    /// What reads its host's deliveries.
    pub receiver: Option<Arc<WebhookReceiver>>,
    /// What shows results at its host.
    pub reporter: Option<Arc<Reporter>>,
    /// The repository with another mirror, for what pull requests bring: none of that comes near what is applied. None where
    /// none are planned.
    pub proposals: Option<Remote>,
}

impl std::fmt::Debug for Hosted {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Hosted")
            .field("source", &self.source)
            .finish_non_exhaustive()
    }
}

/// Everything that a server needs to know.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where requests come in.
    pub listen: Vec<Listen>,
    /// TLS for ports.
    pub tls: Option<Tls>,
    /// Who may do what. Without any, whoever reaches the server may do everything: on loopback and the socket only.
    pub tokens: Vec<Token>,
    /// The folder that relative paths of the tokens' files are counted from.
    pub folder: PathBuf,
    /// The projects, by their names.
    pub sources: BTreeMap<String, SourceSettings>,
    /// The environments whose migrations clients write, by their names.
    pub written: BTreeMap<String, Written>,
    /// Bounds.
    pub limits: Limits,
}

#[cfg(test)]
mod tests {
    use super::Listen;

    #[test]
    fn a_place_to_listen_is_a_port_or_a_socket() {
        for text in ["127.0.0.1:8731", "[::1]:0", "unix:/run/whimbrel.sock"] {
            assert_eq!(text.parse::<Listen>().unwrap().to_string(), text);
        }
        for text in ["", "8731", "unix:", "localhost:8731"] {
            assert!(text.parse::<Listen>().is_err(), "{text}");
        }
    }
}
