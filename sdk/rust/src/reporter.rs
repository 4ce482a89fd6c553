//! The world `git-reporter` as a trait, and what turns the trait into the world's exports.

use std::marker::PhantomData;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::bindings::reporter::exports::whimbrel::git::reporter as wit;
pub use crate::bindings::reporter::exports::whimbrel::git::reporter::{State, Status};
use crate::configuration::parse;
use crate::{Fault, configured, log};

/// Shows results on a Git host.
///
/// The host makes an instance per call and calls [`GitReporter::configure`] first in each. What is shown may be shown again:
/// both functions bring about a state, and repeat nothing.
pub trait GitReporter: Sized + 'static {
    /// The reporter's `with:`. Its doc comments become the descriptions that users see. References in it are resolved before
    /// it comes here.
    type Config: DeserializeOwned + JsonSchema;

    /// Makes the reporter. Does no I/O: it runs before every call.
    ///
    /// # Errors
    /// The configuration makes no sense.
    fn configure(config: Self::Config) -> Result<Self, Fault>;

    /// Shows a result beside a commit, in place of an earlier one of the same context.
    ///
    /// # Errors
    /// It isn't shown.
    fn set_status(&self, status: &Status) -> Result<(), Fault>;

    /// Creates the comment that carries `marker` on a pull request, or replaces it.
    ///
    /// # Errors
    /// It isn't shown, or not as it is now.
    fn put_comment(&self, number: u64, marker: &str, markdown: &str) -> Result<(), Fault>;
}

/// The world's exports over a [`GitReporter`]. Named by [`crate::export_reporter!`] and by tests that cross the border.
#[derive(Debug)]
pub struct ExportedReporter<T>(PhantomData<T>);

impl<T: GitReporter> wit::Guest for ExportedReporter<T> {
    fn schema() -> String {
        log::hook_panics();
        json!(schemars::schema_for!(T::Config)).to_string()
    }

    fn configure(config: String) -> Result<(), Fault> {
        log::hook_panics();
        configured::set(T::configure(parse(&config)?)?);
        Ok(())
    }

    fn set_status(status: Status) -> Result<(), Fault> {
        configured::on(|reporter: &T| reporter.set_status(&status))
    }

    fn put_comment(number: u64, marker: String, markdown: String) -> Result<(), Fault> {
        configured::on(|reporter: &T| reporter.put_comment(number, &marker, &markdown))
    }
}
