//! The backend's `with:`.

use whimbrel_sdk::prelude::*;
use whimbrel_sdk::{address, schemars, serde, session};

use crate::secret;

/// Which project, and who asks.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(crate = "serde", rename_all = "camelCase", deny_unknown_fields)]
#[schemars(crate = "schemars")]
pub struct Config {
    /// The project of references that name none, by its id or number.
    #[serde(default)]
    pub project: Option<String>,
    /// Another address than `https://secretmanager.googleapis.com`.
    #[serde(default = "service")]
    pub endpoint: String,
    /// Where the access token comes from.
    pub credentials: Source,
}

/// Where access tokens come from.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(crate = "serde", rename_all = "camelCase")]
#[schemars(crate = "schemars")]
pub enum Source {
    /// A token that somebody else got, best as a reference.
    Token(String),
    /// The metadata server of Compute Engine, Cloud Run or GKE (there with Workload Identity).
    Metadata(Metadata),
}

/// The metadata server.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(crate = "serde", rename_all = "camelCase", deny_unknown_fields)]
#[schemars(crate = "schemars")]
pub struct Metadata {
    /// Another address than `http://169.254.169.254`.
    #[serde(default = "metadata")]
    pub endpoint: String,
}

fn service() -> String {
    "https://secretmanager.googleapis.com".to_owned()
}

fn metadata() -> String {
    "http://169.254.169.254".to_owned()
}

impl Config {
    /// What no schema can say.
    ///
    /// # Errors
    /// A field makes no sense.
    pub fn check(&self) -> Result<(), Fault> {
        if let Some(project) = &self.project {
            secret::check_project(project)
                .map_err(|fault| Fault::invalid("/project", fault.message))?;
        }
        address::check("/endpoint", &self.endpoint)?;
        match &self.credentials {
            Source::Metadata(metadata) => {
                address::check("/credentials/metadata/endpoint", &metadata.endpoint)
            }
            Source::Token(token) => session::check("/credentials/token", token),
        }
    }
}
