//! The session lock of SQLite: an operating system's lock on a file beside the database.
//!
//! The system gives it back when its process ends, however it ends. The text inside is for people only. The file stays:
//! removing it would let two processes lock two files of one name.

use std::fs::{self, File, OpenOptions};
use std::io::{Seek, Write};
use std::path::{Path, PathBuf};

use fs4::{FileExt, TryLockError};

use super::regular::require_file;
use crate::session::{DatabaseError, ErrorKind};

/// A link to the database leads to the same lock.
fn beside(database: &Path) -> PathBuf {
    let real = fs::canonicalize(database).or_else(|_| {
        let folder = database
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty());
        fs::canonicalize(folder.unwrap_or(Path::new("."))).map(|folder| {
            match database.file_name() {
                Some(name) => folder.join(name),
                None => folder,
            }
        })
    });
    let real = real.unwrap_or_else(|_| database.to_owned());
    let mut name = real.file_name().unwrap_or_default().to_owned();
    name.push("-whimbrel-lock");
    real.with_file_name(name)
}

/// Locks the file, and says inside by whom.
pub(super) fn try_lock(database: &Path, note: &str) -> Result<Option<File>, DatabaseError> {
    let path = beside(database);
    let fail = |error: &std::io::Error| {
        DatabaseError::new(
            ErrorKind::Client,
            "SQLITE_PERM",
            format!("the lock file {} can't be used: {error}", path.display()),
        )
    };
    require_file(&path)?;
    let mut file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .open(&path)
        .map_err(|error| fail(&error))?;
    match FileExt::try_lock(&file) {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(None),
        Err(TryLockError::Error(error)) => return Err(fail(&error)),
    }
    // Only for display: a full disk must not keep anybody out.
    let _ = file
        .set_len(0)
        .and_then(|()| file.rewind())
        .and_then(|()| file.write_all(note.as_bytes()));
    Ok(Some(file))
}

/// Empties the file and gives the lock back.
pub(super) fn release(file: &File) {
    let _ = file.set_len(0);
    let _ = FileExt::unlock(file);
}

/// Who says to hold the lock.
pub(super) fn note(database: &Path) -> Option<String> {
    let path = beside(database);
    require_file(&path).ok()?;
    fs::read_to_string(path)
        .ok()
        .filter(|note| !note.is_empty())
}
