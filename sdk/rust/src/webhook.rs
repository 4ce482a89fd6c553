//! The world `git-webhook` as a trait, and what turns the trait into the world's exports.

use std::marker::PhantomData;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::bindings::webhook::exports::whimbrel::git::webhook as wit;
pub use crate::bindings::webhook::exports::whimbrel::git::webhook::{
    Delivery, Event, PullRequest, Push, Rejection, Verified,
};
use crate::configuration::parse;
use crate::log;

/// Reads a Git host's webhooks.
///
/// Whoever can reach the host can send anything here, so a receiver is pure and has nothing: it verifies the bytes as they
/// came, by [`crate::verify`], before it parses them, and answers what they say. An event rings a bell and no more: the host
/// fetches a repository that is configured already, and believes none of the event's commits.
pub trait WebhookReceiver {
    /// The receiver's `with:`. Its doc comments become the descriptions that users see.
    type Config: DeserializeOwned + JsonSchema;

    /// Verifies and reads a delivery.
    ///
    /// # Errors
    /// It isn't genuine, or isn't what it says.
    fn receive(config: &Self::Config, delivery: &Delivery) -> Result<Verified, Rejection>;
}

/// The world's exports over a [`WebhookReceiver`]. Named by [`crate::export_webhook!`] and by tests that cross the border.
#[derive(Debug)]
pub struct ExportedWebhook<T>(PhantomData<T>);

impl<T: WebhookReceiver> wit::Guest for ExportedWebhook<T> {
    fn schema() -> String {
        log::hook_panics();
        json!(schemars::schema_for!(T::Config)).to_string()
    }

    fn receive(config: String, delivery: Delivery) -> Result<Verified, Rejection> {
        log::hook_panics();
        let config = parse(&config).map_err(|fault| {
            let place = fault.pointer.unwrap_or_default();
            Rejection::Malformed(format!(
                "the receiver's `with:` at {place}: {}",
                fault.message
            ))
        })?;
        T::receive(&config, &delivery)
    }
}

impl Delivery {
    /// The value of a header that is there once and not empty. One that comes twice is none: two readers could take two
    /// different ones for it.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut values = self
            .headers
            .iter()
            .filter(|(known, _)| known.eq_ignore_ascii_case(name));
        match (values.next(), values.next()) {
            (Some((_, value)), None) if !value.is_empty() => Some(value),
            _ => None,
        }
    }

    /// Whether a header is there at all.
    #[must_use]
    pub fn has_header(&self, name: &str) -> bool {
        self.headers
            .iter()
            .any(|(known, _)| known.eq_ignore_ascii_case(name))
    }
}
