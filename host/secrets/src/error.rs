//! Why a secret can't be had; never what it is.

use whimbrel_core::environment::SecretReference;
use whimbrel_core::fault::{Fault, FaultClass};

/// A secret can't be had. Holds references, never a value or a part of one.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The environment knows no such backend.
    #[error("{reference}: there is no secret backend called `{}`", .reference.backend)]
    UnknownBackend {
        /// What was asked for.
        reference: Box<SecretReference>,
        /// The most similar one.
        nearest: Option<String>,
    },
    /// The backend needs a plugin that this build doesn't run.
    #[error("{reference}: the backend `{}` needs the plugin `{plugin}`, which this build can't run as a secret backend", .reference.backend)]
    NoPlugin {
        /// What was asked for.
        reference: Box<SecretReference>,
        /// The plugin.
        plugin: String,
    },
    /// Nothing is there.
    #[error("{reference}: {what}")]
    NotFound {
        /// What was asked for.
        reference: Box<SecretReference>,
        /// What isn't there.
        what: String,
    },
    /// It is there and can't be taken.
    #[error("{reference}: {problem}")]
    Unusable {
        /// What was asked for.
        reference: Box<SecretReference>,
        /// Why not.
        problem: &'static str,
    },
    /// The operating system said no.
    #[error("{reference}: {source}")]
    Io {
        /// What was asked for.
        reference: Box<SecretReference>,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A backend's own answer.
    #[error("{reference}: {fault}")]
    Backend {
        /// What was asked for.
        reference: Box<SecretReference>,
        /// The answer, scrubbed.
        #[source]
        fault: Box<Fault>,
    },
}

impl SecretError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::UnknownBackend {
                nearest: Some(name),
                ..
            } => Some(format!("did you mean `{name}`?")),
            Self::UnknownBackend { .. } => {
                Some("`env` and `file` are always there; others are configured under `secrets:` of the environment".to_owned())
            }
            Self::NoPlugin { .. } => Some("use `env` or `file` for now".to_owned()),
            Self::NotFound { reference, .. } if reference.backend == "env" => {
                Some(format!("set the environment variable {} for whoever runs whimbrel", reference.path))
            }
            Self::Backend { fault, .. } => fault.hint.clone(),
            _ => None,
        }
    }

    /// Whether the same may work later without anybody changing anything.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        matches!(self, Self::Backend { fault, .. } if fault.class == FaultClass::Unavailable)
    }
}
