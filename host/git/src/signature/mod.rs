//! Whether commits are signed by whom one trusts.

mod openpgp;
mod signing;
mod ssh;

use std::fmt;

use git2::{ErrorCode, Oid, Sort};
use whimbrel_core::lineage::Revision;

use crate::{GitError, Repository};

use openpgp::OpenPgpKeys;
use ssh::AllowedSigners;

pub use signing::{SigningKey, SigningKeyError};

/// The most commits that are looked at: a repository with more since what was applied last was not followed for years.
const MAXIMUM_COMMITS: usize = 100_000;

const WALKING: &str = "walking through commits";
const READING: &str = "reading a commit's signature";

/// Which commits must be signed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Verify {
    /// None.
    #[default]
    None,
    /// The one at hand: whoever signed it answers for all that is in it.
    Head,
    /// The one at hand, and every one that changed a migration.
    EveryMigrationCommit,
}

/// Whose signatures count.
#[derive(Clone, Debug, Default)]
pub struct Signers {
    ssh: AllowedSigners,
    openpgp: OpenPgpKeys,
}

/// The lists of signers can't be read.
#[derive(Debug, thiserror::Error)]
pub enum SignersError {
    /// A line of the allowed signers.
    #[error("line {line} of the allowed signers: {problem}")]
    AllowedSigners {
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        problem: String,
    },
    /// The OpenPGP keys.
    #[error("the OpenPGP keys: {0}")]
    OpenPgp(String),
}

/// Who signed a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    /// The commit.
    pub commit: Revision,
    /// Whom the list of signers says that the key belongs to.
    pub signer: String,
    /// The key's fingerprint.
    pub key: String,
}

/// A commit isn't signed as it must be.
#[derive(Debug, thiserror::Error)]
pub enum SignatureError {
    /// Why it doesn't count.
    #[error("the commit {} by {author} {problem}", .commit.short())]
    Commit {
        /// The commit.
        commit: Revision,
        /// Who says to have written it.
        author: String,
        /// Why it doesn't count.
        problem: SignatureProblem,
    },
    /// There are more commits than are looked at.
    #[error("more than {MAXIMUM_COMMITS} commits would have to be looked at")]
    TooMany,
    /// The repository can't be read.
    #[error(transparent)]
    Git(#[from] GitError),
}

/// Why a commit's signature doesn't count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignatureProblem {
    /// There is none.
    Unsigned,
    /// It is by a key of nobody who is listed.
    UnknownKey(String),
    /// The key is listed, and not for this: another purpose, or another time.
    NotAllowed(String),
    /// It isn't of this commit, or uses what is no longer safe.
    Wrong(String),
    /// It can't be read.
    Unreadable(String),
}

impl fmt::Display for SignatureProblem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unsigned => formatter.write_str("isn't signed"),
            Self::UnknownKey(key) => write!(
                formatter,
                "is signed with a key of nobody who is listed ({key})"
            ),
            Self::NotAllowed(why) => write!(
                formatter,
                "is signed with a key that doesn't count here: {why}"
            ),
            Self::Wrong(why) => write!(formatter, "has a signature that isn't good: {why}"),
            Self::Unreadable(why) => write!(formatter, "has a signature that can't be read: {why}"),
        }
    }
}

impl SignatureError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let Self::Commit { problem, .. } = self else {
            return None;
        };
        let hint = match problem {
            SignatureProblem::Unsigned => {
                "`git commit -S`, or `git rebase --exec 'git commit --amend --no-edit -S'` on a branch of one's own"
            }
            SignatureProblem::UnknownKey(_) => "list the signer's key, if it is theirs",
            SignatureProblem::NotAllowed(_) => "look at the key's options in the list of signers",
            SignatureProblem::Wrong(_) | SignatureProblem::Unreadable(_) => {
                "sign the commit again with a key of today"
            }
        };
        Some(hint.to_owned())
    }
}

impl Signers {
    /// Reads keys of SSH in the form of `gpg.ssh.allowedSignersFile` (ssh-keygen(1), "ALLOWED SIGNERS"), and armoured
    /// OpenPGP certificates, one after the other. Either may be empty.
    ///
    /// # Errors
    /// One of them can't be read.
    pub fn parse(allowed_signers: &str, openpgp: &str) -> Result<Self, SignersError> {
        Ok(Self {
            ssh: AllowedSigners::parse(allowed_signers)?,
            openpgp: OpenPgpKeys::parse(openpgp)?,
        })
    }
}

