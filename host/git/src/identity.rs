//! Who wrote a commit.

use std::fmt;

use whimbrel_core::lineage::Revision;

use crate::{GitError, Repository};

/// A person as a commit names them. Nothing proves it unless the commit is signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The name.
    pub name: String,
    /// The address.
    pub email: String,
}

impl Identity {
    fn of(signature: &git2::Signature<'_>) -> Self {
        Self {
            name: String::from_utf8_lossy(signature.name_bytes()).into_owned(),
            email: String::from_utf8_lossy(signature.email_bytes()).into_owned(),
        }
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} <{}>", self.name, self.email)
    }
}

/// Who a commit is from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authorship {
    /// Who wrote the change.
    pub author: Identity,
    /// Who made the commit.
    pub committer: Identity,
    /// The first line of the message.
    pub summary: String,
}

impl Repository {
    /// Who a commit is from.
    ///
    /// # Errors
    /// The clone doesn't have the commit.
    pub fn authorship(&self, revision: &Revision) -> Result<Authorship, GitError> {
        let repository = self.lock();
        let commit = Self::find_commit(&repository, revision)?;
        let summary = String::from_utf8_lossy(commit.message_bytes())
            .lines()
            .next()
            .unwrap_or_default()
            .to_owned();
        Ok(Authorship {
            author: Identity::of(&commit.author()),
            committer: Identity::of(&commit.committer()),
            summary,
        })
    }
}
