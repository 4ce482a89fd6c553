//! `whimbrel plugin test` on a secret store: what can be tried without a secret.

use std::path::Path;
use std::sync::Arc;

use serde_json::Value as Json;
use whimbrel_core::fault::Fault;
use whimbrel_plugin::{Grants, NoMaterials, Plugin, SecretStore, StoreSettings, World};

use super::Component;
use super::test::passed;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::Output;

/// The plugin, if it is a secret store and no step.
pub(super) async fn as_store(component: &Component) -> Result<Option<Plugin>, CliError> {
    let granted = component.grants.clone().unwrap_or_default();
    let granted = Grants::of_project(&granted, Path::new("."));
    let admitted = whimbrel_engine::sandbox()?
        .admit(&component.name, component.bytes.clone(), granted)
        .await;
    let plugin = admitted.map_err(|error| CliError::new(Exit::Failed, error))?;
    let is_only = plugin.worlds().contains(&World::SecretStore)
        && !plugin.worlds().contains(&World::MigrationStep);
    Ok(is_only.then_some(plugin))
}

/// Reads its schema, gives it a configuration, and closes it, twice.
pub(super) async fn run(plugin: Plugin, with: Json, output: &Output) -> Result<Exit, CliError> {
    let settings = StoreSettings {
        name: plugin.name().to_string(),
        with,
        materials: Arc::new(NoMaterials),
        scrubber: output.scrubber().clone(),
        log: None,
    };
    let store = SecretStore::new(plugin, settings).map_err(failed)?;
    let schema = store.schema().await.map_err(failed)?;
    passed(output, "schema", &schema.to_string());
    store.rehearse().await.map_err(failed)?;
    passed(output, "configure and close", "done");
    store.rehearse().await.map_err(failed)?;
    passed(output, "close again", "nothing to do");
    Ok(Exit::Success)
}

fn failed(fault: Fault) -> CliError {
    let mut message = fault.to_string();
    if let Some(pointer) = &fault.pointer {
        message.push_str(&format!(", at `{pointer}` of the configuration"));
    }
    let error = CliError::failed(message);
    match fault.hint {
        Some(hint) => error.hint(hint),
        None => error,
    }
}
