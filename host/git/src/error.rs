//! What can go wrong with a repository, in words that say what to do.

use std::path::{Path, PathBuf};

use git2::ErrorCode;

/// A repository could not be read, or a ref could not be written.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// The repository's folder belongs to somebody else, so Git refuses to trust its configuration.
    #[error(
        "the Git repository at {} belongs to another user; if you trust it, run `git config --global --add safe.directory {}`",
        .0.display(), .0.display()
    )]
    Owner(PathBuf),
    /// No such branch, tag or commit.
    #[error("no branch, tag or commit called `{reference}` in the Git repository at {}", .repository.display())]
    UnknownReference {
        /// What was asked for.
        reference: String,
        /// Where.
        repository: PathBuf,
    },
    /// A short commit id that fits several commits.
    #[error("`{0}` fits several commits; give more digits")]
    Ambiguous(String),
    /// A commit that this clone doesn't have.
    #[error(
        "this clone doesn't have the commit {commit}{}",
        if *.shallow { ": it is shallow, fetch the whole history (`git fetch --unshallow`)" } else { "" }
    )]
    UnknownCommit {
        /// The commit.
        commit: String,
        /// Whether the clone is shallow.
        shallow: bool,
    },
    /// A folder that isn't in a commit.
    #[error("the commit {commit} has no folder `{path}`")]
    NoFolder {
        /// The path from the repository's root.
        path: String,
        /// The commit.
        commit: String,
    },
    /// A folder outside the work tree.
    #[error("{} isn't inside the work tree of the Git repository at {}", .folder.display(), .repository.display())]
    Outside {
        /// The folder.
        folder: PathBuf,
        /// The repository.
        repository: PathBuf,
    },
    /// A promotion record that isn't one.
    #[error("the promotion record `{path}` of {environment} in the Git repository can't be read")]
    Record {
        /// The file in the record's tree.
        path: String,
        /// The environment.
        environment: String,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// What is published for promotion is something else.
    #[error(
        "what is published for {environment} in the Git repository are no promotion records: {problem}"
    )]
    NotRecords {
        /// The environment.
        environment: String,
        /// What it is instead.
        problem: String,
    },
    /// Signed records would be replaced by unsigned ones.
    #[error("the promotion records of {0} are signed, and there is no key to sign new ones")]
    NoSigningKey(String),
    /// Others kept writing the same ref.
    #[error("the ref {0} was changed by somebody else each time; try again")]
    Contended(String),
    /// Anything else that libgit2 says.
    #[error("{doing}: {}", .source.message())]
    Git {
        /// What was being done.
        doing: &'static str,
        /// What libgit2 says.
        #[source]
        source: git2::Error,
    },
}

impl GitError {
    /// Wraps what libgit2 said while doing something.
    pub(crate) const fn doing(doing: &'static str) -> impl FnOnce(git2::Error) -> Self {
        move |source| Self::Git { doing, source }
    }

    /// Wraps what libgit2 said while opening a folder.
    pub(crate) fn opening(folder: &Path, source: git2::Error) -> Self {
        if source.code() == ErrorCode::Owner {
            Self::Owner(folder.to_path_buf())
        } else {
            Self::Git {
                doing: "opening the Git repository",
                source,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use git2::{Error, ErrorClass, ErrorCode};

    use super::GitError;

    #[test]
    fn a_repository_of_another_user_says_what_to_do() {
        let refused = Error::new(ErrorCode::Owner, ErrorClass::Config, "not owned");
        let text = GitError::opening(Path::new("/srv/shop"), refused).to_string();
        assert!(
            text.contains("belongs to another user") && text.contains("safe.directory /srv/shop"),
            "{text}"
        );
    }

    #[test]
    fn other_errors_say_what_was_done() {
        let broken = Error::new(
            ErrorCode::GenericError,
            ErrorClass::Odb,
            "object is corrupt",
        );
        let text = GitError::opening(Path::new("/srv/shop"), broken).to_string();
        assert_eq!(text, "opening the Git repository: object is corrupt");
    }
}
