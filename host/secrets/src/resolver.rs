//! Resolves the references of one environment.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};
use whimbrel_core::environment::{SecretBackend, SecretReference, ValueSource};
use whimbrel_core::fault::Fault;
use whimbrel_core::suggestion::nearest;
use whimbrel_signal::Scrubber;

use crate::field::select;
use crate::{Backend, Files, SecretError, Variables};

/// Resolves references to values, and tells the scrubber each value before anybody else gets it. Nothing is kept: a
/// value that was rotated is seen at the next connection.
#[derive(Clone)]
pub struct Resolver {
    backends: BTreeMap<String, Arc<dyn Backend>>,
    plugins: BTreeMap<String, String>,
    scrubber: Scrubber,
}

impl Resolver {
    /// A resolver with the built-in backends. Relative paths of `file` are counted from `base`.
    #[must_use]
    pub fn new(base: &Path, scrubber: Scrubber) -> Self {
        let files: Arc<dyn Backend> = Arc::new(Files::new(base));
        Self {
            backends: BTreeMap::from([
                ("env".to_owned(), Arc::new(Variables::default()) as _),
                ("file".to_owned(), files),
            ]),
            plugins: BTreeMap::new(),
            scrubber,
        }
    }

    /// The same, knowing the backends that an environment configures: each is usable once [`Resolver::with_backend`]
    /// gave it, and until then named in errors.
    #[must_use]
    pub fn for_environment(mut self, configured: &BTreeMap<String, SecretBackend>) -> Self {
        for (name, backend) in configured {
            self.plugins
                .insert(name.clone(), backend.plugin.to_string());
        }
        self
    }

    /// The same with one more backend, or another one of that name.
    #[must_use]
    pub fn with_backend(mut self, name: impl Into<String>, backend: Arc<dyn Backend>) -> Self {
        self.backends.insert(name.into(), backend);
        self
    }

    /// The value that a reference means now.
    ///
    /// # Errors
    /// It can't be had; see [`SecretError`].
    pub async fn resolve(&self, reference: &SecretReference) -> Result<SecretString, SecretError> {
        let backend = self.backend(reference)?;
        let secret = backend.read(reference).await;
        let secret = secret.map_err(|fault| self.scrubbed(reference, fault))?;
        for value in secret.fields.values() {
            self.scrubber
                .register(&String::from_utf8_lossy(value.expose_secret()));
        }
        let value = select(reference, &secret)?;
        self.scrubber.register(value.expose_secret());
        Ok(value)
    }

    /// The value of a field that may be written in the document or kept in a backend.
    ///
    /// # Errors
    /// As [`Resolver::resolve`].
    pub async fn value(&self, source: &ValueSource) -> Result<SecretString, SecretError> {
        match source {
            ValueSource::Literal(text) => Ok(SecretString::from(text.as_str())),
            ValueSource::Secret(reference) => self.resolve(reference).await,
        }
    }

    /// Tells the scrubber a value that came from elsewhere, such as the password inside of a secret URL.
    pub fn keep_secret(&self, value: &SecretString) {
        self.scrubber.register(value.expose_secret());
    }

    /// Whether a reference can be resolved, and where it leads, without giving its value away.
    ///
    /// # Errors
    /// As [`Resolver::resolve`].
    pub async fn check(&self, reference: &SecretReference) -> Result<String, SecretError> {
        self.resolve(reference).await?;
        Ok(self.backend(reference)?.describe())
    }

    fn backend(&self, reference: &SecretReference) -> Result<&Arc<dyn Backend>, SecretError> {
        if let Some(backend) = self.backends.get(&reference.backend) {
            return Ok(backend);
        }
        Err(match self.plugins.get(&reference.backend) {
            Some(plugin) => SecretError::NoPlugin {
                reference: Box::new(reference.clone()),
                plugin: plugin.clone(),
            },
            None => SecretError::UnknownBackend {
                reference: Box::new(reference.clone()),
                nearest: nearest(
                    &reference.backend,
                    self.backends
                        .keys()
                        .chain(self.plugins.keys())
                        .map(String::as_str),
                )
                .map(str::to_owned),
            },
        })
    }

    /// A plugin's words may repeat a value that is known already.
    fn scrubbed(&self, reference: &SecretReference, mut fault: Fault) -> SecretError {
        fault.message = self.scrubber.scrub(&fault.message);
        fault.hint = fault.hint.map(|hint| self.scrubber.scrub(&hint));
        SecretError::Backend {
            reference: Box::new(reference.clone()),
            fault: Box::new(fault),
        }
    }
}

impl std::fmt::Debug for Resolver {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Resolver")
            .field("backends", &self.backends.keys())
            .finish_non_exhaustive()
    }
}
