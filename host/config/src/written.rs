//! Files that are in no folder: whoever wants them read has them in memory.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use whimbrel_core::digest::Digest;

use crate::tree::{Entry, EntryKind, SourceError, SourceTree, check_path};

/// Files by path. Clones share them. What was written once has the same identity when it is written again, so that a
/// cache knows it.
#[derive(Clone, Default)]
pub struct WrittenTree(Arc<BTreeMap<String, Written>>);

struct Written {
    bytes: Vec<u8>,
    identity: String,
}

impl<B: Into<Vec<u8>>> FromIterator<(String, B)> for WrittenTree {
    fn from_iter<T: IntoIterator<Item = (String, B)>>(files: T) -> Self {
        let files = files.into_iter().map(|(path, bytes)| {
            let bytes = bytes.into();
            let identity = Digest::of(&bytes).to_string();
            (path, Written { bytes, identity })
        });
        Self(Arc::new(files.collect()))
    }
}

impl WrittenTree {
    /// What is below a folder, by its path from there.
    fn below<'a>(&'a self, folder: &'a str) -> impl Iterator<Item = (&'a str, &'a Written)> {
        self.0.iter().filter_map(move |(path, written)| {
            let rest = match folder {
                "" => path,
                _ => path.strip_prefix(folder)?.strip_prefix('/')?,
            };
            Some((rest, written))
        })
    }
}

impl SourceTree for WrittenTree {
    fn entries(&self, folder: &str) -> Result<Vec<Entry>, SourceError> {
        check_path(folder)?;
        let mut entries = BTreeMap::new();
        for (rest, written) in self.below(folder) {
            let (name, kind, size) = match rest.split_once('/') {
                Some((name, _)) => (name, EntryKind::Folder, 0),
                None => (rest, EntryKind::File, written.bytes.len() as u64),
            };
            let name = name.to_owned();
            entries.insert(name.clone(), Entry { name, kind, size });
        }
        if entries.is_empty() {
            return Err(SourceError::Missing(folder.to_owned()));
        }
        Ok(entries.into_values().collect())
    }

    fn read(&self, path: &str, limit: u64) -> Result<Vec<u8>, SourceError> {
        check_path(path)?;
        let written = self.0.get(path);
        let written = written.ok_or_else(|| SourceError::Missing(path.to_owned()))?;
        if written.bytes.len() as u64 > limit {
            return Err(SourceError::TooLarge {
                path: path.to_owned(),
                limit,
            });
        }
        Ok(written.bytes.clone())
    }

    fn identity(&self, path: &str) -> Option<String> {
        if let Some(written) = self.0.get(path) {
            return Some(written.identity.clone());
        }
        let lines = self.below(path);
        let lines: Vec<_> = lines
            .map(|(rest, written)| format!("{} {rest}\n", written.identity))
            .collect();
        (!lines.is_empty()).then(|| Digest::of(lines.concat().as_bytes()).to_string())
    }
}

impl fmt::Debug for WrittenTree {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.0.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::WrittenTree;
    use crate::tree::{EntryKind, SourceError, SourceTree as _};

    fn tree(files: &[(&str, &str)]) -> WrittenTree {
        let files = files.iter();
        let files = files.map(|(path, text)| ((*path).to_owned(), (*text).to_owned()));
        files.collect()
    }

    #[test]
    fn files_are_found_by_path_and_folder() {
        let tree = tree(&[("a", "1"), ("b/c", "22"), ("b/d/e", "3"), ("bc", "4")]);
        let kinds = |folder| {
            let entries = tree.entries(folder).unwrap().into_iter();
            let entries = entries.map(|entry| (entry.name, entry.kind, entry.size));
            entries.collect::<Vec<_>>()
        };
        let file = |name: &str, size| (name.to_owned(), EntryKind::File, size);
        let folder = |name: &str| (name.to_owned(), EntryKind::Folder, 0);
        assert_eq!(kinds(""), [file("a", 1), folder("b"), file("bc", 1)]);
        assert_eq!(kinds("b"), [file("c", 2), folder("d")]);
        assert_eq!(tree.read("b/c", 2).unwrap(), b"22");
        let missing = |path: &str| matches!(tree.read(path, 9), Err(SourceError::Missing(_)));
        assert!(missing("b") && missing("c") && tree.entries("none").is_err());
        let large = tree.read("b/c", 1);
        assert!(matches!(large, Err(SourceError::TooLarge { .. })));
        let outside = tree.read("../a", 9);
        assert!(matches!(outside, Err(SourceError::Outside(_))));
    }

    #[test]
    fn what_says_the_same_is_the_same() {
        let one = tree(&[("a", "1"), ("b/c", "2"), ("b/d", "3")]);
        let again = tree(&[("b/d", "3"), ("b/c", "2")]);
        for path in ["b", "b/c", "b/d"] {
            assert_eq!(one.identity(path), again.identity(path));
            assert!(one.identity(path).is_some());
        }
        assert_eq!(one.identity("none"), None);
        for other in [
            tree(&[("b/c", "3"), ("b/d", "2")]),
            tree(&[("b/c", "2")]),
            tree(&[("b/c", "2"), ("b/e", "3")]),
        ] {
            assert_ne!(one.identity("b"), other.identity("b"));
        }
    }
}
