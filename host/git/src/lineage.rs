//! How one commit relates to another, and which commit between them took something away.

use git2::{Oid, Sort};
use whimbrel_core::lineage::Revision;

use crate::{GitError, Repository};

/// The most commits that are searched one by one for a definition that was applied before it was committed. Beyond
/// them it counts as never committed, which refuses and harms nothing.
const MAXIMUM_COMMITS: usize = 1_000;

const WALKING: &str = "walking through commits";

/// How the revision at hand relates to one that was applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    /// The same commit.
    Same,
    /// The revision at hand descends from the applied one.
    Descendant,
    /// The revision at hand is older: the applied one descends from it.
    Ancestor,
    /// Neither descends from the other.
    Diverged,
    /// The clone doesn't have the applied commit, or is too shallow to tell.
    UnknownRevision,
}

/// What the commits between two revisions did to something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Removal {
    /// This commit took it away.
    By(Revision),
    /// It was there at the older revision or in between, and the commit that took it away was not found.
    Somewhere,
    /// It never was in any of them.
    NeverThere,
}

impl Repository {
    /// How the revision at hand relates to one that was applied. Uncommitted changes of either don't count.
    ///
    /// # Errors
    /// The clone doesn't have the revision at hand, or the object database can't be read.
    pub fn relation(&self, applied: &Revision, now: &Revision) -> Result<Relation, GitError> {
        let repository = self.lock();
        let now = Self::find_commit(&repository, now)?.id();
        let Ok(applied) = Self::find_commit(&repository, applied) else {
            return Ok(Relation::UnknownRevision);
        };
        let applied = applied.id();
        if applied == now {
            return Ok(Relation::Same);
        }
        let descends = |commit: Oid, ancestor: Oid| {
            repository
                .graph_descendant_of(commit, ancestor)
                .map_err(GitError::doing("comparing two commits"))
        };
        Ok(if descends(now, applied)? {
            Relation::Descendant
        } else if descends(applied, now)? {
            Relation::Ancestor
        } else if repository.is_shallow() {
            Relation::UnknownRevision
        } else {
            Relation::Diverged
        })
    }

    /// Where two commits' lines parted; none when they never met.
    ///
    /// # Errors
    /// The clone doesn't have one of them.
    pub fn common_ancestor(
        &self,
        one: &Revision,
        other: &Revision,
    ) -> Result<Option<Revision>, GitError> {
        let repository = self.lock();
        let one = Self::find_commit(&repository, one)?.id();
        let other = Self::find_commit(&repository, other)?.id();
        let base = repository.merge_base(one, other).ok();
        Ok(base.map(|id| Revision::commit(id.to_string())))
    }

    /// Which commit after `applied`, up to and including `now`, took something away that `has` looks for. Merges are
    /// looked at as wholes first (by first parents), and then what came in through the one that took it away.
    ///
    /// `now` must descend from `applied` and must not have the thing any more.
    ///
    /// # Errors
    /// A commit is missing, or `has` failed.
    pub fn removal<E: From<GitError>>(
        &self,
        applied: &Revision,
        now: &Revision,
        mut has: impl FnMut(&Revision) -> Result<bool, E>,
    ) -> Result<Removal, E> {
        let mut oldest = applied.clone();
        if !has(applied)? {
            // It was applied from a work tree; perhaps it was committed afterwards.
            let mut committed = None;
            for revision in self.between(applied, now)? {
                if has(&revision)? {
                    committed = Some(revision);
                    break;
                }
            }
            match committed {
                Some(revision) => oldest = revision,
                None => return Ok(Removal::NeverThere),
            }
        }
        let mut newest = now.clone();
        // One round for the main line and one for each merge that brought the removal in. `oldest` has it, `newest`
        // doesn't.
        loop {
            let line = self.first_parents(&oldest, &newest)?;
            let Some(commit) = bisect(&line, &mut has)? else {
                return Ok(Removal::Somewhere);
            };
            let by_merge = Removal::By(commit.clone());
            let Some((side, base)) = self.merged(&commit)? else {
                return Ok(by_merge);
            };
            if has(&side)? || !has(&base)? {
                return Ok(by_merge);
            }
            (oldest, newest) = (base, side);
        }
    }

    /// The commits after `oldest` up to `newest` along first parents, oldest first, as far as they descend from it.
    fn first_parents(
        &self,
        oldest: &Revision,
        newest: &Revision,
    ) -> Result<Vec<Revision>, GitError> {
        let repository = self.lock();
        let end = Self::find_commit(&repository, oldest)?.id();
        let mut walk = walk(&repository, oldest, newest)?;
        walk.simplify_first_parent()
            .map_err(GitError::doing(WALKING))?;
        let mut line: Vec<Oid> = walk
            .collect::<Result<_, _>>()
            .map_err(GitError::doing(WALKING))?;
        // When `oldest` came in through a merge, the line goes on past that merge to commits that never knew it.
        let descending = line.partition_point(|commit| {
            repository
                .graph_descendant_of(*commit, end)
                .unwrap_or(false)
        });
        line.truncate(descending);
        line.reverse();
        Ok(line
            .into_iter()
            .map(|id| Revision::commit(id.to_string()))
            .collect())
    }

    /// Commits after `oldest` up to `newest` on all branches, newest first; not all of them when there are too many.
    fn between(&self, oldest: &Revision, newest: &Revision) -> Result<Vec<Revision>, GitError> {
        let repository = self.lock();
        walk(&repository, oldest, newest)?
            .take(MAXIMUM_COMMITS)
            .map(|id| {
                id.map(|id| Revision::commit(id.to_string()))
                    .map_err(GitError::doing(WALKING))
            })
            .collect()
    }

    /// For a merge: the branch that came in, and where it had left the line.
    fn merged(&self, merge: &Revision) -> Result<Option<(Revision, Revision)>, GitError> {
        let repository = self.lock();
        let commit = Self::find_commit(&repository, merge)?;
        let (Ok(first), Ok(side)) = (commit.parent_id(0), commit.parent_id(1)) else {
            return Ok(None);
        };
        let revision = |id: Oid| Revision::commit(id.to_string());
        Ok(repository
            .merge_base(first, side)
            .ok()
            .map(|base| (revision(side), revision(base))))
    }
}

fn walk<'r>(
    repository: &'r git2::Repository,
    oldest: &Revision,
    newest: &Revision,
) -> Result<git2::Revwalk<'r>, GitError> {
    let mut walk = repository.revwalk().map_err(GitError::doing(WALKING))?;
    walk.set_sorting(Sort::TOPOLOGICAL)
        .map_err(GitError::doing(WALKING))?;
    walk.push(Repository::find_commit(repository, newest)?.id())
        .map_err(GitError::doing(WALKING))?;
    walk.hide(Repository::find_commit(repository, oldest)?.id())
        .map_err(GitError::doing(WALKING))?;
    Ok(walk)
}

/// A commit of a line that lacks the thing while the one before has it. The line begins after a commit that has it
/// and ends with one that doesn't; halving finds such a commit, whatever happened in between.
fn bisect<E>(
    line: &[Revision],
    has: &mut impl FnMut(&Revision) -> Result<bool, E>,
) -> Result<Option<Revision>, E> {
    let mut rest = line;
    while rest.len() > 1 {
        let (first, second) = rest.split_at(rest.len() / 2);
        let Some(middle) = first.last() else { break };
        rest = if has(middle)? { second } else { first };
    }
    Ok(rest.first().cloned())
}
