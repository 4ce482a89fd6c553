//! A bare mirror of a remote repository in a folder of the cache: what was fetched last, and nothing that couldn't be
//! fetched again.
//!
//! Objects come in packs that are there whole or not at all, and refs move after them, so that a process that dies
//! leaves what was there before; what it was writing, the next one takes away. One process at a time fetches; whoever
//! reads needs no lock.

use std::collections::BTreeSet;
use std::fs::{self, File, TryLockError};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Instant;

use git2::Oid;
use sha2::{Digest as _, Sha256};
use whimbrel_core::lineage::Revision;

use crate::Repository;

use super::advertisement::Advertisement;
use super::credentials::Access;
use super::exchange::Change;
use super::link::Link;
use super::{Address, Limits, RemoteError, packs, references, remains};

/// How often records are written anew when others write the same ref at the server.
const ATTEMPTS: u32 = 5;

/// A bare mirror of a remote repository.
#[derive(Clone, Debug)]
pub struct Mirror {
    address: Address,
    folder: PathBuf,
    limits: Limits,
}

/// What a fetch brought.
#[derive(Debug)]
pub struct Fetched {
    /// The mirror as it is now.
    pub repository: Repository,
    /// What moved, by name of the ref.
    pub moves: Vec<Move>,
    /// Whether the mirror was made, or made again because it could not be used.
    pub is_new: bool,
}

/// What happened to a ref.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Move {
    /// Its whole name, such as `refs/heads/main`.
    pub reference: String,
    /// Where it was; none if it is new.
    pub before: Option<Revision>,
    /// Where it is; none if it is gone.
    pub after: Option<Revision>,
    /// Whether what was there before is no longer in it: history was taken back.
    pub forced: bool,
}

