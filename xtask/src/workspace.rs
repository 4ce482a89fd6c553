//! Where things are: the clone, the target folder, the cache that outlives clones.

use std::env;
use std::path::{Path, PathBuf};

use crate::failure::{Doing, Result};

/// The folders that xtask works with.
#[derive(Clone, Debug)]
pub struct Workspace {
    root: PathBuf,
    target: PathBuf,
    cache: PathBuf,
}

impl Workspace {
    /// Finds the clone that this xtask was started from.
    pub fn find() -> Result<Self> {
        let manifest = env::var_os("CARGO_MANIFEST_DIR")
            .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        let root = manifest
            .parent()
            .doing("xtask has no folder above it")?
            .to_path_buf();
        let target = match env::var_os("CARGO_TARGET_DIR") {
            Some(folder) => env::current_dir()
                .doing("reading the current folder")?
                .join(folder),
            None => root.join("target"),
        };
        let cache = match env::var_os("WHIMBREL_CACHE") {
            Some(folder) => PathBuf::from(folder),
            None => {
                PathBuf::from(env::var_os("HOME").doing("HOME isn't set")?).join(".cache/whimbrel")
            }
        };
        Ok(Self {
            root,
            target,
            cache,
        })
    }

    /// The clone.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Workspaces beside the root's: first-party plugins, and examples of third parties' plugins.
    pub fn guests(&self) -> [PathBuf; 3] {
        [
            "plugins",
            "examples/plugins/strongbox",
            "examples/plugins/lookup-table",
        ]
        .map(|folder| self.root.join(folder))
    }

    /// Cargo's target folder: `CARGO_TARGET_DIR`, else `target` in the clone.
    pub fn target(&self) -> &Path {
        &self.target
    }

    /// Where the components lie that the binary embeds.
    pub fn components(&self) -> PathBuf {
        self.target.join("components")
    }

    /// Where guests lie that only tests use: beside the components, as `plugins/build.sh` puts them.
    pub fn test_components(&self) -> PathBuf {
        self.target.join("test-components")
    }

    /// Tools that CI and the benchmark install, shared by clones: `bin/` is in it.
    pub fn tools(&self) -> PathBuf {
        self.cache.join("tools")
    }

    /// A guest toolchain for machines where rustup can't give the wasm target.
    pub fn guest_toolchain(&self) -> PathBuf {
        self.cache.join("guest-toolchain")
    }
}
