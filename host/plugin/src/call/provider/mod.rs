//! The world `resource-provider`: resources with a life of their own, as Terraform drives them.
//!
//! Values cross as JSON text, as `wit/deps/resources` says; nobody here looks into them.

mod life;
mod pure;
mod stored;

use std::sync::Arc;
use std::time::Duration;

use wasmtime::Store;
use whimbrel_core::fault::Fault;
use whimbrel_core::name::PluginName;

use crate::bindings::imports::whimbrel::types::types;
use crate::bindings::provider::Provider as Exports;
use crate::call::fault::fault;
use crate::call::guard::{Guest, guarded};
use crate::call::{Call, StopFlag, traced};
use crate::engine::{EngineAccess, ResourceEngine};
use crate::instance::{Scope, State};
use crate::plugin::Plugin;

pub use stored::{Planned, Stored};

/// How a call goes that looks at databases or changes them.
#[derive(Clone)]
pub struct Going {
    /// The provider's own configuration, as JSON text.
    pub provider: String,
    /// Answers what its resource asks.
    pub engine: Arc<dyn ResourceEngine>,
    /// The wall-clock limit; the sandbox's own for a run if none.
    pub timeout: Option<Duration>,
    /// Asks it to stop.
    pub stop: StopFlag,
}

/// A plugin of the world `resource-provider`. Every call is configured anew, in a store of its own. Its faults are as the
/// guest says them: whoever tells them to Terraform takes secrets out.
pub struct ResourceProvider {
    plugin: Plugin,
}

/// What a call may ask of the engine.
#[derive(Clone, Copy)]
enum Asks {
    /// Only what changes nothing.
    Looks,
    /// Everything.
    Changes,
}

impl ResourceProvider {
    /// A provider of this plugin. Nothing of the plugin runs before the first call.
    ///
    /// # Errors
    /// The plugin is of another world.
    pub fn new(plugin: Plugin) -> Result<Self, Fault> {
        plugin.provider().map_err(|error| fault(&error))?;
        Ok(Self { plugin })
    }

    /// The name under which the plugin was admitted.
    #[must_use]
    pub fn name(&self) -> &PluginName {
        self.plugin.name()
    }

    /// Runs one function that asks nothing, without the provider's configuration.
    async fn pure<T: Send + 'static>(
        &self,
        function: &'static str,
        guest: impl for<'a> FnOnce(Exports, &'a mut Store<State>) -> Guest<'a, T> + Send + 'static,
    ) -> Result<T, Fault> {
        let scope = Scope::pure(function, traced());
        let limit = self.plugin.sandbox().limits().pure_timeout;
        let provider = self.plugin.provider().map_err(|error| fault(&error))?;
        let provider = provider.clone();
        let stop = StopFlag::new();
        let ended = guarded(&self.plugin, scope, limit, &stop, move |store| {
            Box::pin(async move {
                let exports = provider.instantiate_async(&mut *store).await?;
                guest(exports, store).await
            })
        });
        ended.await.map_err(|error| fault(&error))
    }

    /// Runs one function, configured.
    async fn call<T: Send + 'static>(
        &self,
        function: &'static str,
        asks: Asks,
        going: &Going,
        guest: impl for<'a> FnOnce(Exports, &'a mut Store<State>) -> Guest<'a, T> + Send + 'static,
    ) -> Result<T, Fault> {
        let changing = matches!(asks, Asks::Changes);
        let access = EngineAccess::new(Arc::clone(&going.engine), changing);
        let limits = self.plugin.sandbox().limits();
        let limit = going.timeout.unwrap_or(limits.call_timeout);
        let mut call = Call::new("", &format!("resource/{function}"));
        call.log = traced();
        call.stop = going.stop.clone();
        call.timeout = Some(limit);
        let scope = Scope::resource(function, call, Some(access));
        let provider = self.plugin.provider().map_err(|error| fault(&error))?;
        let (provider, config) = (provider.clone(), going.provider.clone());
        let ended = guarded(&self.plugin, scope, limit, &going.stop, move |store| {
            Box::pin(async move {
                let exports = provider.instantiate_async(&mut *store).await?;
                let configure = exports.whimbrel_resources_provider();
                let configured = configure.call_configure(&mut *store, &config).await?;
                if let Err(fault) = configured {
                    return Ok(Err(fault));
                }
                guest(exports, store).await
            })
        });
        ended.await.map_err(|error| fault(&error))
    }
}

/// What was answered with several faults, or what kept the call from answering.
fn faults<T>(asked: Result<Result<T, Vec<types::Fault>>, Fault>) -> Result<T, Vec<Fault>> {
    match asked {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(faults)) => Err(faults.into_iter().map(Fault::from).collect()),
        Err(fault) => Err(vec![fault]),
    }
}
