//! What proves to a server who asks. None of it has a `Debug` or `Display` that shows a value.

use std::path::PathBuf;

use secrecy::SecretString;

/// The user's name that goes with a token: GitHub asks for it, GitLab and Gitea take any.
const TOKEN_USER: &str = "x-access-token";

/// How a repository is reached.
#[derive(Clone, Default)]
pub struct Access {
    /// For HTTPS.
    pub http: Option<HttpCredential>,
    /// Certificates, as PEM, of authorities that a server's certificate may come from, in the place of this machine's.
    pub authorities: Option<String>,
    /// For SSH: a key; else what the agent has.
    pub key: Option<SshKey>,
    /// Which servers are known.
    pub known_hosts: KnownHosts,
}

/// For HTTPS.
#[derive(Clone)]
pub enum HttpCredential {
    /// A token, sent as the password of a user who doesn't matter.
    Token(SecretString),
    /// A token, sent as `Authorization: Bearer`.
    Bearer(SecretString),
    /// A user's name and password.
    Basic {
        /// The name.
        username: String,
        /// The password, or a token that belongs to the name.
        password: SecretString,
    },
}

impl HttpCredential {
    /// The name and the secret of Basic authentication; none for a bearer's token.
    pub(super) fn basic(&self) -> Option<(&str, &SecretString)> {
        match self {
            Self::Token(token) => Some((TOKEN_USER, token)),
            Self::Basic { username, password } => Some((username, password)),
            Self::Bearer(_) => None,
        }
    }
}

/// A private key.
#[derive(Clone)]
pub struct SshKey {
    /// As its file has it, in OpenSSH's or PEM's form.
    pub private: SecretString,
    /// What it is encrypted with.
    pub passphrase: Option<SecretString>,
}

/// Which servers are known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum KnownHosts {
    /// The user's `~/.ssh/known_hosts` and the machine's `/etc/ssh/ssh_known_hosts`.
    #[default]
    Usual,
    /// This file.
    File(PathBuf),
    /// These lines.
    Lines(String),
}
