//! A resource's life: planned, made, looked at, changed, ended.

use whimbrel_core::fault::Fault;

use crate::bindings::provider::exports::whimbrel::resources::provider as wit;
use crate::call::provider::{Asks, Going, Planned, ResourceProvider, Stored, faults};

impl ResourceProvider {
    /// What a resource will be.
    ///
    /// # Errors
    /// It can't be.
    pub async fn plan(
        &self,
        going: &Going,
        kind: &str,
        prior: Option<Stored>,
        config: &str,
        proposed: &str,
    ) -> Result<Planned, Vec<Fault>> {
        let (kind, prior) = (kind.to_owned(), prior.map(wit::Stored::from));
        let (config, proposed) = (config.to_owned(), proposed.to_owned());
        let asked = self.call("plan", Asks::Looks, going, move |exports, store| {
            Box::pin(async move {
                let provider = exports.whimbrel_resources_provider();
                let prior = prior.as_ref();
                let planned = provider.call_plan(store, &kind, prior, &config, &proposed);
                Ok(Ok(planned.await?))
            })
        });
        faults(asked.await).map(Planned::from)
    }

    /// Makes a resource, or goes on with one whose making was cut short.
    ///
    /// # Errors
    /// It isn't made.
    pub async fn create(
        &self,
        going: &Going,
        kind: &str,
        planned: Stored,
        config: &str,
    ) -> Result<Stored, Fault> {
        let (kind, config, planned) = (kind.to_owned(), config.to_owned(), planned.into());
        let asked = self.call("create", Asks::Changes, going, move |exports, store| {
            Box::pin(async move {
                let provider = exports.whimbrel_resources_provider();
                provider.call_create(store, &kind, &planned, &config).await
            })
        });
        asked.await.map(Stored::from)
    }

    /// A resource as it is now; none when it is gone.
    ///
    /// # Errors
    /// It can't be looked at.
    pub async fn read(
        &self,
        going: &Going,
        kind: &str,
        current: Stored,
    ) -> Result<Option<Stored>, Fault> {
        let (kind, current) = (kind.to_owned(), current.into());
        let asked = self.call("read", Asks::Looks, going, move |exports, store| {
            Box::pin(async move {
                let provider = exports.whimbrel_resources_provider();
                provider.call_read(store, &kind, &current).await
            })
        });
        Ok(asked.await?.map(Stored::from))
    }

    /// Changes a resource in place.
    ///
    /// # Errors
    /// It isn't changed, or only in part: the next look tells.
    pub async fn update(
        &self,
        going: &Going,
        kind: &str,
        prior: Stored,
        planned: Stored,
        config: &str,
    ) -> Result<Stored, Fault> {
        let (kind, config) = (kind.to_owned(), config.to_owned());
        let (prior, planned) = (prior.into(), planned.into());
        let asked = self.call("update", Asks::Changes, going, move |exports, store| {
            Box::pin(async move {
                let provider = exports.whimbrel_resources_provider();
                let updated = provider.call_update(store, &kind, &prior, &planned, &config);
                updated.await
            })
        });
        asked.await.map(Stored::from)
    }

    /// Ends a resource; one that is gone is no error.
    ///
    /// # Errors
    /// It is still there.
    pub async fn delete(&self, going: &Going, kind: &str, current: Stored) -> Result<(), Fault> {
        let (kind, current) = (kind.to_owned(), current.into());
        let asked = self.call("delete", Asks::Changes, going, move |exports, store| {
            Box::pin(async move {
                let provider = exports.whimbrel_resources_provider();
                provider.call_delete(store, &kind, &current).await
            })
        });
        asked.await
    }

    /// The state of a resource that is there and was never made by Terraform.
    ///
    /// # Errors
    /// The id means none.
    pub async fn import_state(&self, going: &Going, kind: &str, id: &str) -> Result<Stored, Fault> {
        let (kind, id) = (kind.to_owned(), id.to_owned());
        let asked = self.call("import-state", Asks::Looks, going, move |exports, store| {
            Box::pin(async move {
                let provider = exports.whimbrel_resources_provider();
                provider.call_import_state(store, &kind, &id).await
            })
        });
        asked.await.map(Stored::from)
    }

    /// What a data source says.
    ///
    /// # Errors
    /// It can't be read.
    pub async fn read_data(
        &self,
        going: &Going,
        kind: &str,
        config: &str,
    ) -> Result<String, Fault> {
        let (kind, config) = (kind.to_owned(), config.to_owned());
        let asked = self.call("read-data", Asks::Looks, going, move |exports, store| {
            Box::pin(async move {
                let provider = exports.whimbrel_resources_provider();
                provider.call_read_data(store, &kind, &config).await
            })
        });
        asked.await
    }
}
