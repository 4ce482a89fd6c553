//! What can go wrong on the way to a remote repository, told apart by what a person would do about it.

use std::io;

use super::Address;
use super::limits::MESSAGE;

/// A remote repository could not be fetched or pushed to. No message holds a credential.
#[derive(Debug, thiserror::Error)]
pub enum RemoteError {
    /// The address is none, or holds a credential.
    #[error("`{address}` is no address of a repository: {problem}")]
    Address {
        /// What was given, without credentials.
        address: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The server can't be reached, or has a fault of its own.
    #[error("{server} can't be reached: {problem}")]
    Unreachable {
        /// The server.
        server: String,
        /// Why.
        problem: String,
    },
    /// The server was reached and then was silent, or took too long.
    #[error("the repository's server took too long: {0}")]
    TimedOut(&'static str),
    /// The server's certificate doesn't prove what it is.
    #[error("{server} can't be trusted: {problem}")]
    Certificate {
        /// The server.
        server: String,
        /// Why.
        problem: String,
    },
    /// The server's host key doesn't prove what it is.
    #[error("{server}: {problem}")]
    HostKey {
        /// The server.
        server: String,
        /// Why.
        problem: HostKeyProblem,
    },
    /// The server refuses whoever asks.
    #[error("{address} refuses access: {problem}")]
    Denied {
        /// The repository.
        address: Address,
        /// What was tried.
        problem: String,
    },
    /// There is no such repository, or it is not shown to whoever asks.
    #[error("there is no repository at {0}, or it isn't shown to these credentials")]
    NotFound(Address),
    /// The server sends elsewhere.
    #[error("{address} has moved to {to}")]
    Moved {
        /// The repository.
        address: Address,
        /// Where it says that it is.
        to: String,
    },
    /// A credential would go over the network as it is.
    #[error("{0} is not encrypted, and a credential would be read on the way")]
    PlainText(Address),
    /// A credential that can't be used.
    #[error("the {what} for the repository can't be used: {problem}")]
    Credential {
        /// Which.
        what: &'static str,
        /// Why, without its value.
        problem: String,
    },
    /// More than is allowed.
    #[error("{what} has more than {limit} bytes")]
    TooLarge {
        /// What.
        what: &'static str,
        /// How many are allowed.
        limit: u64,
    },
    /// The server says what is wrong.
    #[error("the repository's server says: {0}")]
    Said(String),
    /// What answers doesn't speak as a Git server does.
    #[error("the repository's server can't be understood: {0}")]
    Protocol(String),
    /// The repository has no such ref.
    #[error("{address} has no ref `{reference}`")]
    NoReference {
        /// The repository.
        address: Address,
        /// The ref.
        reference: String,
    },
    /// A ref could not be moved at the server.
    #[error("{address} doesn't take `{reference}`: {problem}")]
    Rejected {
        /// The repository.
        address: Address,
        /// The ref.
        reference: String,
        /// Why.
        problem: String,
    },
    /// Another process is at work in the same mirror.
    #[error("another process has been fetching {0} for too long")]
    Busy(Address),
    /// The mirror's folder can't be used.
    #[error("{doing} of the mirror")]
    Mirror {
        /// What was being done.
        doing: &'static str,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// What libgit2 says.
    #[error("{doing}: {}", .source.message())]
    Git {
        /// What was being done.
        doing: &'static str,
        /// What it says.
        #[source]
        source: git2::Error,
    },
}

/// Why a server's host key proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HostKeyProblem {
    /// Nobody has said that this key is the server's.
    #[error("its host key is not known ({kind} {fingerprint})")]
    Unknown {
        /// The kind of key.
        kind: String,
        /// As `ssh-keygen -l` shows it.
        fingerprint: String,
    },
    /// Another key is known for it: it was given a new one, or somebody stands in between.
    #[error("its host key is another one than is known ({kind} {fingerprint})")]
    Changed {
        /// The kind of key.
        kind: String,
        /// As `ssh-keygen -l` shows it.
        fingerprint: String,
    },
    /// The key was revoked.
    #[error("its host key is marked as revoked ({fingerprint})")]
    Revoked {
        /// As `ssh-keygen -l` shows it.
        fingerprint: String,
    },
    /// The file of known hosts can't be read.
    #[error("the known hosts can't be read: {0}")]
    Unreadable(String),
}

impl RemoteError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Address { problem, .. } if problem.starts_with("it holds a") => {
                "credentials don't belong into a URL, which is logged everywhere; pass them as secrets".to_owned()
            }
            Self::Address { .. } => {
                "such as https://HOST/TEAM/REPOSITORY.git, git@HOST:TEAM/REPOSITORY.git or file:///FOLDER".to_owned()
            }
            Self::Unreachable { .. } | Self::TimedOut(_) => {
                "see that the server is up and that this machine may reach it, then try again".to_owned()
            }
            Self::Certificate { .. } => {
                "if its authority is your own, name the authority's certificate; don't switch verification off"
                    .to_owned()
            }
            Self::HostKey { problem, .. } => match problem {
                HostKeyProblem::Unknown { .. } => {
                    "ask whoever runs the server for its fingerprint, then add its key to known_hosts (`ssh-keyscan` prints it)"
                        .to_owned()
                }
                HostKeyProblem::Changed { .. } => {
                    "if the server really has a new key, replace the old one in known_hosts; else somebody is in between"
                        .to_owned()
                }
                HostKeyProblem::Revoked { .. } => {
                    "whoever has this key is not the server; ask whoever runs it".to_owned()
                }
                HostKeyProblem::Unreadable(_) => "name a file in OpenSSH's form".to_owned(),
            },
            Self::Denied { .. } => {
                "see that the token or key is valid, not revoked, and may read this repository".to_owned()
            }
            Self::NotFound(_) => {
                "check its name; servers also say this to whoever may not see a private repository".to_owned()
            }
            Self::Moved { .. } => "use the new address".to_owned(),
            Self::PlainText(_) => "use https".to_owned(),
            Self::TooLarge { .. } => {
                "keep definitions in a repository of their own, without large files in its history".to_owned()
            }
            Self::NoReference { .. } => "push it, or name another branch, tag or commit".to_owned(),
            Self::Rejected { .. } => {
                "the credential needs the right to write this ref; a protection rule may forbid it".to_owned()
            }
            Self::Busy(_) => "see what it waits for; the mirror is locked until it ends".to_owned(),
            Self::Credential { .. }
            | Self::Said(_)
            | Self::Protocol(_)
            | Self::Mirror { .. }
            | Self::Git { .. } => return None,
        };
        Some(hint)
    }

    /// Whether the same may work later without anybody changing anything.
    #[must_use]
    pub const fn is_temporary(&self) -> bool {
        matches!(
            self,
            Self::Unreachable { .. } | Self::TimedOut(_) | Self::Busy(_)
        )
    }

    pub(super) fn protocol(problem: &str) -> Self {
        Self::Protocol(problem.to_owned())
    }

    /// What a server says, bounded and without control characters.
    pub(super) fn said(message: &str) -> Self {
        Self::Said(readable(message))
    }

    pub(super) const fn timed_out(which: ureq::Timeout) -> Self {
        Self::TimedOut(match which {
            ureq::Timeout::Global => "it took longer than a fetch may",
            _ => "it fell silent",
        })
    }

    pub(super) const fn git(doing: &'static str) -> impl FnOnce(git2::Error) -> Self {
        move |source| Self::Git { doing, source }
    }

    pub(super) const fn mirror(doing: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Mirror { doing, source }
    }
}

/// Reading from a connection: what a transport put into the error comes out again.
impl From<io::Error> for RemoteError {
    fn from(error: io::Error) -> Self {
        let kind = error.kind();
        let inner = match error.into_inner() {
            Some(inner) => match inner.downcast::<Self>() {
                Ok(inner) => return *inner,
                Err(other) => Some(other),
            },
            None => None,
        };
        let http = inner
            .as_ref()
            .and_then(|inner| inner.downcast_ref::<ureq::Error>());
        if let Some(ureq::Error::Timeout(which)) = http {
            return Self::timed_out(*which);
        }
        match kind {
            io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => Self::TimedOut("it fell silent"),
            io::ErrorKind::UnexpectedEof => Self::protocol("the answer is cut off"),
            _ => Self::Unreachable {
                server: "the repository's server".to_owned(),
                problem: match inner {
                    Some(inner) => format!("the connection broke: {inner}"),
                    None => format!("the connection broke: {kind}"),
                },
            },
        }
    }
}

/// A text of a server on one line, bounded.
pub(super) fn readable(message: &str) -> String {
    let clean: String = message
        .trim()
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(MESSAGE)
        .collect();
    clean.trim_end().to_owned()
}
