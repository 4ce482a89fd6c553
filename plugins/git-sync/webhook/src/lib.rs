//! Webhooks of Git hosts: verified over the bytes as they came, then read as one kind of event.
//!
//! What is answered rings a bell. Commits and names in it are for choosing what to fetch, and nobody believes more of them.

mod config;
mod event;
mod host;
mod id;
mod proof;

pub use config::Config;
pub use host::GitHost;
use whimbrel_sdk::prelude::*;
use whimbrel_sdk::webhook::{Delivery, Rejection, Verified};

/// The receiver `plugin: git-webhook`.
pub struct Webhook;

impl WebhookReceiver for Webhook {
    type Config = Config;

    fn receive(config: &Config, delivery: &Delivery) -> Result<Verified, Rejection> {
        let (host, name) = host::of(delivery).ok_or(Rejection::Unknown)?;
        if config.host.is_some_and(|wanted| !wanted.serves(host)) {
            return Err(Rejection::Unknown);
        }
        proof::check(host, config, delivery)?;
        let (repository, event) = event::read(host, name, delivery)?;
        Ok(Verified {
            id: id::of(host, delivery),
            repository,
            event,
        })
    }
}

whimbrel_sdk::export_webhook!(Webhook);
