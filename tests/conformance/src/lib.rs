//! What every secret backend must do, whoever wrote it. A backend is set up before a real server, behind a proxy that fails
//! as it is told; then everything is asked twice, and once with every fault.

#![forbid(unsafe_code)]
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a suite of tests: what isn't as it must be ends it"
)]

mod faults;
mod step;
mod store;
mod twice;

pub use step::{Doing, Step};
pub use store::{Setup, component, value};

use whimbrel_core::environment::SecretReference;
use whimbrel_faulty_proxy::FaultyProxy;
use whimbrel_plugin::SecretStore;

/// A secret that is kept, and what is in it.
#[derive(Clone, Debug)]
pub struct Kept {
    /// How it is asked for.
    pub reference: SecretReference,
    /// One of its fields.
    pub field: String,
    /// The value of that field.
    pub value: String,
}

impl Kept {
    /// A field of a secret, by its reference.
    ///
    /// # Panics
    ///
    /// It is no reference.
    #[must_use]
    pub fn new(reference: &str, field: &str, value: &str) -> Self {
        Self {
            reference: reference.parse().expect("a reference"),
            field: field.to_owned(),
            value: value.to_owned(),
        }
    }
}

/// A backend under test.
pub struct Subject<'a> {
    /// The backend, as the product runs it.
    pub store: SecretStore,
    /// What stands before its server; none for a backend that asks nobody.
    pub proxy: Option<&'a FaultyProxy>,
    /// A secret that is kept.
    pub kept: Kept,
    /// An earlier version of it, where there are versions.
    pub earlier: Option<Kept>,
    /// One that isn't there.
    pub missing: SecretReference,
    /// One that is lent, where the backend lends.
    pub lent: Option<SecretReference>,
    /// Everything that it does by a request, reading first: each fails in every way.
    pub steps: Vec<Step<'a>>,
}

impl Subject<'_> {
    /// Asks everything of it: all that there is twice, with every fault, and from the login to its end.
    ///
    /// # Panics
    ///
    /// It isn't as every backend must be.
    pub async fn conforms(&self) {
        twice::reads(self).await;
        twice::versions(self).await;
        twice::misses(self).await;
        twice::lends(self).await;
        faults::every(self).await;
        twice::closes(self).await;
    }
}
