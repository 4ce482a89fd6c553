//! The world `migration-step`: describe, plan, estimate, apply, revert.

use std::sync::Arc;

use serde::Serialize;
use serde_json::Value as Json;
use whimbrel_core::statement::Dialect;

use crate::bindings::step::exports::whimbrel::step::step as wit;
use crate::call::guard::guarded;
use crate::call::{Call, StopFlag, traced};
use crate::database::StepDatabase;
use crate::desk::Desk;
use crate::egress::Outgoing;
use crate::error::PluginError;
use crate::instance::{Scope, Work};
use crate::plugin::Plugin;
use crate::schema::{ConfigSchema, Mismatch};

/// What a step will do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Preview {
    /// A line each; hashed into the plan's digest.
    pub effects: Vec<String>,
    /// Whether it can be reverted.
    pub reversible: bool,
    /// Anything else that the plugin wants shown.
    pub details: Json,
}

/// What a step did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Rows done, as the plugin says, by all attempts together.
    pub rows: u64,
    /// Rows that the host saw change in this attempt, which a plugin can't lie about.
    pub witnessed: u64,
    /// One sentence.
    pub summary: String,
    /// What `revert` will need.
    pub undo: Vec<u8>,
    /// Anything else that the plugin wants kept.
    pub details: Json,
}

impl Plugin {
    /// What the step is: summary, schema of its `with:`, dialects, sources.
    ///
    /// # Errors
    /// It is no step, or its answer can't be used.
    pub async fn describe(&self) -> Result<Json, PluginError> {
        let step = self.step()?.clone();
        let scope = Scope::pure("describe", traced());
        let limit = self.sandbox().limits().pure_timeout;
        let text = guarded(self, scope, limit, &StopFlag::new(), move |store| {
            Box::pin(async move {
                let instance = step.instantiate_async(&mut *store).await?;
                instance
                    .whimbrel_step_step()
                    .call_describe(store)
                    .await
                    .map(Ok)
            })
        })
        .await?;
        self.json("describe", &text)
    }

    /// Everything that is wrong with a step's `with:`, by the schema that the plugin gives for it in its description;
    /// empty when it fits, or when the plugin gives no schema. The plugin is asked once, however often this is.
    ///
    /// # Errors
    /// It is no step, or its description or its schema can't be used.
    pub async fn mismatches(&self, config: &Json) -> Result<Vec<Mismatch>, PluginError> {
        let schema = self.schema().get_or_try_init(|| self.with_schema()).await?;
        let Some(schema) = schema else {
            return Ok(Vec::new());
        };
        let found = schema.mismatches(config);
        if !config.is_null() || found.is_empty() {
            return Ok(found);
        }
        // Without any `with:`, what is missing says more than that it is no map.
        let missing = schema.mismatches(&Json::Object(serde_json::Map::new()));
        Ok(if missing.is_empty() { found } else { missing })
    }

    async fn with_schema(&self) -> Result<Option<ConfigSchema>, PluginError> {
        let description = self.describe().await?;
        let Some(schema) = description.get("with").filter(|schema| !schema.is_null()) else {
            return Ok(None);
        };
        match ConfigSchema::new(schema, self.sandbox().limits()) {
            Ok(schema) => Ok(Some(schema)),
            Err(error) => Err(self.unusable("describe", error.to_string())),
        }
    }

    /// What the step will do: a function of these arguments alone.
    ///
    /// # Errors
    /// The plugin refuses the configuration, asks for anything but the log, or misbehaves.
    pub async fn plan(&self, config: &Json, dialect: Dialect) -> Result<Preview, PluginError> {
        let step = self.step()?.clone();
        let (config, dialect) = (config.to_string(), dialect.to_string());
        let limits = self.sandbox().limits();
        let scope = Scope::pure("plan", traced());
        let stop = StopFlag::new();
        let preview = guarded(self, scope, limits.pure_timeout, &stop, move |store| {
            Box::pin(async move {
                let instance = step.instantiate_async(&mut *store).await?;
                instance
                    .whimbrel_step_step()
                    .call_plan(store, &config, &dialect)
                    .await
            })
        })
        .await?;
        let effects = preview.effects.len();
        let longest = preview.effects.iter().map(String::len).max().unwrap_or(0);
        if effects > limits.effects || longest > limits.summary_bytes {
            let reason = format!("{effects} effects, the longest of {longest} bytes");
            return Err(self.unusable("plan", reason));
        }
        Ok(Preview {
            effects: preview.effects,
            reversible: preview.reversible,
            details: self.json("plan", &preview.details)?,
        })
    }

