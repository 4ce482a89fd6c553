//! The plugins of the provider: the one inside this binary, and those that a document names.

use std::path::Path;
use std::sync::Arc;

use whimbrel_config::{FILE_SIZE, Problems, ProviderDocument, read_provider};
use whimbrel_core::fault::{Fault, FaultClass};
use whimbrel_core::name::PluginName;
use whimbrel_core::project::{Grants, PluginSource, PluginSpec};
use whimbrel_plugin::{ResourceProvider, Sandbox};
use whimbrel_project::{load_options, resource_provider};

/// The name of the plugin with Whimbrel's own resources.
const OWN: &str = "terraform";

/// The plugins, the built-in one first. `file` is the document of others.
///
/// # Errors
/// One of them can't be used: a fault to be told to Terraform, which shows nothing of a provider that ends before it speaks.
pub(super) async fn load(
    file: Option<&Path>,
    sandbox: &Arc<Sandbox>,
) -> Result<Vec<ResourceProvider>, Fault> {
    let mut plugins = vec![own(sandbox).await?];
    let Some(file) = file else {
        return Ok(plugins);
    };
    let document = read(file)?;
    let folder = file.parent().unwrap_or_else(|| Path::new(""));
    for (name, spec) in &document.plugins {
        let plugin = resource_provider(name, spec, folder, sandbox).await;
        plugins.push(plugin.map_err(|fault| told(&document, name, fault))?);
    }
    Ok(plugins)
}

async fn own(sandbox: &Arc<Sandbox>) -> Result<ResourceProvider, Fault> {
    let invalid = |error: whimbrel_core::name::NameError| refused(error.to_string());
    let name: PluginName = OWN.parse().map_err(invalid)?;
    let spec = PluginSpec {
        source: PluginSource::Builtin(OWN.to_owned()),
        digest: None,
        grants: Grants::default(),
    };
    let plugin = resource_provider(&name, &spec, Path::new(""), sandbox).await;
    plugin.map_err(|fault| match fault.hint {
        Some(_) => fault,
        None => fault.with_hint(
            "`cargo xtask plugins` builds the plugins, and the next build takes them in",
        ),
    })
}

fn read(file: &Path) -> Result<ProviderDocument, Fault> {
    let shown = file.display().to_string();
    let unreadable = |why: String| refused(format!("{shown} can't be read: {why}"));
    let size = std::fs::metadata(file).map_err(|error| unreadable(error.to_string()))?;
    if size.len() > FILE_SIZE {
        return Err(unreadable("it is too large".to_owned()));
    }
    let bytes = std::fs::read(file).map_err(|error| unreadable(error.to_string()))?;
    read_provider(&shown, bytes, &load_options())
        .map_err(|problems| refused(problems.brief()).with_hint(problems.to_string()))
}

/// A fault of a plugin, where the document names it.
fn told(document: &ProviderDocument, name: &PluginName, fault: Fault) -> Fault {
    let problem = document.problem(name, &fault.message);
    let message = Problems::new(vec![problem]).brief();
    Fault { message, ..fault }
}

fn refused(message: String) -> Fault {
    Fault::new(FaultClass::Invalid, "provider.plugins", message)
}
