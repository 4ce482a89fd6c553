//! The plugins of a project, each found, checked against its pin and admitted once, when it is first needed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::Mutex;
use whimbrel_config::SourceError;
use whimbrel_core::digest::Digest;
use whimbrel_core::name::PluginName;
use whimbrel_core::project::{PluginSource, PluginSpec, Project};
use whimbrel_core::suggestion::nearest;
use whimbrel_plugin::{Grants, Plugin, PluginError, Sandbox};
use whimbrel_signal::metric::Meter;

use crate::open::Tree;
use crate::{OpenProject, Opening};

/// The largest component that is read from a project, in bytes: Python's has 18 MB, and each call's limits are apart.
pub(crate) const COMPONENT_SIZE: u64 = 128 << 20;

/// A plugin can't be used.
#[derive(Debug, thiserror::Error)]
pub enum PluginUnavailable {
    /// Neither the project nor the binary has one of that name.
    #[error("there is no plugin called `{name}`")]
    Unknown {
        /// What was asked for.
        name: PluginName,
        /// The most similar one.
        nearest: Option<String>,
    },
    /// The project names a built-in one that this binary doesn't have.
    #[error(
        "the plugin `{name}` should be the built-in `{builtin}`, which this binary doesn't have"
    )]
    NotBuiltIn {
        /// What was asked for.
        name: PluginName,
        /// The built-in name.
        builtin: String,
    },
    /// It isn't the component that was pinned.
    #[error("the plugin `{name}` has the digest {found}, and whimbrel.yaml pins {pinned}")]
    Digest {
        /// What was asked for.
        name: PluginName,
        /// What is pinned.
        pinned: Digest,
        /// What is there.
        found: Digest,
    },
    /// Its file can't be read.
    #[error("the plugin `{name}`: {source}")]
    Source {
        /// What was asked for.
        name: PluginName,
        /// Why.
        #[source]
        source: SourceError,
    },
    /// The sandbox refuses it.
    #[error(transparent)]
    Refused(#[from] PluginError),
}

impl PluginUnavailable {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Unknown {
                nearest: Some(name),
                ..
            } => Some(format!("did you mean `{name}`?")),
            Self::Unknown { name, .. } => Some(format!(
                "name it under `plugins:` in whimbrel.yaml, or build a binary that has `{name}`"
            )),
            Self::NotBuiltIn { .. } => Some(
                "`cargo xtask plugins` builds the first-party plugins; then build the binary again"
                    .to_owned(),
            ),
            Self::Digest { found, .. } => Some(format!(
                "if the new component was looked at and is wanted, pin it: `digest: {found}`"
            )),
            Self::Source { .. } => None,
            Self::Refused(error) => error.hint(),
        }
    }
}

impl OpenProject {
    /// The component in a file that the project's document names, from where that document is.
    ///
    /// # Errors
    /// It can't be read.
    pub fn component(&self, path: &str) -> Result<Vec<u8>, SourceError> {
        self.control().read(path, COMPONENT_SIZE)
    }
}

impl From<PluginUnavailable> for PluginError {
    fn from(error: PluginUnavailable) -> Self {
        match error {
            PluginUnavailable::Refused(error) => error,
            other => Self::Engine(other.to_string()),
        }
    }
}

/// The plugins of a project.
pub struct Plugins {
    sandbox: Arc<Sandbox>,
    project: Project,
    tree: Tree,
    base: PathBuf,
    admitted: Mutex<BTreeMap<PluginName, Plugin>>,
}

impl Plugins {
    /// The plugins that a project names, and the built-in ones. Nothing is read until one is asked for.
    #[must_use]
    pub fn new(project: &OpenProject, sandbox: Arc<Sandbox>) -> Self {
        Self {
            sandbox,
            project: project.project().clone(),
            tree: project.control(),
            base: project.folder().to_path_buf(),
            admitted: Mutex::default(),
        }
    }

    /// The same of a project that is being opened.
    #[must_use]
    pub fn of_opening(opening: &Opening, sandbox: Arc<Sandbox>) -> Self {
        Self {
            sandbox,
            project: opening.documents().project.clone(),
            tree: opening.control(),
            base: opening.folder().to_path_buf(),
            admitted: Mutex::default(),
        }
    }

    /// Counts what is done with plugins and secrets, if anybody wants to know.
    #[must_use]
    pub fn meter(&self) -> Option<&Meter> {
        self.sandbox.meter()
    }

    /// The project's own document.
    pub(crate) const fn project(&self) -> &Project {
        &self.project
    }

    /// The tree that the project's document, its environments and its plugins are read from.
    pub(crate) const fn tree(&self) -> &Tree {
        &self.tree
    }

    /// The folder that relative paths are counted from.
    pub(crate) fn base(&self) -> &Path {
        &self.base
    }

    /// The admitted plugin of a name.
    ///
    /// # Errors
    /// See [`PluginUnavailable`].
    pub async fn plugin(&self, name: &PluginName) -> Result<Plugin, PluginUnavailable> {
        // Held while admitting, so that a hundred targets compile a component once.
        let mut admitted = self.admitted.lock().await;
        if let Some(plugin) = admitted.get(name) {
            return Ok(plugin.clone());
        }
        let spec = self.project.plugins.get(name);
        let bytes = self.bytes(name, spec)?;
        if let Some(pinned) = spec.and_then(|spec| spec.digest) {
            let found = Digest::of(&bytes);
            if found != pinned {
                return Err(PluginUnavailable::Digest {
                    name: name.clone(),
                    pinned,
                    found,
                });
            }
        }
        let granted = spec.map(|spec| spec.grants.clone()).unwrap_or_default();
        let granted = Grants::of_project(&granted, &self.base);
        let plugin = self.sandbox.admit(name, bytes, granted).await?;
        admitted.insert(name.clone(), plugin.clone());
        Ok(plugin)
    }

    /// The names that can be asked for, the project's and the binary's.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        let builtin = whimbrel_plugin::builtin_names();
        let mut names: Vec<String> = builtin.into_iter().map(str::to_owned).collect();
        names.extend(self.project.plugins.keys().map(ToString::to_string));
        names.sort();
        names.dedup();
        names
    }

    fn bytes(
        &self,
        name: &PluginName,
        spec: Option<&PluginSpec>,
    ) -> Result<Vec<u8>, PluginUnavailable> {
        match spec.map(|spec| &spec.source) {
            Some(PluginSource::Path(path)) => {
                let read = self.tree.read(path, COMPONENT_SIZE);
                read.map_err(|source| PluginUnavailable::Source {
                    name: name.clone(),
                    source,
                })
            }
            Some(PluginSource::Builtin(builtin)) => match whimbrel_plugin::builtin(builtin) {
                Some(bytes) => Ok(bytes.to_vec()),
                None => Err(PluginUnavailable::NotBuiltIn {
                    name: name.clone(),
                    builtin: builtin.clone(),
                }),
            },
            None => match whimbrel_plugin::builtin(name.as_str()) {
                Some(bytes) => Ok(bytes.to_vec()),
                None => {
                    let names = self.names();
                    let nearest = nearest(name.as_str(), names.iter().map(String::as_str));
                    Err(PluginUnavailable::Unknown {
                        name: name.clone(),
                        nearest: nearest.map(str::to_owned),
                    })
                }
            },
        }
    }
}
