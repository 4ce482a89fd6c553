//! The provider: what it is configured with, and who answers for which resource.

use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;
use whimbrel_terraform::{
    Answer, Call, Configured, Diagnostic, FunctionFault, Number, Planned, Provider, ProviderSchema,
    Stored, Value,
};

use crate::files::Files;
use crate::{fault, thing};

const SCHEMA: &str = include_str!("provider.schema.json");

/// What it was configured with.
#[derive(Clone, Default)]
pub struct Configuration {
    pub files: Files,
    /// Sealed: it is given back as it came.
    pub token: Value,
}

#[derive(Default)]
pub struct Idle {
    configuration: RwLock<Configuration>,
}

impl Idle {
    fn configuration(&self) -> Configuration {
        let configuration = self.configuration.read();
        configuration
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

#[async_trait]
impl Provider for Idle {
    async fn schema(&self) -> Answer<Arc<ProviderSchema>> {
        match ProviderSchema::from_json(SCHEMA) {
            Ok(schema) => Ok(Arc::new(schema)),
            Err(error) => Err(vec![Diagnostic::error(
                "The schema is wrong",
                error.to_string(),
            )]),
        }
    }

    async fn configure(&self, _: &Call, config: Value) -> Answer<()> {
        let configured = Configuration {
            files: Files::new(config.get("folder").and_then(Value::as_str)),
            token: config.get("token").cloned().unwrap_or_default(),
        };
        let configuration = self.configuration.write();
        *configuration.unwrap_or_else(PoisonError::into_inner) = configured;
        Ok(())
    }

    async fn validate(&self, call: &Call, what: Configured<'_>, config: Value) -> Answer<()> {
        match what {
            Configured::Resource(thing::KIND) => thing::validate(call, &config),
            Configured::Resource(_) => fault::validate(&config),
            Configured::Provider | Configured::DataSource(_) => Ok(()),
        }
    }

    async fn plan(
        &self,
        call: &Call,
        kind: &str,
        prior: Option<Stored>,
        config: Value,
        proposed: Value,
    ) -> Answer<Planned> {
        match kind {
            thing::KIND => Ok(thing::plan(prior, &config, proposed)),
            _ => fault::plan(call, proposed).await,
        }
    }

    async fn plan_delete(&self, call: &Call, kind: &str, prior: Stored) -> Answer<()> {
        if kind == thing::KIND {
            thing::plan_delete(call, &prior);
        }
        Ok(())
    }

    async fn create(
        &self,
        call: &Call,
        kind: &str,
        planned: Stored,
        config: Value,
    ) -> Answer<Stored> {
        match kind {
            thing::KIND => thing::change(call, &self.configuration(), None, planned, &config).await,
            _ => fault::create(planned),
        }
    }

    async fn read(&self, _: &Call, kind: &str, current: Stored) -> Answer<Option<Stored>> {
        match kind {
            thing::KIND => thing::read(&self.configuration(), current),
            _ => Ok(Some(current)),
        }
    }

    async fn update(
        &self,
        call: &Call,
        kind: &str,
        prior: Stored,
        planned: Stored,
        config: Value,
    ) -> Answer<Stored> {
        match kind {
            thing::KIND => {
                thing::change(call, &self.configuration(), Some(prior), planned, &config).await
            }
            _ => fault::create(planned),
        }
    }

    async fn delete(&self, call: &Call, kind: &str, current: Stored) -> Answer<()> {
        match kind {
            thing::KIND => thing::delete(call, &self.configuration(), &current).await,
            _ => Ok(()),
        }
    }

    async fn import_state(&self, _: &Call, kind: &str, id: &str) -> Answer<Stored> {
        match kind {
            thing::KIND => thing::import(&self.configuration(), id),
            _ => Err(vec![Diagnostic::error("Nobody wants it", "")]),
        }
    }

    async fn read_data(&self, _: &Call, _: &str, config: Value) -> Answer<Value> {
        let text = config.get("text").cloned().unwrap_or_default();
        let Value::Map(mut state) = config else {
            return Err(vec![Diagnostic::error("There is no configuration", "")]);
        };
        state.insert("result".to_owned(), text);
        state.insert("token".to_owned(), self.configuration().token);
        Ok(Value::Map(state))
    }

    async fn upgrade(&self, _: &Call, _: &str, version: u64, state: Value) -> Answer<Value> {
        thing::upgrade(version, state)
    }

    async fn call_function(
        &self,
        name: &str,
        arguments: Vec<Value>,
    ) -> Result<Value, FunctionFault> {
        let mut arguments = arguments.into_iter();
        let first = arguments.next().unwrap_or_default();
        if name == "total" {
            let count = i64::try_from(arguments.len()).unwrap_or_default();
            let count = Value::Number(Number::from(count));
            return Ok(Value::object([("name", first), ("count", count)]));
        }
        let text = first.as_str().unwrap_or_default();
        if text == "palindrome" {
            return Err(FunctionFault {
                message: "that is none".to_owned(),
                argument: Some(0),
            });
        }
        Ok(Value::String(text.chars().rev().collect()))
    }
}
