//! The backend `env`: environment variables of this process.

use std::ffi::OsString;

use async_trait::async_trait;
use whimbrel_core::environment::SecretReference;
use zeroize::Zeroizing;

use crate::field::{refuse_version, select};
use crate::{Backend, Secret, SecretError};

type Lookup = dyn Fn(&str) -> Option<OsString> + Send + Sync;

/// Environment variables. A reference's path is the variable's name.
pub struct Variables {
    lookup: Box<Lookup>,
}

impl Default for Variables {
    fn default() -> Self {
        Self::with_lookup(|name| std::env::var_os(name))
    }
}

impl Variables {
    /// Variables that something else knows, instead of this process's own.
    #[must_use]
    pub fn with_lookup(lookup: impl Fn(&str) -> Option<OsString> + Send + Sync + 'static) -> Self {
        Self {
            lookup: Box::new(lookup),
        }
    }
}

#[async_trait]
impl Backend for Variables {
    fn describe(&self) -> String {
        "environment variables".to_owned()
    }

    async fn read(&self, reference: &SecretReference) -> Result<Secret, SecretError> {
        refuse_version(reference)?;
        let value = (self.lookup)(&reference.path).ok_or_else(|| SecretError::NotFound {
            reference: Box::new(reference.clone()),
            what: format!("the environment variable {} is not set", reference.path),
        })?;
        let bytes = Zeroizing::new(value.into_encoded_bytes());
        Ok(Secret::new(select(reference, &bytes)?))
    }
}