    /// What the step will cost, as far as it can tell. Only reads.
    ///
    /// # Errors
    /// The plugin can't tell, tries to write, or misbehaves.
    pub async fn estimate(
        &self,
        config: &Json,
        call: Call,
        database: Box<dyn StepDatabase>,
    ) -> Result<Json, PluginError> {
        let step = self.step()?.clone();
        let given = config;
        let config = config.to_string();
        let limit = call
            .timeout
            .unwrap_or(self.sandbox().limits().estimate_timeout);
        let stop = call.stop.clone();
        let outgoing = self.outgoing("estimate", given, &call)?;
        let scope = Scope::step("estimate", Work::Read, call, Desk::new(database), outgoing);
        let text = guarded(self, scope, limit, &stop, move |store| {
            Box::pin(async move {
                let instance = step.instantiate_async(&mut *store).await?;
                instance
                    .whimbrel_step_step()
                    .call_estimate(store, &config)
                    .await
            })
        })
        .await?;
        self.json("estimate", &text)
    }

    /// Does the step, or goes on from its last checkpoint.
    ///
    /// Returns only when no statement of it runs any more and the database was dropped.
    ///
    /// # Errors
    /// The plugin can't, must stop, or misbehaves. What was committed stays; the rest is rolled back.
    pub async fn apply(
        &self,
        config: &Json,
        call: Call,
        database: Box<dyn StepDatabase>,
    ) -> Result<Outcome, PluginError> {
        self.work("apply", config, None, call, database).await
    }

    /// Undoes the step, with what its apply left; an empty `undo` means that the apply never came to its end.
    ///
    /// Returns only when no statement of it runs any more and the database was dropped.
    ///
    /// # Errors
    /// The plugin can't, must stop, or misbehaves. What was committed stays; the rest is rolled back.
    pub async fn revert(
        &self,
        config: &Json,
        undo: Vec<u8>,
        call: Call,
        database: Box<dyn StepDatabase>,
    ) -> Result<Outcome, PluginError> {
        self.work("revert", config, Some(undo), call, database)
            .await
    }

    async fn work(
        &self,
        function: &'static str,
        config: &Json,
        undo: Option<Vec<u8>>,
        call: Call,
        database: Box<dyn StepDatabase>,
    ) -> Result<Outcome, PluginError> {
        let step = self.step()?.clone();
        let given = config;
        let config = config.to_string();
        let limit = call.timeout.unwrap_or(self.sandbox().limits().call_timeout);
        let stop = call.stop.clone();
        let outgoing = self.outgoing(function, given, &call)?;
        let scope = Scope::step(function, Work::Write, call, Desk::new(database), outgoing);
        let (outcome, witnessed) = guarded(self, scope, limit, &stop, move |store| {
            Box::pin(async move {
                let instance = step.instantiate_async(&mut *store).await?;
                let exports = instance.whimbrel_step_step();
                let answer = match undo {
                    None => exports.call_apply(&mut *store, &config).await?,
                    Some(undo) => exports.call_revert(&mut *store, &config, &undo).await?,
                };
                Ok(answer.map(|outcome| (outcome, store.data().progress.witnessed)))
            })
        })
        .await?;
        self.outcome(function, outcome, witnessed)
    }

    /// Where this call's requests may go; nowhere without a grant.
    fn outgoing(
        &self,
        function: &'static str,
        config: &Json,
        call: &Call,
    ) -> Result<Option<Outgoing>, PluginError> {
        if self.grants().http.is_empty() {
            return Ok(None);
        }
        let outgoing = self.egress(Arc::clone(&call.materials));
        let outgoing = outgoing.and_then(|egress| Arc::new(egress).outgoing(config));
        outgoing.map(Some).map_err(|fault| PluginError::Fault {
            plugin: self.name().to_string(),
            function,
            fault: Box::new(fault),
        })
    }

    /// Checks an outcome before anything of it is kept.
    fn outcome(
        &self,
        function: &'static str,
        outcome: wit::Outcome,
        witnessed: u64,
    ) -> Result<Outcome, PluginError> {
        let limits = self.sandbox().limits();
        if i64::try_from(outcome.rows).is_err() {
            let reason = format!("it claims {} rows", outcome.rows);
            return Err(self.unusable(function, reason));
        }
        for (what, size, limit) in [
            ("summary", outcome.summary.len(), limits.summary_bytes),
            ("undo", outcome.undo.len(), limits.undo_bytes),
        ] {
            if size > limit {
                let reason = format!("its {what} has {size} bytes, at most {limit} are kept");
                return Err(self.unusable(function, reason));
            }
        }
        Ok(Outcome {
            rows: outcome.rows,
            witnessed,
            details: self.json(function, &outcome.details)?,
            summary: outcome.summary,
            undo: outcome.undo,
        })
    }

    pub(super) fn json(&self, function: &'static str, text: &str) -> Result<Json, PluginError> {
        let limit = self.sandbox().limits().details_bytes;
        if text.len() > limit {
            let reason = format!("{} bytes of JSON, at most {limit} are read", text.len());
            return Err(self.unusable(function, reason));
        }
        if text.is_empty() {
            return Ok(Json::Null);
        }
        serde_json::from_str(text)
            .map_err(|error| self.unusable(function, format!("no JSON: {error}")))
    }

    pub(super) fn unusable(&self, function: &'static str, reason: String) -> PluginError {
        PluginError::Answer {
            plugin: self.name().to_string(),
            function,
            reason,
        }
    }
}
