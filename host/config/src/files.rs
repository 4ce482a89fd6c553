//! Reading files within bounds, and turning their bytes into text.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use crate::limits;
use crate::problem::Problem;
use crate::source::Source;
use crate::tree::{Entry, EntryKind, Identified, SourceError, SourceTree};

/// A tree, and how much of it was read.
pub struct Files<'a> {
    tree: &'a dyn SourceTree,
    count: AtomicUsize,
    bytes: AtomicU64,
}

impl<'a> Files<'a> {
    pub const fn new(tree: &'a dyn SourceTree) -> Self {
        Self {
            tree,
            count: AtomicUsize::new(0),
            bytes: AtomicU64::new(0),
        }
    }

    /// What is in a folder, by name, without what begins with a dot. None if there is no such folder.
    pub fn entries(&self, folder: &str) -> Result<Option<Vec<Entry>>, Problem> {
        let mut entries = match self.tree.entries(folder) {
            Ok(entries) => entries,
            Err(SourceError::Missing(_)) => return Ok(None),
            Err(error) => return Err(problem(folder, &error)),
        };
        entries.retain(|entry| !entry.name.starts_with('.'));
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(Some(entries))
    }

    /// The same, each with its identity where the tree says one.
    pub fn identified(&self, folder: &str) -> Result<Option<Vec<Identified>>, Problem> {
        let mut entries = match self.tree.identified(folder) {
            Ok(entries) => entries,
            Err(SourceError::Missing(_)) => return Ok(None),
            Err(error) => return Err(problem(folder, &error)),
        };
        entries.retain(|(entry, _)| !entry.name.starts_with('.'));
        entries.sort_by(|a, b| a.0.name.cmp(&b.0.name));
        Ok(Some(entries))
    }

    /// The text of a file. None if there is no such file.
    pub fn read(&self, path: &str) -> Result<Option<Source>, Problem> {
        if self.count.fetch_add(1, Ordering::Relaxed) >= limits::FILES {
            return Err(Problem::whole(path, "the project has too many files")
                .expected(format!("at most {}", limits::FILES)));
        }
        let bytes = match self.tree.read(path, limits::FILE_SIZE) {
            Ok(bytes) => bytes,
            Err(SourceError::Missing(_)) => return Ok(None),
            Err(error) => return Err(problem(path, &error)),
        };
        let length = bytes.len() as u64;
        if self.bytes.fetch_add(length, Ordering::Relaxed) + length > limits::TREE_SIZE {
            return Err(
                Problem::whole(path, "the files of the project are too large together").expected(
                    format!("at most {} MiB of definitions", limits::TREE_SIZE >> 20),
                ),
            );
        }
        text(path, bytes).map(Some)
    }
}

/// Folder and name as a path.
pub fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() {
        name.to_owned()
    } else {
        format!("{folder}/{name}")
    }
}

/// What is wrong with an entry that can't be read whatever its name is.
pub fn unreadable(path: &str, kind: EntryKind) -> Option<Problem> {
    match kind {
        EntryKind::File | EntryKind::Folder => None,
        EntryKind::Symlink => Some(problem(path, &SourceError::Symlink(path.to_owned()))),
        EntryKind::Other => Some(
            Problem::whole(path, "this is neither a file nor a folder").expected("a regular file"),
        ),
    }
}

fn problem(path: &str, error: &SourceError) -> Problem {
    match error {
        SourceError::Symlink(link) if link == path => {
            Problem::whole(path, "this is a symbolic link, and those are not followed")
                .expected("a regular file or folder in its place")
        }
        SourceError::Symlink(link) => Problem::whole(
            path,
            format!("`{link}` on its path is a symbolic link, and those are not followed"),
        )
        .expected("a regular file in a regular folder"),
        SourceError::TooLarge { limit, .. } => Problem::whole(path, "the file is too large")
            .expected(format!("at most {} MiB", limit >> 20))
            .suggest("rows belong into a table by a script, not into a definition"),
        SourceError::Io { source, .. } => {
            Problem::whole(path, format!("this can't be read: {source}"))
        }
        // What is no file by its kind may be a pipe or a device as well.
        SourceError::Kind {
            expected: "file", ..
        } => Problem::whole(path, "this is no regular file").expected("a regular file"),
        SourceError::Kind { expected, .. } => {
            Problem::whole(path, format!("this is no {expected}")).expected(format!("a {expected}"))
        }
        SourceError::Outside(_) => Problem::whole(path, "the path leads out of the project")
            .expected("a relative path with `/`, without `..`"),
        SourceError::Missing(_) => Problem::whole(path, "this doesn't exist"),
        SourceError::Name { name, .. } => Problem::whole(
            path,
            format!("a name in this folder is not UTF-8: `{name}`"),
        )
        .expected("names in UTF-8"),
    }
}

/// UTF-8 without a byte order mark, with LF line ends.
pub fn text(path: &str, bytes: Vec<u8>) -> Result<Source, Problem> {
    let text = String::from_utf8(bytes).map_err(|error| {
        let offset = error.utf8_error().valid_up_to();
        let valid = error.as_bytes().get(..offset).unwrap_or_default();
        let line = valid.iter().filter(|byte| **byte == b'\n').count() + 1;
        let wide = matches!(error.as_bytes(), [0xFE, 0xFF, ..] | [0xFF, 0xFE, ..]);
        let problem = Problem::whole(
            path,
            format!("the text is not UTF-8 (line {line}, byte {offset})"),
        )
        .expected("text in UTF-8");
        if wide {
            problem.suggest("it begins like UTF-16: save it as UTF-8")
        } else {
            problem
        }
    })?;
    let text = if text.contains('\r') || text.starts_with('\u{feff}') {
        normalized(&text)
    } else {
        text
    };
    let source = Source {
        path: path.to_owned(),
        text,
    };
    match source.text.find('\0') {
        None => Ok(source),
        Some(nul) => Err(source
            .problem(&(nul..nul + 1), "the text holds a NUL character")
            .expected("text without control characters")),
    }
}

/// Text without a byte order mark and with LF line ends.
pub fn normalized(text: &str) -> String {
    text.strip_prefix('\u{feff}')
        .unwrap_or(text)
        .replace("\r\n", "\n")
}

#[cfg(test)]
mod tests {
    use super::{Entry, Files, SourceError, SourceTree, limits};

    /// Every file that is asked for, with so many bytes.
    struct Every(u64);

    impl SourceTree for Every {
        fn entries(&self, _: &str) -> Result<Vec<Entry>, SourceError> {
            Ok(Vec::new())
        }

        fn read(&self, _: &str, limit: u64) -> Result<Vec<u8>, SourceError> {
            assert!(self.0 <= limit);
            Ok(vec![b' '; usize::try_from(self.0).unwrap()])
        }
    }

    fn refused(tree: &Every, most: u64) -> String {
        let files = Files::new(tree);
        for number in 0..most {
            assert!(files.read("file").is_ok(), "the {number}th");
        }
        format!("{:?}", files.read("one more").err())
    }

    #[test]
    fn a_tree_has_no_more_files_than_it_may() {
        let said = refused(&Every(1), limits::FILES as u64);
        assert!(said.contains("too many files"), "{said}");
        assert!(said.contains("at most 20000"), "{said}");
    }

    #[test]
    fn files_that_may_be_as_large_are_too_large_together() {
        let fit = limits::TREE_SIZE / limits::FILE_SIZE;
        let said = refused(&Every(limits::FILE_SIZE), fit);
        assert!(said.contains("too large together"), "{said}");
        assert!(said.contains("at most 256 MiB"), "{said}");
    }
}
