//! Secrets of one Azure Key Vault, by version.
//!
//! Speaks the service's REST API itself: <https://learn.microsoft.com/rest/api/keyvault/secrets>.

mod config;
mod login;
mod refusal;
mod secret;
mod service;
mod source;
mod versions;

pub use config::{ClientSecret, Config, ManagedIdentity, Source, WorkloadIdentity};
use whimbrel_sdk::prelude::*;

use crate::secret::Place;

/// The secret backend `plugin: azure-key-vault`.
pub struct KeyVault {
    config: Config,
}

impl SecretStore for KeyVault {
    type Config = Config;

    fn configure(config: Config) -> Result<Self, Fault> {
        config.check()?;
        Ok(Self { config })
    }

    fn read(&self, reference: &Reference) -> Result<Secret, Fault> {
        let place = Place::of(&self.config, reference)?;
        let answer = service::get(&self.config, &place.secret(), &place.shown())?;
        secret::read(&answer, reference)
    }

    fn describe(&self, reference: &Reference) -> Result<Shape, Fault> {
        versions::describe(&self.config, &Place::of(&self.config, reference)?)
    }
}

whimbrel_sdk::export_store!(KeyVault, needs: ["http", "clock"], uses: ["environment", "files"]);
