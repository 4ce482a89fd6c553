//! Why a secret can't be had; never what it is.

use whimbrel_core::environment::{CLUSTER_BACKEND, SecretReference};
use whimbrel_core::fault::{Fault, FaultClass};
use whimbrel_core::suggestion::nearest;

/// A secret can't be had. Holds references and names of fields, never a value or a part of one.
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
    /// The secret has several fields, and the reference says none.
    #[error("{reference}: the secret has several fields: {}", list(.fields))]
    KeyNeeded {
        /// What was asked for.
        reference: Box<SecretReference>,
        /// The fields that there are.
        fields: Vec<String>,
    },
    /// The secret has no field of that name.
    #[error("{reference}: there is no field `{field}`")]
    NoField {
        /// What was asked for.
        reference: Box<SecretReference>,
        /// The field.
        field: String,
        /// The fields that there are; none when they aren't known.
        known: Vec<String>,
    },
    /// It is there and can't be taken.
    #[error("{reference}: {problem}")]
    Unusable {
        /// What was asked for.
        reference: Box<SecretReference>,
        /// Why not.
        problem: &'static str,
    },
    /// It is a secret, and was asked for where everybody sees it.
    #[error(
        "{reference}: it is a secret, and a parameter's value is written into statements, which are shown and kept in the history"
    )]
    Sensitive {
        /// What was asked for.
        reference: Box<SecretReference>,
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
            Self::UnknownBackend { reference, .. } if reference.backend == CLUSTER_BACKEND => {
                Some("only `whimbrel operator` reads the Secrets of a cluster".to_owned())
            }
            Self::UnknownBackend { .. } => {
                Some("`env` and `file` are always there; others are configured under `secrets:` of the environment".to_owned())
            }
            Self::NoPlugin { .. } => Some("use `env` or `file` for now".to_owned()),
            Self::KeyNeeded { reference, fields } => {
                let first = fields.first()?;
                Some(format!("say which one is meant, such as `key: {first}` or `{reference}#{first}`"))
            }
            Self::NoField { field, known, .. } if !known.is_empty() => {
                let similar = nearest(field, known.iter().map(String::as_str));
                Some(similar.map_or_else(
                    || format!("it has {}", list(known)),
                    |name| format!("did you mean `{name}`?"),
                ))
            }
            Self::Sensitive { .. } => Some(
                "a parameter is a text, or a reference to what its backend says is no secret, as an output of Terraform that isn't marked `sensitive`".to_owned(),
            ),
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

fn list(names: &[String]) -> String {
    let names: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    names.join(", ")
}
