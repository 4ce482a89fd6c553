//! A repository of this machine, read and written through its own object database.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::time::Instant;

use git2::{ErrorCode, Oid};

use super::advertisement::Advertisement;
use super::exchange::Change;
use super::{Address, Limits, RemoteError};

const READING: &str = "reading the repository";
const WRITING: &str = "writing to the repository";

pub(super) struct Local<'a> {
    address: &'a Address,
    repository: git2::Repository,
}

impl<'a> Local<'a> {
    pub(super) fn open(address: &'a Address, folder: &Path) -> Result<Self, RemoteError> {
        let repository = git2::Repository::open(folder).map_err(|error| match error.code() {
            ErrorCode::NotFound => RemoteError::NotFound(address.clone()),
            ErrorCode::Owner => RemoteError::Denied {
                address: address.clone(),
                problem: "it belongs to another user, and Git's `safe.directory` doesn't name it"
                    .to_owned(),
            },
            _ => RemoteError::git("opening the repository")(error),
        })?;
        Ok(Self {
            address,
            repository,
        })
    }

    pub(super) fn advertised(&self) -> Result<Advertisement, RemoteError> {
        let references = self
            .repository
            .references()
            .map_err(RemoteError::git(READING))?;
        let refs: BTreeMap<_, _> = references
            .flatten()
            .filter_map(|reference| Some((reference.name().ok()?.to_owned(), reference.target()?)))
            .collect();
        let head = self.repository.find_reference("HEAD").ok();
        let branch = head
            .as_ref()
            .and_then(|head| head.symbolic_target().ok().flatten());
        Ok(Advertisement {
            default_branch: branch
                .and_then(|name| name.strip_prefix("refs/heads/"))
                .filter(|name| refs.contains_key(&format!("refs/heads/{name}")))
                .map(str::to_owned),
            refs,
            // A commit is there or it isn't, whatever leads to it.
            capabilities: vec!["allow-reachable-sha1-in-want".to_owned()],
        })
    }

    /// Writes a pack of what is wanted and not known.
    pub(super) fn fetch(
        &self,
        wants: &[Oid],
        haves: &[Oid],
        limits: &Limits,
        until: Instant,
        pack: &mut dyn Write,
    ) -> Result<(), RemoteError> {
        let failed = || RemoteError::git(READING);
        let mut builder = self.repository.packbuilder().map_err(failed())?;
        let mut walk = self.repository.revwalk().map_err(failed())?;
        for want in wants {
            let object =
                self.repository
                    .find_object(*want, None)
                    .map_err(|_| RemoteError::NoReference {
                        address: self.address.clone(),
                        reference: want.to_string(),
                    })?;
            match object.peel_to_commit() {
                Ok(commit) => {
                    walk.push(commit.id()).map_err(failed())?;
                    if commit.id() != *want {
                        builder.insert_object(*want, None).map_err(failed())?;
                    }
                }
                // A tag of something that is no commit.
                Err(_) => builder.insert_recursive(*want, None).map_err(failed())?,
            }
        }
        for have in haves {
            // What is not known here is nothing to leave out.
            let _ = walk.hide(*have);
        }
        builder.insert_walk(&mut walk).map_err(failed())?;
        let mut left = limits.pack;
        let mut stopped = None;
        let written = builder.foreach(|bytes| {
            let result = match left.checked_sub(bytes.len() as u64) {
                _ if Instant::now() > until => {
                    Err(RemoteError::TimedOut("it took longer than a fetch may"))
                }
                None => Err(RemoteError::TooLarge {
                    what: "the repository's pack",
                    limit: limits.pack,
                }),
                Some(rest) => {
                    left = rest;
                    pack.write_all(bytes)
                        .map_err(RemoteError::mirror("writing to the folder"))
                }
            };
            let go_on = result.is_ok();
            stopped = result.err();
            go_on
        });
        match stopped {
            Some(error) => Err(error),
            None => written.map_err(failed()),
        }
    }

    /// Moves a ref, if it is where it is expected.
    pub(super) fn push(&self, change: &Change<'_>) -> Result<(), RemoteError> {
        let failed = || RemoteError::git(WRITING);
        let database = self.repository.odb().map_err(failed())?;
        let mut pack = database.packwriter().map_err(failed())?;
        pack.write_all(&change.pack)
            .map_err(RemoteError::mirror("writing to the repository"))?;
        pack.commit().map_err(failed())?;
        let before = change.before.unwrap_or(Oid::ZERO_SHA1);
        let moved = self.repository.reference_matching(
            change.reference,
            change.after,
            true,
            before,
            "push",
        );
        moved.map(|_| ()).map_err(|error| RemoteError::Rejected {
            address: self.address.clone(),
            reference: change.reference.to_owned(),
            problem: error.message().to_owned(),
        })
    }
}
