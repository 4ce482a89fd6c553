//! A project that is being opened: project and environments first, so that databases can be asked for their histories
//! while the migrations are read.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use whimbrel_config::{
    Control as Documents, DefinitionCache, Definitions, FolderTree, load, load_control,
    load_migrations, load_migrations_again, load_own_migrations,
};
use whimbrel_core::environment::Environment;
use whimbrel_core::lineage::{AbsentRule, Revision};
use whimbrel_core::project::{PluginSource, Project};
use whimbrel_git::{Followed, GitError, RemoteError, Repository, SigningKey};

use crate::control::{self, Control, Controlling};
use crate::open::{Tree, environment_of, load_options};
use crate::verification::Opened;
use crate::{Location, OpenOptions, OpenProject, ProjectError, Remote, Verification};

/// The name of the project's own document.
const PROJECT_FILE: &str = "whimbrel.yaml";

/// A project of which the migrations are still to be read.
pub struct Opening {
    folder: PathBuf,
    remote: Option<Remote>,
    tree: Tree,
    /// Where project and environments are read from; none when that is the same tree.
    controlling: Option<Controlling>,
    documents: Documents,
    repository: Option<Repository>,
    prefix: String,
    revision: Option<Revision>,
    is_revision: bool,
    /// The branch of a repository elsewhere that is read, where nothing else is named.
    followed: Option<String>,
    cache: Option<DefinitionCache>,
    verification: Verification,
    signing: Option<SigningKey>,
    absent: AbsentRule,
}

/// Where a project is opened from.
struct Origin {
    folder: PathBuf,
    repository: Option<Repository>,
    prefix: String,
    remote: Option<Remote>,
    followed: Option<String>,
    /// The documents, where they are in no folder.
    written: Option<Tree>,
}

impl Opening {
    /// Finds the project, and reads its own document and its environments.
    ///
    /// # Errors
    /// The folder or revision isn't there, or the definitions are wrong: then everything that is wrong is told, also in
    /// the migrations.
    pub fn begin(location: &Location, options: &OpenOptions) -> Result<Self, ProjectError> {
        let folder = location.folder.as_path();
        if !folder.is_dir() {
            return Err(ProjectError::NoFolder(folder.to_path_buf()));
        }
        let repository = Repository::discover(folder)?;
        let prefix = match &repository {
            Some(repository) => repository.prefix(folder)?,
            None => String::new(),
        };
        let from = Origin {
            folder: folder.to_path_buf(),
            repository,
            prefix,
            remote: None,
            // Whose folder it is may rewrite its branches.
            followed: None,
            written: None,
        };
        Self::of(from, location.reference.as_deref(), options)
    }

    /// The same of a repository elsewhere, from its mirror as it is now. `said` is a branch, a pattern of tags, a
    /// tag, a commit or a whole ref; what the environment follows, or else the default branch, if absent.
    ///
    /// # Errors
    /// As [`Opening::begin`].
    pub fn begin_mirror(
        remote: &Remote,
        repository: Repository,
        said: Option<&str>,
        options: &OpenOptions,
    ) -> Result<Self, ProjectError> {
        // A branch goes before a tag of its name, so that nobody can take its place by pushing one.
        let followed = said.map(|name| repository.follow(name)).transpose()?;
        let followed = followed.flatten();
        let commit = followed.as_ref().and_then(Followed::newest);
        let reference = commit.map(|revision| revision.commit.clone());
        let reference = match (reference, said) {
            (None, Some(said)) => match repository.resolve(said) {
                Ok(revision) => Some(revision.commit),
                Err(GitError::UnknownReference { reference, .. }) => {
                    let address = remote.mirror().address().clone();
                    return Err(RemoteError::NoReference { address, reference }.into());
                }
                Err(error) => return Err(error.into()),
            },
            (reference, _) => reference,
        };
        let branch = match (said, &followed) {
            (Some(name), Some(Followed::Branch(_))) => Some(name.to_owned()),
            (Some(name), None) => name.strip_prefix("refs/heads/").map(str::to_owned),
            (Some(_), Some(_)) => None,
            (None, _) => repository.default_branch(),
        };
        let from = Origin {
            folder: remote.folder().to_path_buf(),
            repository: Some(repository),
            prefix: remote.prefix().to_owned(),
            remote: Some(remote.clone()),
            followed: branch,
            written: None,
        };
        Self::of(from, reference.as_deref(), options)
    }

