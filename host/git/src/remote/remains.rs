//! What a process that died while it wrote a mirror leaves in it: libgit2's locks of refs, which hold up whoever comes
//! after it for ever, and packs that were begun.
//!
//! libgit2 makes `HEAD.lock` beside `HEAD` and `refs/heads/main.lock` beside that ref (no ref can have such a name), and
//! `…_git2_` with six letters for what is to become a pack or an object.

use std::fs;
use std::io;
use std::path::Path;

/// Removes it from a mirror. Only for who holds the mirror's lock: nobody else then writes in it, so that what is there
/// belongs to nobody.
pub(super) fn remove(mirror: &Path) -> io::Result<()> {
    in_folder(mirror, is_lock)?;
    below(&mirror.join("refs"), is_lock)?;
    in_folder(&mirror.join("objects"), is_begun)?;
    in_folder(&mirror.join("objects/pack"), is_begun)
}

fn is_lock(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|end| end == "lock")
}

fn is_begun(name: &str) -> bool {
    name.rsplit_once("_git2_")
        .is_some_and(|(_, letters)| letters.len() == 6)
}

fn below(folder: &Path, is_remains: fn(&str) -> bool) -> io::Result<()> {
    in_folder(folder, is_remains)?;
    for entry in entries(folder)? {
        if entry.file_type()?.is_dir() {
            below(&entry.path(), is_remains)?;
        }
    }
    Ok(())
}

fn in_folder(folder: &Path, is_remains: fn(&str) -> bool) -> io::Result<()> {
    for entry in entries(folder)? {
        if entry.file_name().to_str().is_some_and(is_remains) && entry.file_type()?.is_file() {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// What is in a folder; nothing in one that isn't there.
fn entries(folder: &Path) -> io::Result<Vec<fs::DirEntry>> {
    match fs::read_dir(folder) {
        Ok(entries) => entries.collect(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}
