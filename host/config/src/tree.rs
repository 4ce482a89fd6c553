//! The files that documents are read from: a folder here, a Git tree elsewhere.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::sync::{Arc, Mutex, PoisonError};

use cap_fs_ext::{DirExt, FollowSymlinks, OpenOptionsFollowExt, OpenOptionsSyncExt};
use cap_std::ambient_authority;
use cap_std::fs::{Dir, Metadata, OpenOptions};

use crate::files::join;

/// Files by path from the project's root, `/` between names, the root itself being the empty path. Many are read at once.
pub trait SourceTree: Send + Sync {
    /// What is directly in a folder, in no particular order.
    ///
    /// # Errors
    /// The folder isn't there, is no folder, or can't be read.
    fn entries(&self, folder: &str) -> Result<Vec<Entry>, SourceError>;

    /// The bytes of a file of at most `limit` bytes. Never follows a symbolic link.
    ///
    /// # Errors
    /// The file isn't there, is no regular file, is larger, or can't be read.
    fn read(&self, path: &str, limit: u64) -> Result<Vec<u8>, SourceError>;

    /// What names the bytes of a file, or everything in a folder: equal names mean equal bytes. None where nothing is,
    /// or where only reading would tell.
    fn identity(&self, path: &str) -> Option<String> {
        let _ = path;
        None
    }

    /// What is directly in a folder, each with its identity: for who wants those of ten thousand files.
    ///
    /// # Errors
    /// As [`SourceTree::entries`].
    fn identified(&self, folder: &str) -> Result<Vec<Identified>, SourceError> {
        let identified = |entry: Entry| {
            let identity = self.identity(&join(folder, &entry.name));
            (entry, identity)
        };
        Ok(self.entries(folder)?.into_iter().map(identified).collect())
    }
}

/// Something in a folder, with its identity where the tree says one.
pub type Identified = (Entry, Option<String>);

/// Something in a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name, without the folder.
    pub name: String,
    /// What it is.
    pub kind: EntryKind,
    /// Its size in bytes, of a file; 0 where finding it out would cost a look at each file.
    pub size: u64,
}

/// What something in a folder is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryKind {
    /// A regular file.
    File,
    /// A folder.
    Folder,
    /// A symbolic link, whatever it points to.
    Symlink,
    /// A device, a socket, a submodule.
    Other,
}

