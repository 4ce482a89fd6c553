//! The files of a commit, read from the object database: nothing is checked out and no symlink is followed.

use std::path::Path;
use std::sync::{Arc, PoisonError};

use git2::{ErrorCode, FileMode, ObjectType, Oid};
use whimbrel_config::{Entry, EntryKind, Identified, SourceError, SourceTree};
use whimbrel_core::lineage::Revision;

use crate::listing::Listing;
use crate::{GitError, Repository};

/// A folder of a commit as the root of a tree of files.
#[derive(Clone, Debug)]
pub struct GitTree {
    repository: Repository,
    revision: Revision,
    root: Oid,
}

/// The most folders whose lists are kept: those of a handful of commits.
const FOLDERS: usize = 256;

impl Repository {
    /// The files below a folder of a commit; `prefix` is empty for the whole commit.
    ///
    /// # Errors
    /// The clone doesn't have the commit, or the commit doesn't have the folder.
    pub fn tree(&self, revision: &Revision, prefix: &str) -> Result<GitTree, GitError> {
        let prefix = prefix.trim_matches('/');
        let repository = self.lock();
        let commit = Self::find_commit(&repository, revision)?;
        let tree = commit
            .tree()
            .map_err(GitError::doing("reading the tree of a commit"))?;
        let root = if prefix.is_empty() {
            tree.id()
        } else {
            tree.get_path(Path::new(prefix))
                .ok()
                .filter(|entry| entry.kind() == Some(ObjectType::Tree))
                .ok_or_else(|| GitError::NoFolder {
                    path: prefix.to_owned(),
                    commit: revision.short(),
                })?
                .id()
        };
        Ok(GitTree {
            repository: self.clone(),
            revision: revision.clone(),
            root,
        })
    }
}

impl GitTree {
    /// The commit.
    #[must_use]
    pub const fn revision(&self) -> &Revision {
        &self.revision
    }

    /// The id of the root's object: equal ids mean equal files all the way down.
    #[must_use]
    pub fn object(&self) -> String {
        self.root.to_string()
    }

    /// What stands at a path. Every name on the way is looked at, so that a symlink is seen and not followed.
    fn find(&self, repository: &git2::Repository, path: &str) -> Result<(Oid, i32), SourceError> {
        let outside = |part: &str| matches!(part, "" | "." | "..") || part.contains(['\\', '\0']);
        let mut at = (self.root, i32::from(FileMode::Tree));
        if path.is_empty() {
            return Ok(at);
        }
        if path.split('/').any(outside) {
            return Err(SourceError::Outside(path.to_owned()));
        }
        let mut walked = String::new();
        for name in path.split('/') {
            if at.1 != i32::from(FileMode::Tree) {
                return Err(SourceError::Missing(path.to_owned()));
            }
            let listing = self.listing(repository, at.0).map_err(failed(path))?;
            at = match listing.get(name) {
                Some(entry) => entry,
                None => return Err(SourceError::Missing(path.to_owned())),
            };
            if !walked.is_empty() {
                walked.push('/');
            }
            walked.push_str(name);
            if at.1 == i32::from(FileMode::Link) {
                return Err(SourceError::Symlink(walked));
            }
        }
        Ok(at)
    }

    fn listing(
        &self,
        repository: &git2::Repository,
        folder: Oid,
    ) -> Result<Arc<Listing>, git2::Error> {
        let folders = self.repository.folders();
        let mut known = folders.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(listing) = known.get(&folder) {
            return Ok(Arc::clone(listing));
        }
        let tree = repository.find_tree(folder)?;
        let listing = Arc::new(Listing::of(&tree));
        if known.len() >= FOLDERS {
            known.clear();
        }
        known.insert(folder, Arc::clone(&listing));
        Ok(listing)
    }
}

impl GitTree {
    /// Everything in a folder.
    fn listed(&self, folder: &str) -> Result<Arc<Listing>, SourceError> {
        let repository = self.repository.lock();
        let (id, mode) = self.find(&repository, folder)?;
        if mode != i32::from(FileMode::Tree) {
            return Err(SourceError::Kind {
                path: folder.to_owned(),
                expected: "folder",
            });
        }
        let listing = self.listing(&repository, id).map_err(failed(folder))?;
        match listing.unreadable() {
            None => Ok(listing),
            Some(name) => Err(SourceError::Name {
                folder: folder.to_owned(),
                name: name.to_owned(),
            }),
        }
    }
}

impl SourceTree for GitTree {
    fn entries(&self, folder: &str) -> Result<Vec<Entry>, SourceError> {
        let listing = self.listed(folder)?;
        Ok(listing
            .iter()
            .map(|(name, _, mode)| entry(name, mode))
            .collect())
    }

    fn identified(&self, folder: &str) -> Result<Vec<Identified>, SourceError> {
        let listing = self.listed(folder)?;
        Ok(listing
            .iter()
            .map(|(name, id, mode)| (entry(name, mode), Some(identity(id, mode))))
            .collect())
    }

    fn read(&self, path: &str, limit: u64) -> Result<Vec<u8>, SourceError> {
        let repository = self.repository.lock();
        let (id, mode) = self.find(&repository, path)?;
        if kind(mode) != EntryKind::File {
            return Err(SourceError::Kind {
                path: path.to_owned(),
                expected: "file",
            });
        }
        let database = repository.odb().map_err(failed(path))?;
        let (size, _) = database.read_header(id).map_err(failed(path))?;
        if size as u64 > limit {
            return Err(SourceError::TooLarge {
                path: path.to_owned(),
                limit,
            });
        }
        let object = database.read(id).map_err(failed(path))?;
        Ok(object.data().to_vec())
    }

    fn identity(&self, path: &str) -> Option<String> {
        let repository = self.repository.lock();
        let (id, mode) = self.find(&repository, path).ok()?;
        Some(identity(id, mode))
    }
}

/// Of the mode as well: a link with the text of a file isn't that file.
fn identity(id: Oid, mode: i32) -> String {
    format!("{mode:o} {id}")
}

/// Sizes are looked at when a file is read, so that listing a folder looks at none of them.
fn entry(name: &str, mode: i32) -> Entry {
    Entry {
        name: name.to_owned(),
        kind: kind(mode),
        size: 0,
    }
}

fn kind(mode: i32) -> EntryKind {
    let is = |candidate: FileMode| mode == i32::from(candidate);
    if is(FileMode::Tree) {
        EntryKind::Folder
    } else if is(FileMode::Link) {
        EntryKind::Symlink
    } else if is(FileMode::Blob) || is(FileMode::BlobExecutable) || is(FileMode::BlobGroupWritable)
    {
        EntryKind::File
    } else {
        EntryKind::Other
    }
}

fn failed(path: &str) -> impl FnOnce(git2::Error) -> SourceError {
    move |error| {
        if error.code() == ErrorCode::NotFound {
            // A partial clone: the tree names an object that was never fetched.
            return SourceError::Missing(path.to_owned());
        }
        SourceError::Io {
            path: path.to_owned(),
            source: Box::new(error),
        }
    }
}