impl Repository {
    /// Whether a commit is signed by somebody who is listed. What the commit says of its time is what a key must have
    /// been valid at, as Git itself does it: revoke a key that got lost by taking it from the list.
    ///
    /// # Errors
    /// It isn't, or it can't be read.
    pub fn verify_commit(
        &self,
        revision: &Revision,
        signers: &Signers,
    ) -> Result<Signed, SignatureError> {
        let repository = self.lock();
        let commit = Self::find_commit(&repository, revision)?;
        Self::verify_in(&repository, &commit, signers)
    }

    /// The same for whoever holds the repository.
    pub(crate) fn verify_in(
        repository: &git2::Repository,
        commit: &git2::Commit<'_>,
        signers: &Signers,
    ) -> Result<Signed, SignatureError> {
        let refused = |problem| SignatureError::Commit {
            commit: Revision::commit(commit.id().to_string()),
            author: String::from_utf8_lossy(commit.author().email_bytes()).into_owned(),
            problem,
        };
        let (signature, content) = match repository.extract_signature(&commit.id(), None) {
            Ok(found) => found,
            Err(error) if error.code() == ErrorCode::NotFound => {
                return Err(refused(SignatureProblem::Unsigned));
            }
            Err(error) => return Err(GitError::doing(READING)(error).into()),
        };
        let text = std::str::from_utf8(&signature)
            .map_err(|_| refused(SignatureProblem::Unreadable("it is no text".to_owned())))?;
        let at = commit.committer().when().seconds();
        let verified = if text.contains("BEGIN SSH SIGNATURE") {
            signers.ssh.verify(text, &content, at)
        } else if text.contains("BEGIN PGP SIGNATURE") {
            signers.openpgp.verify(text, &content)
        } else {
            Err(SignatureProblem::Unreadable(
                "it is neither SSH's nor OpenPGP's".to_owned(),
            ))
        };
        let (signer, key) = verified.map_err(refused)?;
        Ok(Signed {
            commit: Revision::commit(commit.id().to_string()),
            signer,
            key,
        })
    }

    /// Whether the commit at hand is signed as a policy asks. `folder` is that of the migrations, from the repository's
    /// root. What `since` has, such as what was applied and so verified before, isn't looked at again.
    ///
    /// # Errors
    /// A commit isn't signed by somebody who is listed, or can't be read.
    pub fn verify(
        &self,
        policy: Verify,
        head: &Revision,
        folder: &str,
        since: Option<&Revision>,
        signers: &Signers,
    ) -> Result<Vec<Signed>, SignatureError> {
        if policy == Verify::None {
            return Ok(Vec::new());
        }
        let mut signed = vec![self.verify_commit(head, signers)?];
        if policy == Verify::EveryMigrationCommit {
            for commit in self.changing(head, folder, since)? {
                if commit.commit != head.commit {
                    signed.push(self.verify_commit(&commit, signers)?);
                }
            }
        }
        Ok(signed)
    }

    /// The commits that changed a folder: what each of them has there none of its parents has.
    fn changing(
        &self,
        head: &Revision,
        folder: &str,
        since: Option<&Revision>,
    ) -> Result<Vec<Revision>, SignatureError> {
        let repository = self.lock();
        let mut walk = repository.revwalk().map_err(GitError::doing(WALKING))?;
        walk.set_sorting(Sort::TOPOLOGICAL)
            .map_err(GitError::doing(WALKING))?;
        let head = Self::find_commit(&repository, head)?.id();
        walk.push(head).map_err(GitError::doing(WALKING))?;
        if let Some(since) = since
            && let Ok(since) = Self::find_commit(&repository, since)
        {
            walk.hide(since.id()).map_err(GitError::doing(WALKING))?;
        }
        let at = |id: Oid| -> Result<Option<Oid>, GitError> {
            let tree = repository
                .find_commit(id)
                .and_then(|commit| commit.tree())
                .map_err(GitError::doing(WALKING))?;
            let folder = folder.trim_matches('/');
            if folder.is_empty() {
                return Ok(Some(tree.id()));
            }
            Ok(tree
                .get_path(std::path::Path::new(folder))
                .ok()
                .map(|entry| entry.id()))
        };
        let mut found = Vec::new();
        for (number, id) in walk.enumerate() {
            if number >= MAXIMUM_COMMITS {
                return Err(SignatureError::TooMany);
            }
            let id = id.map_err(GitError::doing(WALKING))?;
            let commit = repository
                .find_commit(id)
                .map_err(GitError::doing(WALKING))?;
            let now = at(id)?;
            let mut is_new = true;
            for parent in commit.parent_ids() {
                is_new = is_new && at(parent)? != now;
            }
            // A first commit changed what it has.
            if is_new && (commit.parent_count() > 0 || now.is_some()) {
                found.push(Revision::commit(id.to_string()));
            }
        }
        Ok(found)
    }
}
