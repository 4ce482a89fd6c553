//! The socket, in a folder of its own that is gone with it.

use std::path::{Path, PathBuf};

use tempfile::TempDir;
use tokio::net::UnixListener;

use super::ServeError;
use crate::limits::SOCKET_PATH;

/// A socket that nobody else may reach.
pub(super) struct Socket {
    pub(super) listener: UnixListener,
    path: PathBuf,
    _folder: TempDir,
}

impl Socket {
    /// Makes one, in the folder that Terraform names, else where temporary files belong.
    pub(super) fn bind(folder: Option<&Path>) -> Result<Self, ServeError> {
        let within = folder.map_or_else(std::env::temp_dir, Path::to_owned);
        let failed = |source| ServeError::Socket {
            folder: within.clone(),
            source,
        };
        // Its mode is 0700.
        let folder = tempfile::Builder::new()
            .prefix("plugin")
            .tempdir_in(&within)
            .map_err(failed)?;
        let path = folder.path().join("rpc");
        if path.as_os_str().len() > SOCKET_PATH {
            return Err(ServeError::LongPath {
                path,
                most: SOCKET_PATH,
            });
        }
        let listener = UnixListener::bind(&path).map_err(failed)?;
        Ok(Self {
            listener,
            path,
            _folder: folder,
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}
