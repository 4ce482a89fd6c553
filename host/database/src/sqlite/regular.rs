//! What SQLite must not be given: it opens whatever has the name, and a pipe without a writer keeps whoever opens it for ever.

use std::fs::FileType;
use std::os::unix::fs::FileTypeExt as _;
use std::path::Path;

use crate::session::{DatabaseError, ErrorKind};

/// Refuses what is there and is no file. It isn't opened for that.
pub(super) fn require_file(path: &Path) -> Result<(), DatabaseError> {
    // What isn't there, or may not be looked at, is SQLite's to tell of.
    let Ok(metadata) = std::fs::metadata(path) else {
        return Ok(());
    };
    if metadata.is_file() {
        return Ok(());
    }
    let message = format!(
        "{} is {} and no file",
        path.display(),
        word(metadata.file_type())
    );
    Err(
        DatabaseError::new(ErrorKind::Client, "SQLITE_CANTOPEN", message)
            .with_hint("name a file of SQLite, or one that isn't there yet"),
    )
}

fn word(kind: FileType) -> &'static str {
    if kind.is_dir() {
        "a directory"
    } else if kind.is_fifo() {
        "a pipe"
    } else if kind.is_socket() {
        "a socket"
    } else {
        "a device"
    }
}
