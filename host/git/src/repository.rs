//! A local repository: finding it, naming its revisions, and whether its work tree differs from them.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use git2::{ErrorCode, Oid, StatusOptions};
use whimbrel_core::lineage::Revision;

use crate::GitError;
use crate::listing::Folders;

/// A local Git repository, bare or with a work tree. Clones share one handle.
#[derive(Clone)]
pub struct Repository {
    handle: Arc<Mutex<git2::Repository>>,
    directory: PathBuf,
    work_tree: Option<PathBuf>,
    folders: Arc<Folders>,
}

impl Repository {
    /// The repository that a folder is in; none when it is in none.
    ///
    /// # Errors
    /// There is one, and it can't be opened.
    pub fn discover(folder: &Path) -> Result<Option<Self>, GitError> {
        match git2::Repository::discover(folder) {
            Ok(handle) => Ok(Some(Self::new(handle))),
            Err(error) if error.code() == ErrorCode::NotFound => Ok(None),
            Err(error) => Err(GitError::opening(folder, error)),
        }
    }

    /// The repository at exactly this folder, which is a work tree, a `.git` folder or a bare repository.
    ///
    /// # Errors
    /// There is none, or it can't be opened.
    pub fn open(folder: &Path) -> Result<Self, GitError> {
        git2::Repository::open(folder)
            .map(Self::new)
            .map_err(|error| GitError::opening(folder, error))
    }

    pub(crate) fn new(handle: git2::Repository) -> Self {
        Self {
            directory: handle.path().to_path_buf(),
            work_tree: handle.workdir().map(Path::to_path_buf),
            handle: Arc::new(Mutex::new(handle)),
            folders: Arc::default(),
        }
    }

    pub(crate) fn folders(&self) -> &Folders {
        &self.folders
    }

    /// The work tree's root; none when the repository is bare.
    #[must_use]
    pub fn work_tree(&self) -> Option<&Path> {
        self.work_tree.as_deref()
    }

    /// The folder that holds the repository's own data.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Where a folder lies in the repository: a path with `/` from its root, empty for the root itself. In a bare
    /// repository everything is counted from the root.
    ///
    /// # Errors
    /// The folder is outside the work tree, or isn't there.
    pub fn prefix(&self, folder: &Path) -> Result<String, GitError> {
        let Some(root) = &self.work_tree else {
            return Ok(String::new());
        };
        let outside = || GitError::Outside {
            folder: folder.to_path_buf(),
            repository: root.clone(),
        };
        // Both sides resolved, so that a symlink on the way (macOS's /tmp) is no difference.
        let root = root.canonicalize().map_err(|_| outside())?;
        let folder = folder.canonicalize().map_err(|_| outside())?;
        let relative = folder.strip_prefix(&root).map_err(|_| outside())?;
        let parts: Option<Vec<_>> = relative.iter().map(|part| part.to_str()).collect();
        Ok(parts.ok_or_else(outside)?.join("/"))
    }

    /// The commit that a branch, a tag, a commit id or an expression such as `HEAD~2` means. A name that only the
    /// remote `origin` has, as in a pipeline's checkout, is found there.
    ///
    /// # Errors
    /// There is none, or several.
    pub fn resolve(&self, reference: &str) -> Result<Revision, GitError> {
        let repository = self.lock();
        let remote = format!("refs/remotes/origin/{reference}");
        let found = match repository.revparse_single(reference) {
            Err(error) if error.code() == ErrorCode::NotFound => {
                repository.revparse_single(&remote)
            }
            other => other,
        };
        let commit = found.and_then(|object| object.peel_to_commit());
        match commit {
            Ok(commit) => Ok(Revision::commit(commit.id().to_string())),
            Err(error) if error.code() == ErrorCode::Ambiguous => {
                Err(GitError::Ambiguous(reference.to_owned()))
            }
            Err(_) => Err(GitError::UnknownReference {
                reference: reference.to_owned(),
                repository: self.directory.clone(),
            }),
        }
    }

    /// The commit that is checked out; none before the first one.
    ///
    /// # Errors
    /// The repository can't be read.
    pub fn head(&self) -> Result<Option<Revision>, GitError> {
        let repository = self.lock();
        let head = match repository.head() {
            Ok(head) => head,
            Err(error) if matches!(error.code(), ErrorCode::UnbornBranch | ErrorCode::NotFound) => {
                return Ok(None);
            }
            Err(source) => return Err(GitError::doing("reading HEAD")(source)),
        };
        let commit = head
            .peel_to_commit()
            .map_err(GitError::doing("reading HEAD"))?;
        Ok(Some(Revision::commit(commit.id().to_string())))
    }

    /// The branch that is checked out; none when HEAD is detached.
    #[must_use]
    pub fn branch(&self) -> Option<String> {
        let repository = self.lock();
        let head = repository.find_reference("HEAD").ok()?;
        let target = head.symbolic_target().ok().flatten()?;
        target.strip_prefix("refs/heads/").map(str::to_owned)
    }

    /// Whether the clone lacks old commits.
    #[must_use]
    pub fn is_shallow(&self) -> bool {
        self.lock().is_shallow()
    }

    /// Paths, from the repository's root, that differ between HEAD and the work tree: changed, staged, deleted, and
    /// untracked unless ignored. Looks at the given files and folders only, or at everything when none are given. Empty
    /// for a bare repository. Writes nothing, not even the index.
    ///
    /// # Errors
    /// The work tree can't be read.
    pub fn changes(&self, within: &[&str]) -> Result<Vec<String>, GitError> {
        if self.work_tree.is_none() {
            return Ok(Vec::new());
        }
        let mut options = StatusOptions::new();
        options
            .include_untracked(true)
            .recurse_untracked_dirs(true)
            .include_ignored(false)
            .exclude_submodules(true)
            .disable_pathspec_match(true)
            .update_index(false);
        for path in within {
            options.pathspec(path);
        }
        let repository = self.lock();
        let statuses = repository
            .statuses(Some(&mut options))
            .map_err(GitError::doing("comparing the work tree with HEAD"))?;
        Ok(statuses
            .iter()
            .map(|entry| String::from_utf8_lossy(entry.path_bytes()).into_owned())
            .collect())
    }

    /// Whether anything of these files and folders differs between HEAD and the work tree, as
    /// [`Repository::changes`] tells.
    ///
    /// # Errors
    /// The work tree can't be read.
    pub fn is_dirty(&self, within: &[&str]) -> Result<bool, GitError> {
        Ok(!self.changes(within)?.is_empty())
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, git2::Repository> {
        self.handle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn find_commit<'r>(
        repository: &'r git2::Repository,
        revision: &Revision,
    ) -> Result<git2::Commit<'r>, GitError> {
        Oid::from_str(&revision.commit)
            .and_then(|id| repository.find_commit(id))
            .map_err(|_| GitError::UnknownCommit {
                commit: revision.commit.clone(),
                shallow: repository.is_shallow(),
            })
    }
}

impl std::fmt::Debug for Repository {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Repository({})", self.directory.display())
    }
}
