//! Where the project is: as said, a folder or a repository elsewhere; else the nearest folder upwards that has a
//! `whimbrel.yaml`.

use std::path::{Path, PathBuf};

use whimbrel_project::{Location, RemoteLocation};

use crate::error::CliError;

/// The project's own document.
pub(crate) const PROJECT_FILE: &str = "whimbrel.yaml";

/// Where the project is.
pub(crate) enum Place {
    /// In a folder of this machine.
    Here(Location),
    /// In a repository elsewhere.
    Elsewhere(RemoteLocation),
}

/// Where the project is.
pub(crate) fn locate(said: Option<&str>) -> Result<Place, CliError> {
    match said {
        // A folder that is there wins over an address.
        Some(text) if Path::new(text).is_dir() => Ok(Place::Here(Location::parse(text)?)),
        Some(text) => Ok(match RemoteLocation::parse(text)? {
            Some(remote) => Place::Elsewhere(remote),
            None => Place::Here(Location::parse(text)?),
        }),
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
            Ok(Place::Here(Location {
                folder,
                reference: None,
            }))
        }
    }
}

/// Whatever is called so is meant to be it: what is no regular file is refused where it is read, not passed over.
fn upwards(from: &Path) -> Option<PathBuf> {
    from.ancestors()
        .find(|folder| folder.join(PROJECT_FILE).symlink_metadata().is_ok())
        .map(Path::to_path_buf)
}
