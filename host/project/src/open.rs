//! Opens a project: its definitions, and where in Git they come from.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use whimbrel_config::{Definitions, FolderTree, LoadOptions, SourceTree};
use whimbrel_core::definition::Migration;
use whimbrel_core::environment::Environment;
use whimbrel_core::history::Owner;
use whimbrel_core::lineage::Revision;
use whimbrel_core::name::{DatabaseName, EnvironmentName, MigrationName};
use whimbrel_core::order;
use whimbrel_core::plan::DesiredMigration;
use whimbrel_core::project::{PluginSource, Project};
use whimbrel_core::suggestion::nearest;
use whimbrel_git::{Authorship, Followed, Repository};

use crate::control::{self, Control, Controlling};
use crate::{Location, ProjectError};

/// The name of the project's own document.
const PROJECT_FILE: &str = "whimbrel.yaml";

/// Who manages targets when nothing else is said.
const MANAGER: &str = "whimbrel";

/// How a project is opened.
#[derive(Clone, Debug, Default)]
pub struct OpenOptions {
    /// Where the project file, environments, plugins and grants are read from: what a pull request must not decide
    /// itself.
    pub control: Control,
}

/// A tree of files that can be shared between tasks.
pub(crate) type Tree = Arc<dyn SourceTree + Send + Sync>;

/// A project with everything that it defines.
pub struct OpenProject {
    folder: PathBuf,
    definitions: Definitions,
    desired: OnceLock<BTreeMap<DatabaseName, Vec<DesiredMigration>>>,
    tree: Tree,
    control: Tree,
    control_ref: Option<(String, Revision)>,
    repository: Option<Repository>,
    prefix: String,
    revision: Option<Revision>,
    is_revision: bool,
}

impl OpenProject {
    /// Reads a project.
    ///
    /// # Errors
    /// The folder or revision isn't there, or the definitions are wrong: then everything that is wrong is told.
    pub fn open(location: &Location, options: &OpenOptions) -> Result<Self, ProjectError> {
        let folder = location.folder.as_path();
        if !folder.is_dir() {
            return Err(ProjectError::NoFolder(folder.to_path_buf()));
        }
        let repository = Repository::discover(folder)?;
        let bare = repository
            .as_ref()
            .is_some_and(|repository| repository.work_tree().is_none());
        let no_repository = |reference: &str| ProjectError::NoRepository {
            folder: folder.to_path_buf(),
            reference: reference.to_owned(),
        };
        let prefix = match &repository {
            Some(repository) => repository.prefix(folder)?,
            None => String::new(),
        };
        let at = |reference: &str| -> Result<(Tree, Revision), ProjectError> {
            let repository = repository
                .as_ref()
                .ok_or_else(|| no_repository(reference))?;
            let revision = repository.resolve(reference)?;
            let tree = repository.tree(&revision, &prefix)?;
            Ok((Arc::new(tree), revision))
        };
        let is_revision = location.reference.is_some() || bare;
        // A bare repository has no files, so its HEAD is meant.
        let reference = location.reference.as_deref().unwrap_or("HEAD");
        let (mut tree, mut revision): (Tree, Option<Revision>) = if is_revision {
            let (tree, revision) = at(reference)?;
            (tree, Some(revision))
        } else {
            let tree = FolderTree::open(folder).map_err(|source| ProjectError::Folder {
                folder: folder.to_path_buf(),
                source,
            })?;
            let head = repository.as_ref().map(Repository::head).transpose()?;
            (Arc::new(tree), head.flatten())
        };
        let controlling = match (&options.control, &repository) {
            (Control::AtHand, _) | (Control::Environment(_), None) => None,
            (Control::Ref(reference), None) => return Err(no_repository(reference)),
            (Control::Ref(reference), Some(repository)) => Some(
                Controlling::read(repository, &prefix, reference)?
                    .ok_or_else(|| ProjectError::NoControlRef(reference.clone()))?,
            ),
            (Control::Environment(name), Some(repository)) => {
                let reference = control::reference(repository, &prefix, &tree)?;
                let read = Controlling::read(repository, &prefix, &reference)?;
                let branch = read
                    .as_ref()
                    .and_then(|read| read.environment(name.as_deref())?.branch.clone());
                if let (Some(branch), None, true) = (&branch, &location.reference, bare) {
                    let followed = repository.follow(branch)?;
                    let newest = followed.as_ref().and_then(Followed::newest);
                    let (followed, commit) = at(newest.map_or(branch, |newest| &newest.commit))?;
                    (tree, revision) = (followed, Some(commit));
                }
                if is_revision {
                    Some(read.ok_or(ProjectError::NoControlRef(reference))?)
                } else {
                    read.filter(|_| branch.is_some())
                }
            }
        };
        let definitions = load(&*tree, controlling.as_ref().map(|read| &read.documents))?;
        if let (false, Some(revision), Some(repository)) = (is_revision, &mut revision, &repository)
        {
            let paths = definition_paths(&prefix, &definitions.project, controlling.is_some());
            let paths: Vec<_> = paths.iter().map(String::as_str).collect();
            revision.dirty = repository.is_dirty(&paths)?;
        }
        let control_ref = controlling
            .as_ref()
            .map(|read| (read.reference.clone(), read.revision.clone()));
        Ok(Self {
            folder: folder.to_path_buf(),
            definitions,
            desired: OnceLock::new(),
            control: controlling.map_or_else(|| Arc::clone(&tree), |read| read.tree),
            tree,
            control_ref,
            repository,
            prefix,
            revision,
            is_revision,
        })
    }

