//! The plugins that are attached to a process and not to a project: of a source, one reads what its Git host sends, one
//! shows results there; of a provider, each brings resources. They are whoever runs the process's, never of the repository.

use std::path::Path;
use std::sync::Arc;

use whimbrel_core::digest::Digest;
use whimbrel_core::fault::{Fault, FaultClass};
use whimbrel_core::git_source::{ReportSpec, WebhookSpec};
use whimbrel_core::name::{PluginName, SourceName};
use whimbrel_core::project::{PluginSource, PluginSpec};
use whimbrel_plugin::{
    Grants, Plugin, PluginError, Reporter, ReporterSettings, ResourceProvider, Sandbox,
    WebhookReceiver, WebhookSettings,
};
use whimbrel_signal::Scrubber;

use crate::SourceSecrets;
use crate::plugins::COMPONENT_SIZE;

/// What reads a source's deliveries. Secrets are read for each of them.
///
/// # Errors
/// The plugin can't be used.
pub async fn webhook_receiver(
    source: &SourceName,
    spec: &WebhookSpec,
    secrets: &SourceSecrets,
    sandbox: &Arc<Sandbox>,
) -> Result<WebhookReceiver, Fault> {
    let plugin = &spec.plugin;
    let plugin = admitted(&plugin.name, &plugin.spec, secrets.base(), sandbox).await?;
    let settings = WebhookSettings {
        name: source.to_string(),
        with: spec.with.clone(),
        secrets: spec.secrets.clone(),
        materials: secrets.materials(),
        log: None,
    };
    WebhookReceiver::new(plugin, settings)
}

/// What shows a source's results.
///
/// # Errors
/// The plugin can't be used.
pub async fn reporter(
    source: &SourceName,
    spec: &ReportSpec,
    secrets: &SourceSecrets,
    sandbox: &Arc<Sandbox>,
    scrubber: &Scrubber,
) -> Result<Reporter, Fault> {
    let plugin = &spec.plugin;
    let plugin = admitted(&plugin.name, &plugin.spec, secrets.base(), sandbox).await?;
    let settings = ReporterSettings {
        name: source.to_string(),
        with: spec.with.clone(),
        materials: secrets.materials(),
        scrubber: scrubber.clone(),
        log: None,
    };
    Reporter::new(plugin, settings)
}

/// What has resources for Terraform. Paths are counted from `base`.
///
/// # Errors
/// The plugin can't be used.
pub async fn resource_provider(
    name: &PluginName,
    spec: &PluginSpec,
    base: &Path,
    sandbox: &Arc<Sandbox>,
) -> Result<ResourceProvider, Fault> {
    let bytes = component(name, spec, base)?;
    let plugin = sandbox.admit(name, bytes, Grants::default()).await;
    let plugin = plugin.map_err(|error| match error {
        PluginError::Ungranted { needs, .. } => {
            let needs: Vec<_> = needs.iter().map(ToString::to_string).collect();
            refused(format!(
                "the plugin `{name}` needs {}: one of the world `resource-provider` can be granted nothing",
                needs.join(", ")
            ))
        }
        error => unfit(&error),
    })?;
    ResourceProvider::new(plugin)
}

async fn admitted(
    name: &PluginName,
    spec: &PluginSpec,
    base: &Path,
    sandbox: &Arc<Sandbox>,
) -> Result<Plugin, Fault> {
    let bytes = component(name, spec, base)?;
    let grants = Grants::of_project(&spec.grants, base);
    let plugin = sandbox.admit(name, bytes, grants).await;
    plugin.map_err(|error| unfit(&error))
}

/// The bytes of a plugin, if they are those that are pinned.
fn component(name: &PluginName, spec: &PluginSpec, base: &Path) -> Result<Vec<u8>, Fault> {
    let bytes = match &spec.source {
        PluginSource::Builtin(builtin) => whimbrel_plugin::builtin(builtin)
            .map(<[u8]>::to_vec)
            .ok_or_else(|| refused(format!("this binary has no plugin `{builtin}`")))?,
        PluginSource::Path(path) => {
            let read = read(&base.join(path));
            read.map_err(|error| refused(format!("the plugin `{name}`: {path}: {error}")))?
        }
    };
    let found = Digest::of(&bytes);
    if let Some(pinned) = spec.digest.filter(|pinned| *pinned != found) {
        let message = format!("the plugin `{name}` has the digest {found}, and {pinned} is pinned");
        return Err(refused(message));
    }
    Ok(bytes)
}

fn refused(message: String) -> Fault {
    Fault::new(FaultClass::Invalid, "plugin.unavailable", message)
}

fn unfit(error: &PluginError) -> Fault {
    let fault = refused(error.to_string());
    match error.hint() {
        Some(hint) => fault.with_hint(hint),
        None => fault,
    }
}

fn read(file: &Path) -> std::io::Result<Vec<u8>> {
    if std::fs::metadata(file)?.len() > COMPONENT_SIZE {
        return Err(std::io::Error::other("it is too large for a component"));
    }
    std::fs::read(file)
}
