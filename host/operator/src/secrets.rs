//! Secrets of the cluster as a backend, and what stands for the backends that objects may not use.

use async_trait::async_trait;
use k8s_openapi::api::core::v1;
use kube::Api;
use secrecy::SecretSlice;
use whimbrel_core::environment::SecretReference;
use whimbrel_core::fault::{Fault, FaultClass, Retry};
use whimbrel_secrets::{Backend, Secret, Shape};

/// The `Secret`s of one namespace, read by name.
pub struct ClusterSecrets {
    api: Api<v1::Secret>,
    namespace: String,
}

impl ClusterSecrets {
    /// Of a namespace.
    pub const fn new(api: Api<v1::Secret>, namespace: String) -> Self {
        Self { api, namespace }
    }
}

#[async_trait]
impl Backend for ClusterSecrets {
    fn describe(&self) -> String {
        format!("Secrets of the namespace {}", self.namespace)
    }

    async fn read(&self, reference: &SecretReference) -> Result<Secret, Fault> {
        let name = &reference.path;
        let found = self
            .api
            .get_opt(name)
            .await
            .map_err(|error| fault(name, &error))?;
        let Some(found) = found else {
            let message = format!(
                "there is no Secret `{name}` in the namespace {}",
                self.namespace
            );
            return Err(Fault::new(
                FaultClass::NotFound,
                "kubernetes.no-secret",
                message,
            ));
        };
        let fields = found.data.unwrap_or_default();
        let fields = fields
            .into_iter()
            .map(|(key, value)| (key, SecretSlice::from(value.0)));
        let secret = Secret::new(fields.collect());
        Ok(match found.metadata.resource_version {
            Some(version) => secret.with_version(version),
            None => secret,
        })
    }

    async fn shape(&self, reference: &SecretReference) -> Result<Shape, Fault> {
        Ok(Shape::of(&self.read(reference).await?))
    }
}

fn fault(name: &str, error: &kube::Error) -> Fault {
    let message = format!("the Secret `{name}` can't be read: {error}");
    match error {
        kube::Error::Api(status) if status.code == 403 => {
            Fault::new(FaultClass::Denied, "kubernetes.forbidden", message)
                .with_hint("the operator's Role needs `get`, `list` and `watch` on it")
        }
        kube::Error::Api(status) if status.code < 500 && status.code != 429 => {
            Fault::new(FaultClass::Invalid, "kubernetes.refused", message)
        }
        _ => Fault {
            retry: Retry::Backoff,
            ..Fault::new(FaultClass::Unavailable, "kubernetes.unavailable", message)
        },
    }
}

/// Stands for `env` and `file`: what is inside the operator's container belongs to whoever runs it, and not to whoever may
/// write objects.
pub struct Closed;

#[async_trait]
impl Backend for Closed {
    fn describe(&self) -> String {
        "the operator's own variables and files, which objects may not read".to_owned()
    }

    async fn read(&self, reference: &SecretReference) -> Result<Secret, Fault> {
        let message = format!(
            "objects may not read the operator's own `{}`",
            reference.backend
        );
        Err(Fault::new(FaultClass::Denied, "operator.local-secret", message)
            .with_hint("use `secretKeyRef: { name: …, key: … }`, or start the operator with `--local-secrets`"))
    }

    async fn shape(&self, reference: &SecretReference) -> Result<Shape, Fault> {
        Ok(Shape::of(&self.read(reference).await?))
    }
}