    /// The same of documents in no folder, and so of no repository. Relative paths are counted from `folder`.
    ///
    /// # Errors
    /// As [`Opening::begin`].
    pub(crate) fn begin_written(
        tree: Tree,
        folder: &Path,
        options: &OpenOptions,
    ) -> Result<Self, ProjectError> {
        let from = Origin {
            folder: folder.to_path_buf(),
            repository: None,
            prefix: String::new(),
            remote: None,
            followed: None,
            written: Some(tree),
        };
        Self::of(from, None, options)
    }

    fn of(
        from: Origin,
        reference: Option<&str>,
        options: &OpenOptions,
    ) -> Result<Self, ProjectError> {
        let Origin {
            folder,
            repository,
            prefix,
            remote,
            followed,
            written,
        } = from;
        let said = reference;
        let bare = repository
            .as_ref()
            .is_some_and(|repository| repository.work_tree().is_none());
        let no_repository = |reference: &str| ProjectError::NoRepository {
            folder: folder.clone(),
            reference: reference.to_owned(),
        };
        let at = |reference: &str| -> Result<(Tree, Revision), ProjectError> {
            let repository = repository
                .as_ref()
                .ok_or_else(|| no_repository(reference))?;
            let revision = repository.resolve(reference)?;
            let tree = repository.tree(&revision, &prefix)?;
            Ok((Arc::new(tree), revision))
        };
        let is_revision = said.is_some() || bare;
        // A bare repository has no files, so its HEAD is meant.
        let reference = said.unwrap_or("HEAD");
        let (mut tree, mut revision): (Tree, Option<Revision>) = if is_revision {
            let (tree, revision) = at(reference)?;
            (tree, Some(revision))
        } else {
            let here = || -> Result<Tree, ProjectError> {
                let tree = FolderTree::open(&folder).map_err(|source| ProjectError::Folder {
                    folder: folder.clone(),
                    source,
                })?;
                Ok(Arc::new(tree))
            };
            let head = repository.as_ref().map(Repository::head).transpose()?;
            (written.map_or_else(here, Ok)?, head.flatten())
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
                if let (Some(branch), None, true) = (&branch, said, bare) {
                    let found = repository.follow(branch)?;
                    let newest = found.as_ref().and_then(Followed::newest);
                    let (of_branch, commit) = at(newest.map_or(branch, |newest| &newest.commit))?;
                    (tree, revision) = (of_branch, Some(commit));
                }
                if is_revision {
                    Some(read.ok_or(ProjectError::NoControlRef(reference))?)
                } else {
                    read.filter(|_| branch.is_some())
                }
            }
        };
        let documents = match &controlling {
            Some(read) => read.documents.clone(),
            None => match load_control(&*tree, &load_options()) {
                Ok(documents) => documents,
                // All of the tree's problems at once; if none is left, somebody has repaired it in this moment.
                Err(problems) => {
                    let all = load(&*tree, &load_options()).err();
                    return Err(ProjectError::Definitions(all.unwrap_or(problems)));
                }
            },
        };
        let path = join(&prefix, &documents.project.migrations);
        options.verification.check(&Opened {
            repository: repository.as_ref(),
            head: revision.as_ref().filter(|_| is_revision),
            control: controlling.as_ref().map(|read| &read.revision),
            migrations: &path,
        })?;
        Ok(Self {
            folder,
            remote,
            tree,
            controlling,
            documents,
            repository,
            prefix,
            revision,
            is_revision,
            followed,
            cache: options.cache.clone(),
            verification: options.verification.clone(),
            signing: options.signing.clone(),
            absent: options.absent,
        })
    }

    /// The folder that relative paths of databases and secret files are counted from.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What the project's own document and its environments say.
    #[must_use]
    pub const fn documents(&self) -> &Documents {
        &self.documents
    }

    pub(crate) const fn documents_mut(&mut self) -> &mut Documents {
        &mut self.documents
    }

    /// The commit that the migrations are from, or that the work tree stands on.
    #[must_use]
    pub const fn revision(&self) -> Option<&Revision> {
        self.revision.as_ref()
    }

    /// The commit that project file and environments are from, where that is another one.
    #[must_use]
    pub fn control_revision(&self) -> Option<&Revision> {
        self.controlling.as_ref().map(|read| &read.revision)
    }

    /// The ref that project file and environments are from, where that is said.
    #[must_use]
    pub fn control_reference(&self) -> Option<&str> {
        self.controlling
            .as_ref()
            .map(|read| read.reference.as_str())
    }

    /// Whether everything is read from commits: the same commits then say the same.
    #[must_use]
    pub const fn is_revision(&self) -> bool {
        self.is_revision
    }

    /// The tree that the project's own document and its plugins are read from.
    pub(crate) fn control(&self) -> Tree {
        let controlling = self.controlling.as_ref();
        Arc::clone(controlling.map_or(&self.tree, |read| &read.tree))
    }

    /// An environment by its name.
    ///
    /// # Errors
    /// There is none of that name.
    pub fn environment(&self, name: &str) -> Result<&Environment, ProjectError> {
        environment_of(&self.documents.environments, name)
    }

    /// Reads the migrations.
    ///
    /// # Errors
    /// They are wrong: then everything that is wrong is told.
    pub fn finish(mut self) -> Result<OpenProject, ProjectError> {
        let own = self.controlling.is_none();
        let (tree, documents, options) = (&*self.tree, &self.documents, load_options());
        let migrations = match (&self.cache, own) {
            (Some(cache), own) => load_migrations_again(tree, documents, own, &options, cache),
            (None, true) => load_own_migrations(tree, documents, &options),
            (None, false) => load_migrations(tree, documents, &options),
        };
        let migrations = migrations.map_err(ProjectError::Definitions)?;
        let definitions = Definitions::new(self.documents, migrations);
        if let (false, Some(revision), Some(repository)) =
            (self.is_revision, &mut self.revision, &self.repository)
        {
            let is_controlled = self.controlling.is_some();
            let paths = definition_paths(&self.prefix, &definitions.project, is_controlled);
            let paths: Vec<_> = paths.iter().map(String::as_str).collect();
            revision.dirty = repository.is_dirty(&paths)?;
        }
        let control_ref = self
            .controlling
            .as_ref()
            .map(|read| (read.reference.clone(), read.revision.clone()));
        let control = self.controlling.map(|read| read.tree);
        Ok(OpenProject {
            folder: self.folder,
            remote: self.remote,
            definitions,
            desired: OnceLock::new(),
            control: control.unwrap_or_else(|| Arc::clone(&self.tree)),
            tree: self.tree,
            control_ref,
            repository: self.repository,
            prefix: self.prefix,
            revision: self.revision,
            is_revision: self.is_revision,
            followed: self.followed,
            verification: self.verification,
            signing: self.signing,
            absent: self.absent,
        })
    }
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
        .map(|path| join(prefix, path))
        .collect()
}

/// A path of the project as one of the repository.
fn join(prefix: &str, path: &str) -> String {
    let path = path.trim_matches('/');
    if prefix.is_empty() {
        path.to_owned()
    } else {
        format!("{prefix}/{path}")
    }
}
