//! The backend `env`: environment variables of this process.

use std::ffi::OsString;

use async_trait::async_trait;
use whimbrel_core::environment::SecretReference;
use whimbrel_core::fault::{Fault, FaultClass};

use crate::field::refuse_version;
use crate::{Backend, Secret, Shape};

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

    async fn read(&self, reference: &SecretReference) -> Result<Secret, Fault> {
        refuse_version(reference, "env.no-versions")?;
        let name = &reference.path;
        let value = (self.lookup)(name).ok_or_else(|| {
            Fault::new(
                FaultClass::NotFound,
                "env.not-set",
                format!("the environment variable {name} is not set"),
            )
            .with_hint(format!(
                "set the environment variable {name} for whoever runs whimbrel"
            ))
        })?;
        Ok(Secret::of_value(value.into_encoded_bytes()))
    }

    async fn shape(&self, reference: &SecretReference) -> Result<Shape, Fault> {
        Ok(Shape::of(&self.read(reference).await?))
    }
}
