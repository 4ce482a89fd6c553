//! Trees in memory, so that a case reads in one place.

// Each test takes what it needs of this.
use std::collections::BTreeMap;

use whimbrel_config::{Entry, LoadOptions, SourceError, SourceTree, WrittenTree};

/// Files by path, as a case adds to them; folders are what their paths say.
#[derive(Clone, Default)]
pub struct MemoryTree {
    files: BTreeMap<String, Vec<u8>>,
    tree: WrittenTree,
}

impl From<BTreeMap<String, Vec<u8>>> for MemoryTree {
    fn from(files: BTreeMap<String, Vec<u8>>) -> Self {
        let tree = files.clone().into_iter().collect();
        Self { files, tree }
    }
}

impl MemoryTree {
    /// Files written one after the other, each after a line `=== PATH`.
    pub fn parse(text: &str) -> Self {
        let mut files = BTreeMap::<String, Vec<u8>>::new();
        let mut path = String::new();
        for line in text.split_inclusive('\n') {
            match line.strip_prefix("=== ") {
                Some(name) => {
                    path = name.trim_end().to_owned();
                    files.insert(path.clone(), Vec::new());
                }
                None => {
                    if let Some(file) = files.get_mut(&path) {
                        file.extend_from_slice(line.as_bytes());
                    }
                }
            }
        }
        files.into()
    }

    /// The same, with a file written or replaced.
    pub fn with(mut self, path: &str, text: impl AsRef<[u8]>) -> Self {
        self.files.insert(path.to_owned(), text.as_ref().to_vec());
        self.files.into()
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
        self.files.into()
    }
}

impl SourceTree for MemoryTree {
    fn entries(&self, folder: &str) -> Result<Vec<Entry>, SourceError> {
        self.tree.entries(folder)
    }

    fn read(&self, path: &str, limit: u64) -> Result<Vec<u8>, SourceError> {
        self.tree.read(path, limit)
    }
}

/// A project in which nothing is wrong.
pub fn base() -> MemoryTree {
    MemoryTree::parse(include_str!("../../bad_input/base.tree"))
}

/// A program with these plugins in it.
pub fn options() -> LoadOptions {
    LoadOptions {
        builtin_plugins: vec!["backfill".to_owned(), "vault".to_owned()],
        lint_rules: || {
            vec![
                "adding-required-field".to_owned(),
                "renaming-column".to_owned(),
            ]
        },
    }
}
