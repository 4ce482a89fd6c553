//! What every secret backend can do, built in or plugin.

use async_trait::async_trait;
use secrecy::SecretString;
use whimbrel_core::environment::SecretReference;

use crate::SecretError;

/// A place that keeps secrets.
#[async_trait]
pub trait Backend: Send + Sync {
    /// What it is and where, for a person: `environment variables`, `Vault at https://vault:8200`.
    fn describe(&self) -> String;

    /// Reads one secret, always anew.
    ///
    /// # Errors
    /// It isn't there, or can't be read. The error must not hold the value or a part of it.
    async fn read(&self, reference: &SecretReference) -> Result<Secret, SecretError>;
}

/// One secret as a backend gave it. Leases will be told here too, which is why others can't construct it directly.
#[non_exhaustive]
pub struct Secret {
    /// The value.
    pub value: SecretString,
    /// Which version it is, where the backend counts them.
    pub version: Option<String>,
}

impl Secret {
    /// A value without a version.
    #[must_use]
    pub const fn new(value: SecretString) -> Self {
        Self {
            value,
            version: None,
        }
    }

    /// The same with its version.
    #[must_use]
    pub fn with_version(mut self, version: impl Into<String>) -> Self {
        self.version = Some(version.into());
        self
    }
}