/// Holds a mirror for one process.
struct Lock(#[allow(dead_code)] File);

impl Mirror {
    /// The mirror of a repository in a cache. Nothing is read or made yet.
    #[must_use]
    pub fn new(cache: &Path, address: Address, limits: Limits) -> Self {
        let digest = hex::encode(Sha256::digest(address.to_string()));
        let name = digest.get(..32).unwrap_or(&digest);
        Self {
            folder: cache.join(format!("{name}.git")),
            address,
            limits,
        }
    }

    /// Whose mirror it is.
    #[must_use]
    pub const fn address(&self) -> &Address {
        &self.address
    }

    /// Its folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What was fetched last; none if that was nothing, or if it can't be used.
    #[must_use]
    pub fn last(&self) -> Option<Repository> {
        let repository = git2::Repository::open_bare(&self.folder).ok()?;
        references::are_sound(&repository).then(|| Repository::new(repository))
    }

    /// Brings the mirror to what the server has: branches, tags, Whimbrel's own refs, and those that are named besides
    /// (`refs/pull/7/head`, or a commit's whole id).
    ///
    /// # Errors
    /// The server can't be reached, refuses, or has none of the named refs. What was fetched before is still there.
    pub fn fetch(&self, access: &Access, besides: &[String]) -> Result<Fetched, RemoteError> {
        let until = Instant::now() + self.limits.total;
        let _lock = self.lock()?;
        let (repository, is_new) = self.open()?;
        let (moves, _) = self.bring(&repository, access, besides, until)?;
        Ok(Fetched {
            repository: self.reopened()?,
            moves,
            is_new,
        })
    }

    /// Makes the mirror's packs one when there are many: each fetch adds one. Apart from fetching, because nobody who waits
    /// for what a fetch brings needs it; and not now, where somebody else uses the mirror.
    ///
    /// # Errors
    /// It can't be made smaller now. Nothing is lost, and the next time tries again.
    pub fn tidy(&self) -> Result<(), RemoteError> {
        let Ok(repository) = git2::Repository::open_bare(&self.folder) else {
            // The next fetch makes it.
            return Ok(());
        };
        if !packs::are_many(&repository, self.limits.packs)? {
            return Ok(());
        }
        let Some(_lock) = self.try_lock()? else {
            return Ok(());
        };
        packs::tidy(&repository)
    }

    /// Fetches, lets a ref be written in the mirror, and pushes it; again if somebody else pushed it meanwhile.
    ///
    /// # Errors
    /// The server can't be reached or doesn't take the ref, or writing failed.
    pub fn publish<E: From<RemoteError>>(
        &self,
        access: &Access,
        reference: &str,
        mut write: impl FnMut(&Repository) -> Result<(), E>,
    ) -> Result<(), E> {
        let until = Instant::now() + self.limits.total;
        let _lock = self.lock()?;
        let mut attempt = 1;
        loop {
            let (repository, _) = self.open()?;
            let (_, advertised) = self.bring(&repository, access, &[], until)?;
            write(&self.reopened()?)?;
            let before = advertised.refs.get(reference).copied();
            let Ok(after) = repository.refname_to_id(reference) else {
                return Ok(());
            };
            if before == Some(after) {
                return Ok(());
            }
            let pack = packs::between(&repository, after, advertised.refs.values())?;
            let change = Change {
                reference,
                before,
                after,
                pack,
            };
            match self.send(access, &change, until) {
                Err(RemoteError::Rejected { .. }) if attempt < ATTEMPTS => attempt += 1,
                other => {
                    if other.is_err() {
                        // What the server doesn't have, the mirror doesn't have.
                        references::set(&repository, reference, before)?;
                    }
                    return Ok(other?);
                }
            }
        }
    }

    fn send(
        &self,
        access: &Access,
        change: &Change<'_>,
        until: Instant,
    ) -> Result<(), RemoteError> {
        let mut link = Link::open(&self.address, access, &self.limits, until)?;
        link.push(change)
    }

    /// Throws the mirror away; the next fetch makes it again.
    ///
    /// # Errors
    /// Its folder can't be removed.
    pub fn discard(&self) -> Result<(), RemoteError> {
        let _lock = self.lock()?;
        self.remove()
    }

    fn remove(&self) -> Result<(), RemoteError> {
        // Away at once, so that nobody finds half of it.
        let aside = self.folder.with_extension("broken");
        let failed = RemoteError::mirror("removing the folder");
        let removed = gone(&aside)
            .and_then(|()| fs::rename(&self.folder, &aside).or_else(absent))
            .and_then(|()| gone(&aside));
        removed.map_err(failed)
    }

    fn bring(
        &self,
        repository: &git2::Repository,
        access: &Access,
        besides: &[String],
        until: Instant,
    ) -> Result<(Vec<Move>, Advertisement), RemoteError> {
        let mut link = Link::open(&self.address, access, &self.limits, until)?;
        let advertised = link.advertised()?;
        let mut wanted = references::wanted(&advertised);
        let mut commits = BTreeSet::new();
        for name in besides {
            if let Some(id) = advertised.refs.get(name) {
                wanted.insert(name.clone(), *id);
            } else if let (true, Ok(id)) = (name.len() == 40, Oid::from_str(name)) {
                commits.insert(id);
            } else {
                return Err(RemoteError::NoReference {
                    address: self.address.clone(),
                    reference: name.clone(),
                });
            }
        }
        let database = repository
            .odb()
            .map_err(RemoteError::git("opening the mirror"))?;
        let missing: BTreeSet<Oid> = wanted
            .values()
            .filter(|id| !database.exists(**id))
            .copied()
            .collect();
        if !missing.is_empty() {
            let haves = references::known(repository, self.limits.haves);
            let missing: Vec<_> = missing.into_iter().collect();
            link.fetch(repository, &advertised, &missing, &haves)?;
            let come = missing.iter().all(|id| database.exists(*id));
            if !come {
                return Err(RemoteError::protocol("the pack lacks what was asked for"));
            }
        }
        let rest: Vec<Oid> = commits
            .into_iter()
            .filter(|id| !database.exists(*id))
            .collect();
        if !rest.is_empty() {
            // A commit that no ref leads to any more: some servers give it to who knows its name.
            let mut link = Link::open(&self.address, access, &self.limits, until)?;
            let advertised = link.advertised()?;
            let given = ["allow-reachable-sha1-in-want", "allow-tip-sha1-in-want"];
            if !given.iter().any(|capability| advertised.can(capability)) {
                return Err(RemoteError::NoReference {
                    address: self.address.clone(),
                    reference: rest
                        .iter()
                        .map(ToString::to_string)
                        .collect::<Vec<_>>()
                        .join(" "),
                });
            }
            let haves = references::known(repository, self.limits.haves);
            link.fetch(repository, &advertised, &rest, &haves)?;
        }
        let moves = references::bring(repository, &wanted, advertised.default_branch.as_deref())?;
        Ok((moves, advertised))
    }

    /// The mirror, made if it isn't there or can't be used; without what somebody who died was writing in it.
    fn open(&self) -> Result<(git2::Repository, bool), RemoteError> {
        if let Ok(repository) = git2::Repository::open_bare(&self.folder)
            && references::are_sound(&repository)
        {
            remains::remove(&self.folder).map_err(RemoteError::mirror(
                "removing what a process that died left",
            ))?;
            return Ok((repository, false));
        }
        self.remove()?;
        let repository = git2::Repository::init_bare(&self.folder)
            .map_err(RemoteError::git("making the mirror"))?;
        Ok((repository, true))
    }

    fn reopened(&self) -> Result<Repository, RemoteError> {
        git2::Repository::open_bare(&self.folder)
            .map(Repository::new)
            .map_err(RemoteError::git("opening the mirror"))
    }

    fn lock(&self) -> Result<Lock, RemoteError> {
        let until = Instant::now() + self.limits.lock;
        loop {
            if let Some(lock) = self.try_lock()? {
                return Ok(lock);
            }
            if Instant::now() > until {
                return Err(RemoteError::Busy(self.address.clone()));
            }
            thread::sleep(self.limits.lock_poll);
        }
    }

    /// None where somebody else holds it.
    fn try_lock(&self) -> Result<Option<Lock>, RemoteError> {
        let failed = || RemoteError::mirror("locking the folder");
        if let Some(parent) = self.folder.parent() {
            // Definitions may be nobody else's business.
            let mut builder = fs::DirBuilder::new();
            builder.recursive(true).mode(0o700);
            builder.create(parent).map_err(failed())?;
        }
        let file = File::create(self.folder.with_extension("lock")).map_err(failed())?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Lock(file))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(failed()(error)),
        }
    }
}

/// Removes a folder, or a file in its place.
fn gone(path: &Path) -> std::io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => absent(error),
    }
}

fn absent(error: std::io::Error) -> std::io::Result<()> {
    if error.kind() == std::io::ErrorKind::NotFound {
        Ok(())
    } else {
        Err(error)
    }
}