/// Something can't be read from a tree.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// Nothing is there.
    #[error("`{0}` doesn't exist")]
    Missing(String),
    /// It, or a folder on the way to it, is a symbolic link.
    #[error("`{0}` is a symbolic link, and those are not followed")]
    Symlink(String),
    /// Not a regular file where one was asked for, or not a folder.
    #[error("`{path}` is no {expected}")]
    Kind {
        /// The path that was asked for.
        path: String,
        /// `file` or `folder`.
        expected: &'static str,
    },
    /// An absolute path, or one with `..`, `.`, an empty part or a backslash.
    #[error("`{0}` leads out of the project")]
    Outside(String),
    /// Larger than was allowed.
    #[error("`{path}` has more than {limit} bytes")]
    TooLarge {
        /// The path that was asked for.
        path: String,
        /// How many bytes were allowed.
        limit: u64,
    },
    /// A name that isn't UTF-8.
    #[error("`{folder}` holds a name that is not UTF-8: `{name}`")]
    Name {
        /// The folder.
        folder: String,
        /// The name, as far as it can be read.
        name: String,
    },
    /// The operating system, or the Git repository, said no.
    #[error("can't read `{path}`")]
    Io {
        /// The path that was asked for.
        path: String,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// Whether a path stays inside the tree by its form alone: relative, `/` between names, no `.`, `..` or empty part.
///
/// # Errors
/// [`SourceError::Outside`].
pub fn check_path(path: &str) -> Result<(), SourceError> {
    let bad = |part: &str| {
        matches!(part, "" | "." | "..") || part.contains(['\\', '\0']) || part.ends_with(':')
    };
    if !path.is_empty() && path.split('/').any(bad) {
        return Err(SourceError::Outside(path.to_owned()));
    }
    Ok(())
}

/// A folder of this machine. What it opens stays inside, whatever a link says.
#[derive(Debug)]
pub struct FolderTree {
    root: Dir,
    /// Folders that were opened, each without a link on its path: most files share a few of them.
    folders: Mutex<BTreeMap<String, Arc<Dir>>>,
}

impl FolderTree {
    /// Opens the folder that is the project's root.
    ///
    /// # Errors
    /// It can't be opened.
    pub fn open(path: impl AsRef<std::path::Path>) -> io::Result<Self> {
        Ok(Self {
            root: Dir::open_ambient_dir(path, ambient_authority())?,
            folders: Mutex::default(),
        })
    }

    /// The folder of a path, opened part by part, so that no part is a link.
    fn folder(&self, path: &str) -> Result<Arc<Dir>, SourceError> {
        check_path(path)?;
        let known = |poisoned: PoisonError<_>| poisoned.into_inner();
        if let Some(folder) = self.folders.lock().unwrap_or_else(known).get(path) {
            return Ok(Arc::clone(folder));
        }
        let (parent, name) = path.rsplit_once('/').unwrap_or(("", path));
        let folder = if path.is_empty() {
            self.root.try_clone()
        } else if parent.is_empty() {
            self.root.open_dir_nofollow(name)
        } else {
            self.folder(parent)?.open_dir_nofollow(name)
        };
        let folder = Arc::new(folder.map_err(|error| self.refused(path, "folder", error))?);
        let mut folders = self.folders.lock().unwrap_or_else(PoisonError::into_inner);
        folders.insert(path.to_owned(), Arc::clone(&folder));
        Ok(folder)
    }

    /// Says why something couldn't be opened without following links.
    fn refused(&self, path: &str, expected: &'static str, error: io::Error) -> SourceError {
        match self.root.symlink_metadata(path) {
            Ok(metadata) if metadata.is_symlink() => SourceError::Symlink(path.to_owned()),
            Ok(metadata) if is_no(expected, &metadata) => SourceError::Kind {
                path: path.to_owned(),
                expected,
            },
            _ => failed(path, error),
        }
    }
}

impl SourceTree for FolderTree {
    fn entries(&self, folder: &str) -> Result<Vec<Entry>, SourceError> {
        let listing = self.folder(folder)?.entries();
        let mut entries = Vec::new();
        for entry in listing.map_err(|error| failed(folder, error))? {
            let entry = entry.map_err(|error| failed(folder, error))?;
            let name = entry.file_name().into_string();
            let name = name.map_err(|name| SourceError::Name {
                folder: folder.to_owned(),
                name: name.to_string_lossy().into_owned(),
            })?;
            let kind = entry.file_type().map_err(|error| failed(&name, error))?;
            let kind = if kind.is_symlink() {
                EntryKind::Symlink
            } else if kind.is_dir() {
                EntryKind::Folder
            } else if kind.is_file() {
                EntryKind::File
            } else {
                EntryKind::Other
            };
            entries.push(Entry {
                name,
                kind,
                size: 0,
            });
        }
        Ok(entries)
    }

    fn read(&self, path: &str, limit: u64) -> Result<Vec<u8>, SourceError> {
        check_path(path)?;
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        let mut options = OpenOptions::new();
        // Without waiting: a named pipe would wait for its other end.
        options.read(true).follow(FollowSymlinks::No).nonblock(true);
        let opened = self.folder(folder)?.open_with(name, &options);
        let file = opened.map_err(|error| self.refused(path, "file", error))?;
        let io = |error| failed(path, error);
        let metadata = file.metadata().map_err(io)?;
        if !metadata.is_file() {
            return Err(SourceError::Kind {
                path: path.to_owned(),
                expected: "file",
            });
        }
        let too_large = || SourceError::TooLarge {
            path: path.to_owned(),
            limit,
        };
        if metadata.len() > limit {
            return Err(too_large());
        }
        let length = usize::try_from(metadata.len()).unwrap_or_default();
        let mut bytes = vec![0; length + 1];
        // A regular file gives less than was asked for only at its end, so most need no second read.
        let first = (&file).read(&mut bytes).map_err(io)?;
        bytes.truncate(first);
        if first > length {
            // It has grown since it was asked for its size, which is bounded again.
            let mut bounded = file.take(limit.saturating_add(1).saturating_sub(first as u64));
            bounded.read_to_end(&mut bytes).map_err(io)?;
        }
        if bytes.len() as u64 > limit {
            return Err(too_large());
        }
        Ok(bytes)
    }
}

/// A socket, for one, can't even be opened.
fn is_no(expected: &str, metadata: &Metadata) -> bool {
    match expected {
        "folder" => !metadata.is_dir(),
        _ => !metadata.is_file(),
    }
}

fn failed(path: &str, error: io::Error) -> SourceError {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
            SourceError::Missing(path.to_owned())
        }
        _ => SourceError::Io {
            path: path.to_owned(),
            source: Box::new(error),
        },
    }
}
