//! What a backend does by a request that can fail.

use whimbrel_core::fault::{Fault, FaultClass};
use whimbrel_faulty_proxy::Rule;
use whimbrel_secrets::{Backend as _, LeaseId, Renewal};

use crate::twice::WANTED;
use crate::{Subject, value};

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doing {
    /// A kept secret is read.
    Read,
    /// Somebody is let in, who then reads it.
    LogIn,
    /// A secret is lent.
    Lend,
    /// What is lent is lent for longer.
    Renew,
    /// What is lent is given back.
    Revoke,
}

/// By which request it is done.
#[derive(Clone, Debug)]
pub struct Step<'a> {
    /// What is done.
    pub doing: Doing,
    /// The request.
    pub request: Rule,
    /// What the backend makes of refusals by its server, by status.
    pub refusals: &'a [(u16, FaultClass)],
    /// Whether the server says by `Retry-After` when to ask again; AWS has no such header.
    pub says_when: bool,
}

impl<'a> Step<'a> {
    /// One by this request.
    #[must_use]
    pub const fn new(doing: Doing, request: Rule, refusals: &'a [(u16, FaultClass)]) -> Self {
        Self {
            doing,
            request,
            refusals,
            says_when: true,
        }
    }

    /// Its server has no `Retry-After`.
    #[must_use]
    pub const fn says_nothing_of_when(mut self) -> Self {
        self.says_when = false;
        self
    }

    /// What must be there before it can be done: a lease, or nobody who is let in.
    pub(crate) async fn prepare(&self, subject: &Subject<'_>) -> Option<LeaseId> {
        match self.doing {
            Doing::Read | Doing::Lend => None,
            Doing::LogIn => {
                subject.store.close().await.expect("the login is ended");
                None
            }
            Doing::Renew | Doing::Revoke => Some(lend(subject).await.expect("a loan")),
        }
    }

    /// Does it once.
    pub(crate) async fn attempt(
        &self,
        subject: &Subject<'_>,
        lease: Option<&LeaseId>,
    ) -> Result<(), Fault> {
        match (self.doing, lease) {
            (Doing::Read | Doing::LogIn, _) => {
                let secret = subject.store.read(&subject.kept.reference).await?;
                assert_eq!(value(&secret, &subject.kept.field), subject.kept.value);
                Ok(())
            }
            (Doing::Lend, _) => {
                let lease = lend(subject).await?;
                subject.store.revoke(&lease).await
            }
            (Doing::Renew, Some(lease)) => match subject.store.renew(lease, WANTED).await? {
                Renewal::Renewed(_) | Renewal::Truncated(_) => Ok(()),
                Renewal::Gone => panic!("it was lent a moment ago, and nobody has ended it"),
            },
            (Doing::Revoke, Some(lease)) => subject.store.revoke(lease).await,
            (Doing::Renew | Doing::Revoke, None) => panic!("nothing was lent"),
        }
    }

    /// Mended, it works at once, and what was lent for it is gone afterwards.
    pub(crate) async fn recovers(&self, subject: &Subject<'_>, lease: Option<&LeaseId>) {
        let done = self.attempt(subject, lease).await;
        done.unwrap_or_else(|told| panic!("{:?}: it is mended: {told:?}", self.doing));
        if let Some(lease) = lease {
            let ended = subject.store.revoke(lease).await;
            ended.unwrap_or_else(|told| panic!("{:?}: it can be ended: {told:?}", self.doing));
            let renewal = subject.store.renew(lease, WANTED).await;
            assert!(
                matches!(renewal, Ok(Renewal::Gone)),
                "what was ended is gone"
            );
        }
    }
}

async fn lend(subject: &Subject<'_>) -> Result<LeaseId, Fault> {
    let reference = subject.lent.as_ref().expect("it lends");
    let secret = subject.store.read(reference).await?;
    Ok(secret.lease.expect("a lease").id)
}
