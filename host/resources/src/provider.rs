//! Terraform's provider over plugins of the world `resource-provider`: each kind of resource goes to the plugin that has it.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;
use secrecy::SecretString;
use serde_json::json;
use tokio::sync::OnceCell;
use whimbrel_core::fault::Fault;
use whimbrel_plugin::{Going, ResourceEngine, ResourceProvider, StopFlag};
use whimbrel_terraform::{
    Answer, Call, Configured, Diagnostic, FunctionFault, Planned, Provider, ProviderSchema, Stored,
    Token, Type, Value,
};

use crate::belonging::Belonging;
use crate::catalogue::Catalogue;
use crate::endpoint::Endpoint;
use crate::here::Here;
use crate::sealed::Sealed;
use crate::there::There;

/// Plugins of resources behind one provider, and the engine behind what they ask.
pub struct Resources {
    plugins: Vec<ResourceProvider>,
    /// Why there are none.
    refusal: Option<Fault>,
    engine: Here,
    catalogue: OnceCell<Catalogue>,
    /// The provider's own configuration, once Terraform has said it.
    configured: RwLock<Settled>,
}

/// What the provider's own configuration came to.
#[derive(Clone, Default)]
struct Settled {
    config: Value,
    belonging: Belonging,
    /// The server that is asked instead of the engine here.
    there: Option<There>,
}

/// One call on its way: asked to stop when Terraform asks for it.
struct Way {
    going: Going,
    watching: tokio::task::JoinHandle<()>,
}

impl Drop for Way {
    fn drop(&mut self) {
        self.watching.abort();
    }
}

impl Resources {
    /// These plugins over this engine; or none, and why, which is the answer to everything.
    #[must_use]
    pub fn new(plugins: Result<Vec<ResourceProvider>, Fault>, engine: Here) -> Self {
        let (plugins, refusal) = match plugins {
            Ok(plugins) => (plugins, None),
            Err(fault) => (Vec::new(), Some(fault)),
        };
        Self {
            plugins,
            refusal,
            engine,
            catalogue: OnceCell::new(),
            configured: RwLock::default(),
        }
    }

    async fn catalogue(&self) -> Answer<&Catalogue> {
        if let Some(fault) = &self.refusal {
            return Err(said(fault.clone()));
        }
        let read = || async { Catalogue::read(&self.plugins).await };
        let read = self.catalogue.get_or_try_init(read);
        read.await.map_err(|fault| vec![fault.into()])
    }

    /// The plugin that has a kind of resource, and what such a one is made of.
    async fn of(&self, kind: &str) -> Answer<(&ResourceProvider, usize, &Type)> {
        self.known(&self.catalogue().await?.resources, kind)
    }

    /// The same of a data source.
    async fn of_data(&self, kind: &str) -> Answer<(&ResourceProvider, usize, &Type)> {
        self.known(&self.catalogue().await?.data_sources, kind)
    }

    fn known<'a>(
        &'a self,
        kinds: &'a BTreeMap<String, (usize, Type)>,
        kind: &str,
    ) -> Answer<(&'a ResourceProvider, usize, &'a Type)> {
        let known = kinds.get(kind).and_then(|(index, shape)| {
            let plugin = self.plugins.get(*index)?;
            Some((plugin, *index, shape))
        });
        known.ok_or_else(|| {
            let summary = format!("The provider has no `{kind}`");
            vec![Diagnostic::error(summary, "")]
        })
    }

    /// The provider's configuration as one of its plugins sees it: only what it asked for.
    async fn configuration(&self, index: usize, config: &Value) -> Answer<String> {
        let catalogue = self.catalogue().await?;
        let own = catalogue.own.get(index);
        let Value::Map(members) = config else {
            return Ok("{}".to_owned());
        };
        let members = members
            .iter()
            .filter(|(name, _)| own.is_some_and(|own| own.contains(*name)));
        let members = members.map(|(name, value)| (name.clone(), value.clone()));
        Ok(Value::Map(members.collect()).to_json())
    }

    async fn way(&self, call: &Call, index: usize) -> Answer<Way> {
        let Settled {
            config,
            belonging,
            there,
        } = {
            let configured = self.configured.read();
            configured.unwrap_or_else(PoisonError::into_inner).clone()
        };
        let sealed = Arc::clone(&call.sealed);
        let sealed = Sealed::new(move |token| {
            let token: Token = token.parse().ok()?;
            let value = sealed.reveal(token)?;
            Some(SecretString::from(value.as_str()?))
        });
        let engine: Arc<dyn ResourceEngine> = match there {
            Some(there) => Arc::new(there.with_sealed(sealed)),
            None => Arc::new(self.engine.with_sealed(sealed).with_belonging(belonging)),
        };
        let stop = StopFlag::new();
        let (asked, cancel) = (stop.clone(), call.cancel.clone());
        let watching = tokio::spawn(async move {
            cancel.requested().await;
            asked.stop();
        });
        let provider = self.configuration(index, &config);
        Ok(Way {
            going: Going {
                provider: provider.await?,
                engine,
                timeout: None,
                stop,
            },
            watching,
        })
    }
}

