//! Secrets of Google Cloud Secret Manager, by version or alias, checked by their checksum.
//!
//! Speaks the service's REST API itself: <https://cloud.google.com/secret-manager/docs/reference/rest>.

mod config;
mod login;
mod refusal;
mod secret;
mod service;

pub use config::{Config, Metadata, Source};
use whimbrel_sdk::prelude::*;

use crate::secret::Place;

/// The secret backend `plugin: gcp-secret-manager`.
pub struct SecretManager {
    config: Config,
}

impl SecretStore for SecretManager {
    type Config = Config;

    fn configure(config: Config) -> Result<Self, Fault> {
        config.check()?;
        Ok(Self { config })
    }

    fn read(&self, reference: &Reference) -> Result<Secret, Fault> {
        let place = Place::of(&self.config, reference)?;
        let answer = service::get(&self.config, &format!("{}:access", place.resource()))?;
        secret::read(&answer, reference)
    }

    fn describe(&self, reference: &Reference) -> Result<Shape, Fault> {
        let place = Place::of(&self.config, reference)?;
        secret::shape(&service::get(&self.config, &place.resource())?, &place)
    }
}

whimbrel_sdk::export_store!(SecretManager, needs: ["http", "clock"]);
