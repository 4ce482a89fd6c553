//! The provider of Terraform: a file that says which plugins it has besides the built-in one. It belongs to whoever runs
//! Terraform; Terraform asks what there is before it says any configuration, so no block of its own can say it.

use std::collections::BTreeMap;

use serde::Deserialize;
use whimbrel_core::digest::Digest;
use whimbrel_core::name::PluginName;
use whimbrel_core::project::{Grants, PluginSource, PluginSpec};

use crate::check::Completeness;
use crate::document::{Document, Language, language};
use crate::files;
use crate::load::LoadOptions;
use crate::locate;
use crate::node::way;
use crate::problem::{Problem, Problems};
use crate::shape::Kind;

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Spec {
    plugins: BTreeMap<PluginName, Plugin>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Plugin {
    path: String,
    digest: Digest,
}

/// The plugins of a provider, and their document.
#[derive(Clone, Debug)]
pub struct ProviderDocument {
    /// Each by its name. A path is one of the host.
    pub plugins: BTreeMap<PluginName, PluginSpec>,
    document: Document,
}

impl ProviderDocument {
    /// A problem with a plugin, where it stands: what no document alone can say.
    #[must_use]
    pub fn problem(&self, plugin: &PluginName, message: &str) -> Problem {
        let pointer = format!("/plugins/{plugin}");
        locate::within(&self.document, way!["spec"], &pointer, message)
    }
}

/// Reads the document of a provider.
///
/// # Errors
/// Everything that is wrong with it.
pub fn read_provider(
    path: &str,
    bytes: Vec<u8>,
    options: &LoadOptions,
) -> Result<ProviderDocument, Problems> {
    let source = files::text(path, bytes).map_err(|problem| Problems::new(vec![problem]))?;
    let language = language(path).map_or(Language::Yaml, |(_, language)| language);
    let read = Document::read::<Spec>(source, language, Kind::Provider, Completeness::Whole);
    let (document, envelope) = read.map_err(Problems::new)?;
    let mut problems = Vec::new();
    let mut plugins = BTreeMap::new();
    for (name, plugin) in envelope.spec.plugins {
        if options.builtin_plugins.iter().any(|it| it == name.as_str()) {
            let way = way!["spec", "plugins", name.as_str()];
            let message = format!("`{name}` is the name of a built-in plugin");
            let problem = document.key_problem(&way, message);
            problem.expected("another name").push(&mut problems);
        }
        let spec = PluginSpec {
            source: PluginSource::Path(plugin.path),
            digest: Some(plugin.digest),
            grants: Grants::default(),
        };
        plugins.insert(name, spec);
    }
    if problems.is_empty() {
        Ok(ProviderDocument { plugins, document })
    } else {
        Err(Problems::new(problems))
    }
}