#[async_trait]
impl Provider for Resources {
    async fn schema(&self) -> Answer<Arc<ProviderSchema>> {
        Ok(Arc::clone(&self.catalogue().await?.schema))
    }

    async fn configure(&self, _: &Call, config: Value) -> Answer<()> {
        self.catalogue().await?;
        for (index, plugin) in self.plugins.iter().enumerate() {
            let own = self.configuration(index, &config).await?;
            plugin.configure(&own).await.map_err(said)?;
        }
        let scrubber = self.engine.context.scrubber().clone();
        let belonging = Belonging::read(&config)?;
        let settled = Settled {
            there: There::new(Endpoint::read(&config)?, belonging.clone(), scrubber),
            belonging: belonging.unwrap_or_default(),
            config,
        };
        let configured = self.configured.write();
        *configured.unwrap_or_else(PoisonError::into_inner) = settled;
        Ok(())
    }

    async fn validate(&self, _: &Call, what: Configured<'_>, config: Value) -> Answer<()> {
        let known = match what {
            Configured::Provider => {
                for (index, plugin) in self.plugins.iter().enumerate() {
                    let own = self.configuration(index, &config).await?;
                    plugin.configure(&own).await.map_err(said)?;
                }
                Endpoint::read(&config)?;
                return Belonging::read(&config).map(drop);
            }
            Configured::Resource(kind) => (self.of(kind).await?, kind),
            Configured::DataSource(kind) => (self.of_data(kind).await?, kind),
        };
        let ((plugin, ..), kind) = known;
        plugin.validate(kind, &config.to_json()).await.map_err(all)
    }

    async fn plan(
        &self,
        call: &Call,
        kind: &str,
        prior: Option<Stored>,
        config: Value,
        proposed: Value,
    ) -> Answer<Planned> {
        let (plugin, index, shape) = self.of(kind).await?;
        let way = self.way(call, index).await?;
        let (config, proposed) = (config.to_json(), proposed.to_json());
        let prior = prior.map(handed);
        let planned = plugin.plan(&way.going, kind, prior, &config, &proposed);
        let planned = planned.await.map_err(all)?;
        for (pointer, message) in planned.warnings {
            call.warn(Diagnostic::warning(message, "").at(pointer));
        }
        Ok(Planned {
            stored: given(planned.stored, shape)?,
            replace: planned.replace,
        })
    }

    async fn plan_delete(&self, _: &Call, kind: &str, prior: Stored) -> Answer<()> {
        let (plugin, ..) = self.of(kind).await?;
        let request = format!(
            r#"{{"kind":{},"state":{}}}"#,
            json!(kind),
            prior.state.to_json()
        );
        let asked = plugin.other("plan-delete", &request).await;
        asked.map(drop).map_err(all)
    }

    async fn create(
        &self,
        call: &Call,
        kind: &str,
        planned: Stored,
        config: Value,
    ) -> Answer<Stored> {
        let (plugin, index, shape) = self.of(kind).await?;
        let way = self.way(call, index).await?;
        let config = config.to_json();
        let made = plugin.create(&way.going, kind, handed(planned), &config);
        given(made.await.map_err(said)?, shape)
    }

    async fn read(&self, call: &Call, kind: &str, current: Stored) -> Answer<Option<Stored>> {
        let (plugin, index, shape) = self.of(kind).await?;
        let way = self.way(call, index).await?;
        let read = plugin.read(&way.going, kind, handed(current)).await;
        let read = read.map_err(said)?;
        if read.is_none() {
            // Terraform's own plan shows that it is made, and not that it was there.
            let detail = "Somebody else has taken it away. If the configuration still has it, it is made again.";
            call.warn(Diagnostic::warning(
                "It is gone since the state was written",
                detail,
            ));
        }
        read.map(|stored| given(stored, shape)).transpose()
    }

