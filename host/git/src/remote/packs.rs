//! The packs of a mirror: each fetch adds one, and many of them are made one.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use git2::{Buf, Oid};

use super::RemoteError;

const PACKING: &str = "packing the mirror";
const READING: &str = "reading the packs";

/// Lists packs that were superseded when packs were last made one. They go the next time, when nobody can still be
/// reading them.
const SUPERSEDED: &str = "whimbrel-superseded";

/// Whether a mirror has more packs than a number.
pub(super) fn are_many(repository: &git2::Repository, most: usize) -> Result<bool, RemoteError> {
    let packs = packs(&folder(repository)).map_err(RemoteError::mirror(READING))?;
    Ok(packs.len() > most)
}

fn folder(repository: &git2::Repository) -> PathBuf {
    repository.path().join("objects/pack")
}

/// Makes all packs of a mirror one.
pub(super) fn tidy(repository: &git2::Repository) -> Result<(), RemoteError> {
    let folder = folder(repository);
    let failed = || RemoteError::mirror(READING);
    let packs = packs(&folder).map_err(failed())?;
    let mut builder = repository
        .packbuilder()
        .map_err(RemoteError::git(PACKING))?;
    let mut walk = repository.revwalk().map_err(RemoteError::git(PACKING))?;
    for reference in repository
        .references()
        .map_err(RemoteError::git(PACKING))?
        .flatten()
    {
        let Some(id) = reference.target() else {
            continue;
        };
        // A tag of something that is no commit is an object of its own.
        if walk.push(id).is_err()
            || reference
                .peel_to_commit()
                .is_ok_and(|commit| commit.id() != id)
        {
            builder
                .insert_recursive(id, None)
                .map_err(RemoteError::git(PACKING))?;
        }
    }
    builder
        .insert_walk(&mut walk)
        .map_err(RemoteError::git(PACKING))?;
    builder
        .write(&folder, 0o444)
        .map_err(RemoteError::git(PACKING))?;
    let made = builder
        .name()
        .ok()
        .flatten()
        .map(|name| format!("pack-{name}.pack"));
    let list = folder.join(SUPERSEDED);
    for name in fs::read_to_string(&list).unwrap_or_default().lines() {
        for extension in ["idx", "pack"] {
            // Gone already is as good.
            let _ = fs::remove_file(folder.join(name).with_extension(extension));
        }
    }
    let superseded: Vec<String> = packs
        .iter()
        .filter_map(|pack| pack.file_name()?.to_str().map(str::to_owned))
        .filter(|name| Some(name) != made.as_ref())
        .collect();
    fs::write(&list, superseded.join("\n")).map_err(failed())
}

fn packs(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let superseded = fs::read_to_string(folder.join(SUPERSEDED)).unwrap_or_default();
    let superseded: Vec<&str> = superseded.lines().collect();
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        if name.ends_with(".pack") && !superseded.contains(&name) {
            found.push(path);
        }
    }
    Ok(found)
}

/// The objects of a commit that nobody has who has others.
pub(super) fn between<'a>(
    repository: &git2::Repository,
    after: Oid,
    known: impl Iterator<Item = &'a Oid>,
) -> Result<Vec<u8>, RemoteError> {
    const DOING: &str = "packing what is pushed";
    let mut builder = repository.packbuilder().map_err(RemoteError::git(DOING))?;
    let mut walk = repository.revwalk().map_err(RemoteError::git(DOING))?;
    walk.push(after).map_err(RemoteError::git(DOING))?;
    for id in known {
        // What the mirror doesn't have, it has nothing after.
        let _ = walk.hide(*id);
    }
    builder
        .insert_walk(&mut walk)
        .map_err(RemoteError::git(DOING))?;
    let mut bytes = Buf::new();
    builder
        .write_buf(&mut bytes)
        .map_err(RemoteError::git(DOING))?;
    Ok(bytes.to_vec())
}
