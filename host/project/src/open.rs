//! Opens a project: its definitions, and where in Git they come from.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use whimbrel_config::{DefinitionCache, Definitions, LoadOptions, SourceTree};
use whimbrel_core::environment::Environment;
use whimbrel_core::history::Owner;
use whimbrel_core::lineage::{AbsentRule, Revision};
use whimbrel_core::name::{DatabaseName, EnvironmentName, MigrationName};
use whimbrel_core::order;
use whimbrel_core::plan::DesiredMigration;
use whimbrel_core::project::Project;
use whimbrel_git::{Authorship, Repository, SigningKey};

use crate::control::Control;
use crate::{Location, Opening, ProjectError, Remote, Verification};

/// Who manages targets when nothing else is said.
const MANAGER: &str = "whimbrel";

/// How a project is opened.
#[derive(Clone, Debug, Default)]
pub struct OpenOptions {
    /// Where the project file, environments, plugins and grants are read from: what a pull request must not decide
    /// itself.
    pub control: Control,
    /// What a process that runs on has parsed before. Migrations of a commit that it knows aren't parsed again.
    pub cache: Option<DefinitionCache>,
    /// Which commits must be signed.
    pub verification: Verification,
    /// What signs the promotion records that are published.
    pub signing: Option<SigningKey>,
    /// What becomes of applied migrations that aren't defined.
    pub absent: AbsentRule,
}

/// A tree of files that can be shared between tasks.
pub(crate) type Tree = Arc<dyn SourceTree>;

/// A project with everything that it defines.
pub struct OpenProject {
    pub(crate) folder: PathBuf,
    pub(crate) remote: Option<Remote>,
    pub(crate) definitions: Definitions,
    pub(crate) desired: OnceLock<BTreeMap<DatabaseName, Arc<[DesiredMigration]>>>,
    pub(crate) tree: Tree,
    pub(crate) control: Tree,
    pub(crate) control_ref: Option<(String, Revision)>,
    pub(crate) repository: Option<Repository>,
    pub(crate) prefix: String,
    pub(crate) revision: Option<Revision>,
    pub(crate) is_revision: bool,
    /// The branch of a repository elsewhere that is read, where nothing else is named.
    pub(crate) followed: Option<String>,
    pub(crate) verification: Verification,
    pub(crate) signing: Option<SigningKey>,
    pub(crate) absent: AbsentRule,
}

impl OpenProject {
    /// Drops it at the end of a program, without giving back a thousand definitions piece by piece: the system takes the whole
    /// of them at once. Everything else is dropped: a key is wiped, a repository closed.
    pub fn leave(self) {
        std::mem::forget((self.definitions, self.desired));
    }

    /// Reads a project.
    ///
    /// # Errors
    /// The folder or revision isn't there, or the definitions are wrong: then everything that is wrong is told.
    pub fn open(location: &Location, options: &OpenOptions) -> Result<Self, ProjectError> {
        Opening::begin(location, options)?.finish()
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

    /// The repository elsewhere that it is a mirror of; none for a project of this machine.
    #[must_use]
    pub const fn remote(&self) -> Option<&Remote> {
        self.remote.as_ref()
    }

    /// The same project at another revision of its repository, with the control documents of that revision.
    ///
    /// # Errors
    /// There is no repository or no such revision, or its definitions are wrong.
    pub fn at(&self, reference: &str) -> Result<Self, ProjectError> {
        let options = OpenOptions::default();
        match (&self.remote, &self.repository) {
            (Some(remote), Some(repository)) => {
                Opening::begin_mirror(remote, repository.clone(), Some(reference), &options)?
                    .finish()
            }
            _ => Self::open(
                &Location {
                    folder: self.folder.clone(),
                    reference: Some(reference.to_owned()),
                },
                &options,
            ),
        }
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
        environment_of(&self.definitions.environments, name)
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
    #[must_use]
    pub fn desired(&self, database: &DatabaseName) -> Arc<[DesiredMigration]> {
        let all = self.desired.get_or_init(|| desired(&self.definitions));
        all.get(database).cloned().unwrap_or_default()
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

/// An environment by its name, or which names there are.
pub(crate) fn environment_of<'a>(
    environments: &'a BTreeMap<EnvironmentName, Environment>,
    name: &str,
) -> Result<&'a Environment, ProjectError> {
    environments
        .iter()
        .find(|(known, _)| known.as_str() == name)
        .map(|(_, environment)| environment)
        .ok_or_else(|| ProjectError::UnknownEnvironment {
            name: name.to_owned(),
            known: environments.keys().cloned().collect(),
        })
}

/// What the binary adds to what is read: its plugins, and its rules of lint.
#[must_use]
pub fn load_options() -> LoadOptions {
    LoadOptions {
        builtin_plugins: whimbrel_plugin::builtin_names()
            .into_iter()
            .map(str::to_owned)
            .collect(),
        lint_rules: crate::rules::settable,
    }
}

fn desired(definitions: &Definitions) -> BTreeMap<DatabaseName, Arc<[DesiredMigration]>> {
    let known: HashMap<_, _> = definitions
        .migrations
        .iter()
        .zip(&definitions.checksums)
        .map(|(migration, checksum)| (&migration.name, (migration, checksum)))
        .collect();
    let migrations = &definitions.migrations;
    // Loading has refused what has no order; by name is the order of what is left without dependencies.
    let ordered =
        order::order(migrations).unwrap_or_else(|_| migrations.iter().map(AsRef::as_ref).collect());
    let mut all: BTreeMap<DatabaseName, Vec<DesiredMigration>> = BTreeMap::new();
    for migration in ordered {
        // Loading has given each its checksum.
        let Some((migration, checksum)) = known.get(&migration.name) else {
            continue;
        };
        let item = DesiredMigration {
            migration: Arc::clone(migration),
            checksum: (*checksum).clone(),
        };
        match all.get_mut(&migration.database) {
            Some(database) => database.push(item),
            None => {
                all.insert(migration.database.clone(), vec![item]);
            }
        }
    }
    all.into_iter()
        .map(|(database, items)| (database, items.into()))
        .collect()
}
