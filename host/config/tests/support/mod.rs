//! Trees in memory, so that a case reads in one place.

// Each test takes what it needs of this.
#![allow(dead_code)]

use std::collections::BTreeMap;

use whimbrel_config::{Entry, EntryKind, LoadOptions, SourceError, SourceTree, check_path};

/// Files by path; folders are what their paths say.
#[derive(Clone, Default)]
pub struct MemoryTree {
    files: BTreeMap<String, Vec<u8>>,
}

impl MemoryTree {
    /// Files written one after the other, each after a line `=== PATH`.
    pub fn parse(text: &str) -> Self {
        let mut tree = Self::default();
        let mut path = String::new();
        for line in text.split_inclusive('\n') {
            match line.strip_prefix("=== ") {
                Some(name) => {
                    path = name.trim_end().to_owned();
                    tree.files.insert(path.clone(), Vec::new());
                }
                None => {
                    if let Some(file) = tree.files.get_mut(&path) {
                        file.extend_from_slice(line.as_bytes());
                    }
                }
            }
        }
        tree
    }

    /// The same, with a file written or replaced.
    pub fn with(mut self, path: &str, text: impl AsRef<[u8]>) -> Self {
        self.files.insert(path.to_owned(), text.as_ref().to_vec());
        self
    }

    /// The same, with the files of another tree; an empty one takes a file away.
    pub fn over(mut self, other: Self) -> Self {
        for (path, bytes) in other.files {
            if bytes.is_empty() {
                self.files.remove(&path);
            } else {
                self.files.insert(path, bytes);
            }
        }
        self
    }
}

impl SourceTree for MemoryTree {
    fn entries(&self, folder: &str) -> Result<Vec<Entry>, SourceError> {
        check_path(folder)?;
        let prefix = format!("{folder}/");
        let mut entries = BTreeMap::new();
        for (path, bytes) in &self.files {
            let Some(rest) = path.strip_prefix(&prefix) else {
                continue;
            };
            let (name, kind) = match rest.split_once('/') {
                Some((name, _)) => (name, EntryKind::Folder),
                None => (rest, EntryKind::File),
            };
            let size = bytes.len() as u64;
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
        let bytes = self.files.get(path).cloned();
        let bytes = bytes.ok_or_else(|| SourceError::Missing(path.to_owned()))?;
        if bytes.len() as u64 > limit {
            return Err(SourceError::TooLarge {
                path: path.to_owned(),
                limit,
            });
        }
        Ok(bytes)
    }
}

/// A project in which nothing is wrong.
pub fn base() -> MemoryTree {
    MemoryTree::parse(include_str!("../bad_input/base.tree"))
}

/// A program with these plugins in it.
pub fn options() -> LoadOptions {
    LoadOptions {
        builtin_plugins: vec!["backfill".to_owned(), "vault".to_owned()],
        lint_rules: vec![
            "adding-required-field".to_owned(),
            "renaming-column".to_owned(),
        ],
    }
}