    async fn update(
        &self,
        call: &Call,
        kind: &str,
        prior: Stored,
        planned: Stored,
        config: Value,
    ) -> Answer<Stored> {
        let (plugin, index, shape) = self.of(kind).await?;
        let way = self.way(call, index).await?;
        let config = config.to_json();
        let updated = plugin.update(&way.going, kind, handed(prior), handed(planned), &config);
        given(updated.await.map_err(said)?, shape)
    }

    async fn delete(&self, call: &Call, kind: &str, current: Stored) -> Answer<()> {
        let (plugin, index, _) = self.of(kind).await?;
        let way = self.way(call, index).await?;
        let deleted = plugin.delete(&way.going, kind, handed(current)).await;
        deleted.map_err(said)
    }

    async fn import_state(&self, call: &Call, kind: &str, id: &str) -> Answer<Stored> {
        let (plugin, index, shape) = self.of(kind).await?;
        let way = self.way(call, index).await?;
        let imported = plugin.import_state(&way.going, kind, id).await;
        given(imported.map_err(said)?, shape)
    }

    async fn read_data(&self, call: &Call, kind: &str, config: Value) -> Answer<Value> {
        let (plugin, index, shape) = self.of_data(kind).await?;
        let way = self.way(call, index).await?;
        let config = config.to_json();
        let read = plugin.read_data(&way.going, kind, &config);
        value(&read.await.map_err(said)?, shape)
    }

    async fn upgrade(&self, _: &Call, kind: &str, version: u64, state: Value) -> Answer<Value> {
        let (plugin, _, shape) = self.of(kind).await?;
        let upgraded = plugin.upgrade(kind, version, &state.to_json()).await;
        value(&upgraded.map_err(said)?, shape)
    }

    async fn call_function(
        &self,
        name: &str,
        arguments: Vec<Value>,
    ) -> Result<Value, FunctionFault> {
        let wrong = |message: String, argument| FunctionFault { message, argument };
        let catalogue = self.catalogue().await.map_err(|all| {
            let summary = all.into_iter().next().map(|one| one.summary);
            wrong(summary.unwrap_or_default(), None)
        })?;
        let known = catalogue.functions.get(name).and_then(|(index, shape)| {
            let plugin = self.plugins.get(*index)?;
            Some((plugin, shape))
        });
        let (plugin, shape) =
            known.ok_or_else(|| wrong(format!("there is no function `{name}`"), None))?;
        let arguments: Vec<String> = arguments.iter().map(Value::to_json).collect();
        let request = format!(
            r#"{{"name":{},"arguments":[{}]}}"#,
            json!(name),
            arguments.join(",")
        );
        let result = plugin.other("function", &request).await.map_err(|faults| {
            let first = faults.into_iter().next();
            let argument = first.as_ref().and_then(|fault| {
                let pointer = fault.pointer.as_deref()?;
                pointer.strip_prefix('/')?.split('/').next()?.parse().ok()
            });
            wrong(
                first.map(|fault| fault.message).unwrap_or_default(),
                argument,
            )
        })?;
        Value::from_json(&result, shape).map_err(|error| wrong(error.to_string(), None))
    }
}

fn handed(stored: Stored) -> whimbrel_plugin::Stored {
    whimbrel_plugin::Stored {
        state: stored.state.to_json(),
        private: stored.private,
    }
}

fn given(stored: whimbrel_plugin::Stored, shape: &Type) -> Answer<Stored> {
    Ok(Stored {
        state: value(&stored.state, shape)?,
        private: stored.private,
    })
}

fn value(json: &str, shape: &Type) -> Answer<Value> {
    Value::from_json(json, shape).map_err(|error| {
        let summary = "The plugin's answer doesn't match its schema";
        vec![Diagnostic::error(summary, format!("{error}.")).at(error.pointer())]
    })
}

fn said(fault: Fault) -> Vec<Diagnostic> {
    vec![fault.into()]
}

fn all(faults: Vec<Fault>) -> Vec<Diagnostic> {
    faults.into_iter().map(Diagnostic::from).collect()
}
