//! Kubernetes Secrets: one at a time by name through the API, or as a pod has them mounted. Never a list.

mod api;
mod config;
mod mounted;
mod name;

pub use config::{Api, Config, Mounted, Origin};
use whimbrel_sdk::prelude::*;

/// The secret backend `plugin: kubernetes`.
pub struct Kubernetes {
    config: Config,
}

impl SecretStore for Kubernetes {
    type Config = Config;

    fn configure(config: Config) -> Result<Self, Fault> {
        config.check()?;
        Ok(Self { config })
    }

    fn read(&self, reference: &Reference) -> Result<Secret, Fault> {
        if reference.version.is_some() {
            return Err(Fault::new(
                FaultClass::Unsupported,
                "kubernetes.no-versions",
                format!(
                    "`{}` has no versions: Kubernetes keeps the current one only",
                    reference.path
                ),
            ));
        }
        match &self.config.from {
            Origin::Api(api) => api::read(api, reference),
            Origin::Mounted(mounted) => mounted::read(mounted, reference),
        }
    }

    /// There is no way to a Secret's keys but to read it; its values end here.
    fn describe(&self, reference: &Reference) -> Result<Shape, Fault> {
        let secret = self.read(reference)?;
        Ok(Shape {
            fields: secret.fields.into_iter().map(|(name, _)| name).collect(),
            version: secret.version,
            details: secret.details,
            ..Shape::default()
        })
    }
}

whimbrel_sdk::export_store!(Kubernetes, needs: ["files"], uses: ["http"]);
