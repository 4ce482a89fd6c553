//! Secret values: from a reference in an environment to a value that is never printed.
//!
//! A [`Resolver`] belongs to one environment. Values live in `secrecy` types and are known to the
//! [`Scrubber`](whimbrel_signal::Scrubber) before anybody else gets them. Nothing here knows what a value is for, and no
//! error holds one.

#![forbid(unsafe_code)]

mod backend;
mod clock;
mod error;
mod field;
mod file;
mod flight;
mod health;
mod lease;
mod ledger;
mod lent;
mod limits;
mod measured;
mod parameter;
mod readings;
mod resolver;
mod retry;
mod slot;
mod sweep;
mod variable;

pub use backend::{Backend, Lease, LeaseId, Renewal, Secret, Shape, UNNAMED_FIELD, is_sensitive};
pub use clock::{Clock, SystemClock};
pub use error::SecretError;
pub use file::Files;
pub use health::{Condition, Health};
pub use lease::{HeldLease, LeaseLeft, LeaseState, RecordedLease};
pub use ledger::{Ledger, Pages};
pub use lent::Lent;
pub use limits::Limits;
pub use readings::Readings;
pub use resolver::Resolver;
pub use variable::Variables;
