//! Where a project is, whichever way it is reached.

use std::path::PathBuf;
use std::sync::Arc;

use whimbrel_config::WrittenTree;
use whimbrel_git::Repository;

use crate::{Location, OpenOptions, Opening, ProjectError, Remote};

/// Where a project is.
#[derive(Clone, Debug)]
pub enum Place {
    /// In a folder of this machine.
    Here(Location),
    /// In a repository elsewhere, which is fetched when the project is opened.
    Elsewhere {
        /// The repository.
        remote: Remote,
        /// What is read of it; what the environment follows, or else the default branch, if absent.
        reference: Option<String>,
    },
    /// In the mirror of a repository elsewhere, as it was fetched last: for a process that fetches when it wants to.
    Fetched {
        /// The repository.
        remote: Remote,
        /// Its mirror.
        repository: Repository,
        /// What is read of it, as above.
        reference: Option<String>,
    },
    /// In memory: of no repository.
    Written {
        /// The documents.
        tree: WrittenTree,
        /// The folder that relative paths are counted from.
        folder: PathBuf,
    },
}

impl Place {
    /// Finds the project, and reads its own document and its environments.
    ///
    /// # Errors
    /// As [`Opening::begin`]; a repository elsewhere can't be fetched.
    pub fn begin(&self, options: &OpenOptions) -> Result<Opening, ProjectError> {
        match self {
            Self::Here(location) => Opening::begin(location, options),
            Self::Elsewhere { remote, reference } => {
                let reference = reference.as_deref();
                let repository = remote.fetch(reference)?.repository;
                // What can't be made smaller now is there all the same, and the next time tries again.
                let _ = remote.mirror().tidy();
                Opening::begin_mirror(remote, repository, reference, options)
            }
            Self::Fetched {
                remote,
                repository,
                reference,
            } => Opening::begin_mirror(remote, repository.clone(), reference.as_deref(), options),
            Self::Written { tree, folder } => {
                Opening::begin_written(Arc::new(tree.clone()), folder, options)
            }
        }
    }
}

impl From<Location> for Place {
    fn from(location: Location) -> Self {
        Self::Here(location)
    }
}
