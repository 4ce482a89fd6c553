//! What is kept of things, a file each.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use whimbrel_terraform::Diagnostic;

/// What a file says of its thing.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct Kept {
    pub text: Option<String>,
    pub generation: i64,
}

/// A folder of files, or none.
#[derive(Clone, Default)]
pub struct Files(Option<PathBuf>);

impl Files {
    pub fn new(folder: Option<&str>) -> Self {
        Self(folder.map(PathBuf::from))
    }

    /// What is kept of a thing: what is given if there is no folder, nothing if it is gone.
    pub fn read(&self, name: &str, without_folder: Kept) -> Result<Option<Kept>, Diagnostic> {
        let Some(file) = self.file(name, "json") else {
            return Ok(Some(without_folder));
        };
        if !file.exists() {
            return Ok(None);
        }
        let text = std::fs::read_to_string(&file).map_err(|error| failed(&file, &error))?;
        let kept = serde_json::from_str(&text).map_err(|error| failed(&file, &error.into()))?;
        Ok(Some(kept))
    }

    pub fn write(&self, name: &str, kept: &Kept) -> Result<(), Diagnostic> {
        let text = serde_json::to_string(kept).unwrap_or_default();
        self.note(name, "json", &text)
    }

    pub fn delete(&self, name: &str) -> Result<(), Diagnostic> {
        match self.file(name, "json") {
            Some(file) if file.exists() => {
                std::fs::remove_file(&file).map_err(|error| failed(&file, &error))
            }
            _ => Ok(()),
        }
    }

    /// Tells whoever looks into the folder what happens to a thing.
    pub fn note(&self, name: &str, what: &str, text: &str) -> Result<(), Diagnostic> {
        match self.file(name, what) {
            Some(file) => std::fs::write(&file, text).map_err(|error| failed(&file, &error)),
            None => Ok(()),
        }
    }

    fn file(&self, name: &str, extension: &str) -> Option<PathBuf> {
        let folder = self.0.as_ref()?;
        Some(folder.join(format!("{name}.{extension}")))
    }
}

fn failed(file: &Path, error: &std::io::Error) -> Diagnostic {
    Diagnostic::error(
        "A thing's file can't be used",
        format!("{}: {error}", file.display()),
    )
}
