//! The branch, or the tags, that an environment follows: what everybody has, where a clone knows it.

use git2::ErrorCode;
use whimbrel_core::lineage::Revision;

use crate::{GitError, Repository};

/// What a name or a pattern stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Followed {
    /// The tip of a branch: `origin`'s where the clone has it, because a local one may be behind, or nobody's but its
    /// owner's.
    Branch(Revision),
    /// The commits of the tags that match, the newest first.
    Tags(Vec<Revision>),
}

impl Followed {
    /// The commit that is followed now.
    #[must_use]
    pub fn newest(&self) -> Option<&Revision> {
        match self {
            Self::Branch(tip) => Some(tip),
            Self::Tags(tags) => tags.first(),
        }
    }
}

impl Repository {
    /// What a branch's name or a pattern of tags (`v*`) stands for; none when there is no such thing. A branch goes
    /// before a tag of the same name, so that nobody can take its place by pushing one.
    ///
    /// # Errors
    /// The repository can't be read.
    pub fn follow(&self, name: &str) -> Result<Option<Followed>, GitError> {
        const READING: &str = "reading refs";
        let repository = self.lock();
        for reference in [
            format!("refs/remotes/origin/{name}"),
            format!("refs/heads/{name}"),
        ] {
            match repository.find_reference(&reference) {
                Ok(found) => {
                    let commit = found.peel_to_commit().map_err(GitError::doing(READING))?;
                    return Ok(Some(Followed::Branch(Revision::commit(
                        commit.id().to_string(),
                    ))));
                }
                Err(error)
                    if matches!(error.code(), ErrorCode::NotFound | ErrorCode::InvalidSpec) => {}
                Err(error) => return Err(GitError::doing(READING)(error)),
            }
        }
        let names = repository
            .tag_names(Some(name))
            .map_err(GitError::doing(READING))?;
        let mut commits: Vec<_> = names
            .iter()
            .flatten()
            .flatten()
            .filter_map(|tag| {
                let found = repository
                    .find_reference(&format!("refs/tags/{tag}"))
                    .ok()?;
                let commit = found.peel_to_commit().ok()?;
                Some((commit.time().seconds(), tag.to_owned(), commit.id()))
            })
            .collect();
        commits.sort();
        let tags: Vec<_> = commits
            .into_iter()
            .rev()
            .map(|(_, _, id)| Revision::commit(id.to_string()))
            .collect();
        Ok((!tags.is_empty()).then_some(Followed::Tags(tags)))
    }

    /// The branch that `origin` calls its own, as a clone remembers it.
    #[must_use]
    pub fn default_branch(&self) -> Option<String> {
        let repository = self.lock();
        let head = repository.find_reference("refs/remotes/origin/HEAD").ok()?;
        let target = head.symbolic_target().ok().flatten()?;
        target
            .strip_prefix("refs/remotes/origin/")
            .map(str::to_owned)
    }
}
