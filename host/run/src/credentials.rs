//! The credentials that a connection was opened with: how long they last, and what ends with them.

use async_trait::async_trait;
use whimbrel_database::history::LeaseRecord;

/// Whether credentials last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Nothing is known that would end them.
    Lasting,
    /// They work, and won't for much longer: whoever uses them connects anew at the next safe point.
    Ending,
    /// They were withdrawn, or their time is over.
    Gone,
}

/// What is known of the credentials of one connection. They belong to it alone: another connection has others.
#[async_trait]
pub trait Credentials: Send + Sync {
    /// What is known at this moment, without asking anybody.
    fn standing(&self) -> Standing;

    /// Asks whoever issued them, because the database refused what it had allowed before.
    async fn ask(&self) -> Standing;

    /// The leases that they stand on; empty for credentials that nobody lent.
    fn leases(&self) -> Vec<LeaseRecord>;

    /// Ends them, once the connection is closed. What can't be ended now is ended by the next run, or by its own time.
    async fn end(&self);
}

/// Credentials that nobody lent: nothing ends with them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Permanent;

#[async_trait]
impl Credentials for Permanent {
    fn standing(&self) -> Standing {
        Standing::Lasting
    }

    async fn ask(&self) -> Standing {
        Standing::Lasting
    }

    fn leases(&self) -> Vec<LeaseRecord> {
        Vec::new()
    }

    async fn end(&self) {}
}
