//! What a provider says without looking at anything.

use serde_json::Value as Json;
use whimbrel_core::fault::Fault;

use crate::call::fault::fault;
use crate::call::provider::{ResourceProvider, faults};

impl ResourceProvider {
    /// What it has: `provider.schema.json`.
    ///
    /// # Errors
    /// The plugin misbehaves.
    pub async fn schema(&self) -> Result<Json, Fault> {
        let asked = self.pure("schema", |exports, store| {
            Box::pin(async move {
                let provider = exports.whimbrel_resources_provider();
                provider.call_schema(store).await.map(Ok)
            })
        });
        let text = asked.await?;
        let schema = self.plugin.json("schema", &text);
        schema.map_err(|error| fault(&error))
    }

    /// Looks at the provider's own configuration.
    ///
    /// # Errors
    /// It makes no sense.
    pub async fn configure(&self, config: &str) -> Result<(), Fault> {
        let config = config.to_owned();
        let asked = self.pure("configure", move |exports, store| {
            Box::pin(async move {
                let provider = exports.whimbrel_resources_provider();
                provider.call_configure(store, &config).await
            })
        });
        asked.await
    }

    /// Looks at a resource's configuration, or a data source's, without the provider's.
    ///
    /// # Errors
    /// What is wrong with it.
    pub async fn validate(&self, kind: &str, config: &str) -> Result<(), Vec<Fault>> {
        let (kind, config) = (kind.to_owned(), config.to_owned());
        let asked = self.pure("validate", move |exports, store| {
            Box::pin(async move {
                let provider = exports.whimbrel_resources_provider();
                let valid = provider.call_validate(store, &kind, &config).await?;
                Ok(Ok(valid))
            })
        });
        faults(asked.await)
    }

    /// Brings a state of an earlier version to the present one.
    ///
    /// # Errors
    /// It can't be read.
    pub async fn upgrade(&self, kind: &str, version: u64, state: &str) -> Result<String, Fault> {
        let (kind, state) = (kind.to_owned(), state.to_owned());
        let asked = self.pure("upgrade", move |exports, store| {
            Box::pin(async move {
                let provider = exports.whimbrel_resources_provider();
                provider.call_upgrade(store, &kind, version, &state).await
            })
        });
        asked.await
    }

    /// Whatever the protocol grows by, such as a function.
    ///
    /// # Errors
    /// The plugin doesn't know it, or can't.
    pub async fn other(&self, operation: &str, request: &str) -> Result<String, Vec<Fault>> {
        let (operation, request) = (operation.to_owned(), request.to_owned());
        let asked = self.pure("other", move |exports, store| {
            Box::pin(async move {
                let provider = exports.whimbrel_resources_provider();
                let answer = provider.call_other(store, &operation, &request).await?;
                Ok(Ok(answer))
            })
        });
        faults(asked.await)
    }
}
