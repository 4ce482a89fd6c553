//! Secret values: from a reference in an environment to a value that is never printed.
//!
//! Values live in `secrecy` types and are known to the [`Scrubber`](whimbrel_signal::Scrubber) before anybody else gets
//! them. Nothing here knows what a value is for, and no error holds one.

#![forbid(unsafe_code)]

mod backend;
mod error;
mod field;
mod file;
mod resolver;
mod variable;

pub use backend::{Backend, Lease, LeaseId, Renewal, Secret, Shape, UNNAMED_FIELD};
pub use error::SecretError;
pub use file::Files;
pub use resolver::Resolver;
pub use variable::Variables;
