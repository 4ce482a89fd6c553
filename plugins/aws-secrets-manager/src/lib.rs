//! Secrets of AWS Secrets Manager, by version id or stage, text and binary.
//!
//! Speaks the service's JSON protocol itself: two operations and a signature need no SDK of megabytes.

mod config;
mod credentials;
mod fault;
mod service;
mod sign;
mod source;
mod value;

pub use config::{Config, InstanceMetadata, PodIdentity, Source, StaticKeys, WebIdentity};
pub use sign::{Credentials, Signing, authorization};
use whimbrel_sdk::prelude::*;

use crate::service::Service;

/// The secret backend `plugin: aws-secrets-manager`.
pub struct SecretsManager {
    config: Config,
}

impl SecretStore for SecretsManager {
    type Config = Config;

    fn configure(config: Config) -> Result<Self, Fault> {
        config.check()?;
        Ok(Self { config })
    }

    fn read(&self, reference: &Reference) -> Result<Secret, Fault> {
        let request = value::request(reference)?;
        let answer = Service::new(&self.config)?.call("GetSecretValue", &request)?;
        value::secret(&answer, reference)
    }

    fn describe(&self, reference: &Reference) -> Result<Shape, Fault> {
        value::request(reference)?;
        let request = json!({ "SecretId": reference.path });
        let answer = Service::new(&self.config)?.call("DescribeSecret", &request)?;
        value::shape(&answer, reference)
    }
}

whimbrel_sdk::export_store!(SecretsManager, needs: ["http", "clock"], uses: ["environment", "files"]);