    /// The folder that relative paths of databases and secret files are counted from.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Everything that it defines.
    #[must_use]
    pub const fn definitions(&self) -> &Definitions {
        &self.definitions
    }

    /// The project's own document.
    #[must_use]
    pub const fn project(&self) -> &Project {
        &self.definitions.project
    }

    /// Its repository; none when it is in none.
    #[must_use]
    pub const fn repository(&self) -> Option<&Repository> {
        self.repository.as_ref()
    }

    /// The project's folder in the repository: a path with `/` from its root.
    #[must_use]
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The commit that the definitions are from, or that the work tree stands on, `dirty` when they differ from it.
    #[must_use]
    pub const fn revision(&self) -> Option<&Revision> {
        self.revision.as_ref()
    }

    /// Whether the definitions were read from a commit, not from a work tree.
    #[must_use]
    pub const fn is_revision(&self) -> bool {
        self.is_revision
    }

    /// The ref that project file, environments, plugins and grants are from, and its commit; none when they are from where
    /// the migrations are.
    #[must_use]
    pub const fn control_ref(&self) -> Option<&(String, Revision)> {
        self.control_ref.as_ref()
    }

    /// Who wrote and who made the commit at hand.
    ///
    /// # Errors
    /// The repository can't be read.
    pub fn authorship(&self) -> Result<Option<Authorship>, ProjectError> {
        let (Some(repository), Some(revision)) = (&self.repository, &self.revision) else {
            return Ok(None);
        };
        Ok(Some(repository.authorship(revision)?))
    }

    /// An environment by its name.
    ///
    /// # Errors
    /// There is none of that name.
    pub fn environment(&self, name: &str) -> Result<&Environment, ProjectError> {
        let environments = &self.definitions.environments;
        environments
            .iter()
            .find(|(known, _)| known.as_str() == name)
            .map(|(_, environment)| environment)
            .ok_or_else(|| ProjectError::UnknownEnvironment {
                name: name.to_owned(),
                known: environments.keys().cloned().collect(),
                nearest: nearest(name, environments.keys().map(EnvironmentName::as_str))
                    .map(str::to_owned),
            })
    }

    /// The names of the migrations that another revision defines: what `revert --to` leaves applied.
    ///
    /// # Errors
    /// There is no repository, or no such revision in it.
    pub fn names_at(&self, reference: &str) -> Result<BTreeSet<MigrationName>, ProjectError> {
        let Some(repository) = &self.repository else {
            return Err(ProjectError::NoRepository {
                folder: self.folder.clone(),
                reference: reference.to_owned(),
            });
        };
        let revision = repository.resolve(reference)?;
        let tree = repository.tree(&revision, &self.prefix)?;
        let names = crate::absence::names(&tree, &self.project().migrations);
        Ok(names.into_keys().collect())
    }

