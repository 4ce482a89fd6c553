//! Where a project is: a folder, or a folder at a Git revision.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::ProjectError;

/// Where a project is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// The folder.
    pub folder: PathBuf,
    /// The revision to read instead of the files that are there now.
    pub reference: Option<String>,
}

impl Location {
    /// Reads `DIR`, `DIR@REF` or `@REF`. A folder whose name holds an `@` wins over a reference.
    ///
    /// # Errors
    /// There is no such folder.
    pub fn parse(text: &str) -> Result<Self, ProjectError> {
        let folder = |folder: &str| PathBuf::from(if folder.is_empty() { "." } else { folder });
        if Path::new(text).is_dir() {
            return Ok(Self {
                folder: folder(text),
                reference: None,
            });
        }
        // The longest folder that is there, because a folder's name as well as a reference may hold an `@`.
        let split = text
            .match_indices('@')
            .filter_map(|(at, _)| Some((text.get(..at)?, text.get(at + 1..)?)))
            .rfind(|(prefix, reference)| !reference.is_empty() && folder(prefix).is_dir());
        if let Some((prefix, reference)) = split {
            return Ok(Self {
                folder: folder(prefix),
                reference: Some(reference.to_owned()),
            });
        }
        Err(ProjectError::NoFolder(match text.split_once('@') {
            Some((prefix, _)) if !prefix.is_empty() => folder(prefix),
            _ => folder(text),
        }))
    }
}

impl fmt::Display for Location {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.folder.display())?;
        match &self.reference {
            Some(reference) => write!(formatter, "@{reference}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Location;
    use crate::ProjectError;

    #[test]
    fn reads_folders_and_revisions() {
        let folder = tempfile::tempdir().unwrap();
        let odd = folder.path().join("a@b");
        std::fs::create_dir(&odd).unwrap();
        let plain = folder.path().to_str().unwrap();
        let odd = odd.to_str().unwrap();
        for (text, folder, reference) in [
            (".".to_owned(), ".", None),
            ("@HEAD@{1}".to_owned(), ".", Some("HEAD@{1}")),
            (plain.to_owned(), plain, None),
            (format!("{plain}@main"), plain, Some("main")),
            (odd.to_owned(), odd, None),
            (format!("{odd}@v1@2"), odd, Some("v1@2")),
        ] {
            let location = Location::parse(&text).unwrap();
            assert_eq!(location.folder.to_str(), Some(folder), "{text}");
            assert_eq!(location.reference.as_deref(), reference, "{text}");
        }
        assert_eq!(
            Location::parse(&format!("{plain}@main"))
                .unwrap()
                .to_string(),
            format!("{plain}@main")
        );
    }

    #[test]
    fn says_what_it_can_not_read() {
        for nowhere in ["no-such-folder", "no-such-folder@main", ""] {
            assert!(matches!(
                Location::parse(nowhere),
                Err(ProjectError::NoFolder(_))
            ));
        }
    }
}
