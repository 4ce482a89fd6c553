//! Where the project is: as said, else the nearest folder upwards that has a `whimbrel.yaml`.

use std::path::{Path, PathBuf};

use whimbrel_project::Location;

use crate::error::CliError;

/// The project's own document.
pub(crate) const PROJECT_FILE: &str = "whimbrel.yaml";

/// Where the project is.
pub(crate) fn locate(said: Option<&str>) -> Result<Location, CliError> {
    match said {
        Some(text) => Ok(Location::parse(text)?),
        None => {
            let here = std::env::current_dir().map_err(|error| {
                CliError::failed(format!("the current folder is gone: {error}"))
            })?;
            let folder = upwards(&here).ok_or_else(|| {
                CliError::failed(format!(
                    "there is no {PROJECT_FILE} in {} or any folder above it",
                    here.display()
                ))
                .hint("`whimbrel init` makes a project here; `--project DIR` names one elsewhere")
            })?;
            Ok(Location {
                folder,
                reference: None,
            })
        }
    }
}

fn upwards(from: &Path) -> Option<PathBuf> {
    from.ancestors()
        .find(|folder| folder.join(PROJECT_FILE).is_file())
        .map(Path::to_path_buf)
}
