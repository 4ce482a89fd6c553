//! The branch, or the branches or tags of a pattern, that an environment follows: what everybody has, where a clone
//! knows it.

use git2::ErrorCode;
use whimbrel_core::lineage::Revision;

use crate::version::Version;
use crate::{GitError, Repository};

const READING: &str = "reading refs";

/// Where branches are, the ones that everybody has first.
const BRANCHES: [&str; 2] = ["refs/remotes/origin/", "refs/heads/"];

/// What a name or a pattern stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Followed {
    /// The tip of a branch: `origin`'s where the clone has it, because a local one may be behind, or nobody's but its
    /// owner's.
    Branch(Revision),
    /// The tips of the branches that match a pattern: the highest version first, then those without one, newest first.
    Branches(Vec<Revision>),
    /// The commits of the tags that match, in the same order.
    Tags(Vec<Revision>),
}

impl Followed {
    /// The commit that is followed now.
    #[must_use]
    pub fn newest(&self) -> Option<&Revision> {
        match self {
            Self::Branch(tip) => Some(tip),
            Self::Branches(commits) | Self::Tags(commits) => commits.first(),
        }
    }
}

impl Repository {
    /// What the name of a branch, or a pattern of branches (`release/*`) or tags (`v*`), stands for; none when there is
    /// no such thing. Branches go before tags of the same name, so that nobody can take their place by pushing one.
    ///
    /// # Errors
    /// The repository can't be read.
    pub fn follow(&self, name: &str) -> Result<Option<Followed>, GitError> {
        let repository = self.lock();
        for namespace in BRANCHES {
            match repository.find_reference(&format!("{namespace}{name}")) {
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
        if name.contains(['*', '?', '[']) {
            for namespace in BRANCHES {
                let tips = matching(&repository, namespace, name)?;
                if !tips.is_empty() {
                    return Ok(Some(Followed::Branches(tips)));
                }
            }
        }
        let tags = matching(&repository, "refs/tags/", name)?;
        Ok((!tags.is_empty()).then_some(Followed::Tags(tags)))
    }

    /// The branch that `origin` calls its own, as a clone remembers it; of a bare repository, its own.
    #[must_use]
    pub fn default_branch(&self) -> Option<String> {
        let (head, prefix) = if self.work_tree().is_some() {
            ("refs/remotes/origin/HEAD", "refs/remotes/origin/")
        } else {
            ("HEAD", "refs/heads/")
        };
        let repository = self.lock();
        let head = repository.find_reference(head).ok()?;
        let target = head.symbolic_target().ok().flatten()?;
        target.strip_prefix(prefix).map(str::to_owned)
    }
}

/// The commits of refs that match a pattern: the highest version first, then those without a version, newest first.
fn matching(
    repository: &git2::Repository,
    namespace: &str,
    pattern: &str,
) -> Result<Vec<Revision>, GitError> {
    let found = match repository.references_glob(&format!("{namespace}{pattern}")) {
        Ok(found) => found,
        // What can't be a ref's name matches none.
        Err(error) if error.code() == ErrorCode::InvalidSpec => return Ok(Vec::new()),
        Err(error) => return Err(GitError::doing(READING)(error)),
    };
    let mut commits: Vec<_> = found
        .flatten()
        .filter_map(|reference| {
            let commit = reference.peel_to_commit().ok()?;
            let name = reference.name().ok()?.strip_prefix(namespace)?.to_owned();
            // `origin/HEAD` is another name of a branch that is there.
            (name != "HEAD").then(|| {
                let version = Version::of(&name);
                (version, commit.time().seconds(), name, commit.id())
            })
        })
        .collect();
    commits.sort();
    Ok(commits
        .into_iter()
        .rev()
        .map(|(_, _, _, id)| Revision::commit(id.to_string()))
        .collect())
}
