//! Whether what a project is opened from is signed by whom one trusts.

use whimbrel_core::lineage::Revision;
use whimbrel_git::{Repository, Signers, Verify};

use crate::ProjectError;

/// Which commits must be signed, and whose signatures count. It comes from whoever starts the program: what a repository
/// says of itself proves nothing.
#[derive(Clone, Debug, Default)]
pub struct Verification {
    /// Which commits must be signed.
    pub policy: Verify,
    /// Whose signatures count.
    pub signers: Signers,
    /// A revision that is trusted as it is, with all before it.
    pub since: Option<String>,
    /// Whose signatures of promotion records count, where those are others than of commits.
    pub promotions: Option<Signers>,
}

/// What is to be verified.
pub(crate) struct Opened<'a> {
    pub(crate) repository: Option<&'a Repository>,
    /// The commit that migrations are from; none in a work tree.
    pub(crate) head: Option<&'a Revision>,
    /// The commit that everything else is from, if that is another one.
    pub(crate) control: Option<&'a Revision>,
    /// The folder of migrations, from the repository's root.
    pub(crate) migrations: &'a str,
}

impl Verification {
    /// Whose promotion records count; none where everybody's do.
    #[must_use]
    pub fn promotions(&self) -> Option<&Signers> {
        let of_commits = (self.policy != Verify::None).then_some(&self.signers);
        self.promotions.as_ref().or(of_commits)
    }

    pub(crate) fn check(&self, opened: &Opened<'_>) -> Result<(), ProjectError> {
        if self.policy == Verify::None {
            return Ok(());
        }
        let (Some(repository), Some(head)) = (opened.repository, opened.head) else {
            return Err(ProjectError::Unverifiable);
        };
        let since = self
            .since
            .as_deref()
            .map(|since| repository.resolve(since))
            .transpose()?;
        if let Some(control) = opened.control.filter(|control| *control != head) {
            repository.verify_commit(control, &self.signers)?;
        }
        repository.verify(
            self.policy,
            head,
            opened.migrations,
            since.as_ref(),
            &self.signers,
        )?;
        Ok(())
    }
}
