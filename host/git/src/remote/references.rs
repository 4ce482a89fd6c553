//! The refs of a mirror: which of a server's are wanted, and how they follow it.

use std::collections::BTreeMap;

use git2::{ErrorCode, ObjectType, Oid, Sort};
use whimbrel_core::lineage::Revision;

use super::RemoteError;
use super::advertisement::Advertisement;
use super::mirror::Move;

/// Namespaces that are mirrored: what is gone there at the server goes here.
pub(super) const MIRRORED: [&str; 3] = ["refs/heads/", "refs/tags/", "refs/whimbrel/"];

const MOVING: &str = "moving refs of the mirror";

/// The refs of a server that are mirrored, where their names are sound.
pub(super) fn wanted(advertised: &Advertisement) -> BTreeMap<String, Oid> {
    let mirrored = |name: &str| MIRRORED.iter().any(|prefix| name.starts_with(prefix));
    advertised
        .refs
        .iter()
        .filter(|(name, _)| mirrored(name) && git2::Reference::is_valid_name(name))
        .map(|(name, id)| (name.clone(), *id))
        .collect()
}

/// Whether everything that refs of a mirror point at is there and can be read.
pub(super) fn are_sound(repository: &git2::Repository) -> bool {
    if repository.find_reference("HEAD").is_err() {
        return false;
    }
    let Ok(references) = repository.references() else {
        return false;
    };
    references.flatten().all(|reference| {
        let Some(id) = reference.target() else {
            return true;
        };
        match repository.find_object(id, None) {
            Ok(object) => match object.peel_to_commit() {
                Ok(commit) => commit.tree().is_ok(),
                // A tag of something else.
                Err(_) => object.kind() != Some(ObjectType::Commit),
            },
            Err(_) => false,
        }
    })
}

/// Commits of a mirror, the newest first: what a server needs not send.
pub(super) fn known(repository: &git2::Repository, most: usize) -> Vec<Oid> {
    let Ok(mut walk) = repository.revwalk() else {
        return Vec::new();
    };
    // Where one can't be pushed there is less to tell, and more comes.
    let _ = walk.set_sorting(Sort::TIME);
    for prefix in MIRRORED {
        let _ = walk.push_glob(&format!("{prefix}*"));
    }
    walk.flatten().take(most).collect()
}

/// Brings the refs of a mirror to what is wanted, and says what moved.
pub(super) fn bring(
    repository: &git2::Repository,
    wanted: &BTreeMap<String, Oid>,
    default_branch: Option<&str>,
) -> Result<Vec<Move>, RemoteError> {
    let before = current(repository)?;
    let mut moves = Vec::new();
    // What is gone goes first: a branch `a` makes room for `a/b`.
    for (name, id) in &before {
        let mirrored = MIRRORED.iter().any(|prefix| name.starts_with(prefix));
        if mirrored && !wanted.contains_key(name) {
            set(repository, name, None)?;
            moves.push(Move {
                reference: name.clone(),
                before: Some(revision(repository, *id)),
                after: None,
                forced: false,
            });
        }
    }
    for (name, id) in wanted {
        let old = before.get(name);
        if old == Some(id) {
            continue;
        }
        set(repository, name, Some(*id))?;
        moves.push(Move {
            reference: name.clone(),
            before: old.map(|old| revision(repository, *old)),
            after: Some(revision(repository, *id)),
            forced: old.is_some_and(|old| is_forced(repository, name, *old, *id)),
        });
    }
    moves.sort_by(|a, b| a.reference.cmp(&b.reference));
    if let Some(branch) = default_branch {
        let head = format!("refs/heads/{branch}");
        let is_set = repository
            .find_reference("HEAD")
            .is_ok_and(|reference| reference.symbolic_target().ok().flatten() == Some(&*head));
        if !is_set && git2::Reference::is_valid_name(&head) {
            repository
                .set_head(&head)
                .map_err(RemoteError::git(MOVING))?;
        }
    }
    Ok(moves)
}

/// Sets a ref, or removes it.
pub(super) fn set(
    repository: &git2::Repository,
    name: &str,
    id: Option<Oid>,
) -> Result<(), RemoteError> {
    let done = match id {
        Some(id) => repository.reference(name, id, true, "fetch").map(|_| ()),
        None => match repository.find_reference(name) {
            Ok(mut reference) => reference.delete(),
            Err(error) if error.code() == ErrorCode::NotFound => Ok(()),
            Err(error) => Err(error),
        },
    };
    done.map_err(RemoteError::git(MOVING))
}

fn current(repository: &git2::Repository) -> Result<BTreeMap<String, Oid>, RemoteError> {
    let references = repository
        .references()
        .map_err(RemoteError::git("reading refs of the mirror"))?;
    Ok(references
        .flatten()
        .filter_map(|reference| Some((reference.name().ok()?.to_owned(), reference.target()?)))
        .collect())
}

/// A tag is not meant to move at all; a branch, forwards only.
fn is_forced(repository: &git2::Repository, name: &str, before: Oid, after: Oid) -> bool {
    name.starts_with("refs/tags/")
        || !repository
            .graph_descendant_of(after, before)
            .unwrap_or(false)
}

/// The commit that an object is, or a tag is of.
fn revision(repository: &git2::Repository, id: Oid) -> Revision {
    let commit = repository
        .find_object(id, None)
        .and_then(|object| object.peel_to_commit());
    Revision::commit(commit.map_or(id, |commit| commit.id()).to_string())
}