    /// Who a target of an environment belongs to.
    #[must_use]
    pub fn owner(&self, environment: &Environment) -> Owner {
        Owner {
            manager: MANAGER.to_owned(),
            project: self.project().name.clone(),
            environment: environment.name.clone(),
        }
    }

    /// The migrations of a database with their checksums, in the order in which they would be applied.
    ///
    /// # Errors
    /// A definition has no canonical form.
    pub fn desired(&self, database: &DatabaseName) -> Result<&[DesiredMigration], ProjectError> {
        let all = match self.desired.get() {
            Some(all) => all,
            None => {
                let all = desired(&self.definitions.migrations)?;
                self.desired.get_or_init(|| all)
            }
        };
        Ok(all.get(database).map(Vec::as_slice).unwrap_or_default())
    }

    /// The tree that the migrations are from.
    pub(crate) fn tree(&self) -> Tree {
        Arc::clone(&self.tree)
    }

    /// The tree that says what plugins are.
    pub(crate) fn control(&self) -> Tree {
        Arc::clone(&self.control)
    }
}

impl std::fmt::Debug for OpenProject {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("OpenProject")
            .field("folder", &self.folder)
            .field("revision", &self.revision)
            .finish_non_exhaustive()
    }
}

fn load(
    tree: &dyn SourceTree,
    control: Option<&whimbrel_config::Control>,
) -> Result<Definitions, ProjectError> {
    let loading = load_options();
    let Some(control) = control else {
        return whimbrel_config::load(tree, &loading).map_err(ProjectError::Definitions);
    };
    let (migrations, notices) = whimbrel_config::load_migrations(tree, control, &loading)
        .map_err(ProjectError::Definitions)?;
    Ok(Definitions::new(control.clone(), migrations, notices))
}

/// What the binary adds to a tree.
pub(crate) fn load_options() -> LoadOptions {
    LoadOptions {
        builtin_plugins: whimbrel_plugin::builtin_names()
            .into_iter()
            .map(str::to_owned)
            .collect(),
        lint_rules: crate::rules::settable(),
    }
}

fn desired(
    migrations: &[Migration],
) -> Result<BTreeMap<DatabaseName, Vec<DesiredMigration>>, ProjectError> {
    // Loading has refused what has no order; by name is the order of what is left without dependencies.
    let ordered = order::order(migrations).unwrap_or_else(|_| migrations.iter().collect());
    let mut all: BTreeMap<DatabaseName, Vec<DesiredMigration>> = BTreeMap::new();
    for migration in ordered {
        let checksum = migration
            .checksum()
            .map_err(|source| ProjectError::Canonical {
                migration: migration.name.clone(),
                source,
            })?;
        all.entry(migration.database.clone())
            .or_default()
            .push(DesiredMigration {
                migration: migration.clone(),
                checksum,
            });
    }
    Ok(all)
}

/// The files and folders of the repository that definitions are read from: a database file or a README beside them
/// makes nothing dirty, nor does what is read from a control ref.
fn definition_paths(prefix: &str, project: &Project, is_controlled: bool) -> Vec<String> {
    let plugins = project
        .plugins
        .values()
        .filter_map(|plugin| match &plugin.source {
            PluginSource::Path(file) => Some(file.as_str()),
            PluginSource::Builtin(_) => None,
        });
    let control = [PROJECT_FILE, &project.environments]
        .into_iter()
        .chain(plugins)
        .filter(|_| !is_controlled);
    [project.migrations.as_str()]
        .into_iter()
        .chain(control)
        .map(|path| {
            let path = path.trim_matches('/');
            if prefix.is_empty() {
                path.to_owned()
            } else {
                format!("{prefix}/{path}")
            }
        })
        .collect()
}
