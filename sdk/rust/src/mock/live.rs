//! The live secrets of a delivery in a test.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value as Json;
use sha2::{Sha256, Sha512};

use super::Host;
use crate::configuration::parse;
use crate::verify::{Digest, Key};
use crate::webhook::{Delivery, Rejection, Verified};
use crate::{Fault, GitReporter, WebhookReceiver};

#[derive(Default)]
pub(super) struct Live(Vec<Vec<u8>>);

impl Live {
    pub(super) fn hmac(&self, key: Key, digest: Digest, data: &[u8], mac: &[u8]) -> bool {
        self.0.iter().any(|secret| {
            keyed(key, secret).is_some_and(|key| match digest {
                Digest::Sha256 => Hmac::<Sha256>::new_from_slice(&key)
                    .is_ok_and(|hmac| hmac.chain_update(data).verify_slice(mac).is_ok()),
                Digest::Sha512 => Hmac::<Sha512>::new_from_slice(&key)
                    .is_ok_and(|hmac| hmac.chain_update(data).verify_slice(mac).is_ok()),
            })
        })
    }

    pub(super) fn token(&self, token: &[u8]) -> bool {
        self.0.iter().any(|secret| secret == token)
    }
}

fn keyed(key: Key, secret: &[u8]) -> Option<Vec<u8>> {
    let key = match key {
        Key::Text => secret.to_vec(),
        Key::Base64 => STANDARD.decode(secret).ok()?,
        Key::Whsec => STANDARD.decode(secret.strip_prefix(b"whsec_")?).ok()?,
    };
    (!key.is_empty()).then_some(key)
}

impl Host {
    /// This secret is live too.
    #[must_use]
    pub fn with_live_secret(mut self, secret: &str) -> Self {
        self.live.0.push(secret.as_bytes().to_vec());
        self
    }
}

/// One delivery to a receiver of webhooks with this `with:`.
///
/// # Panics
/// The `with:` isn't one.
#[allow(
    clippy::needless_pass_by_value,
    clippy::panic,
    reason = "a document is written where it is used, and a wrong one ends the test"
)]
pub fn receive<W: WebhookReceiver>(
    host: Host,
    with: Json,
    delivery: &Delivery,
) -> Result<Verified, Rejection> {
    let config = match parse(&with.to_string()) {
        Ok(config) => config,
        Err(fault) => panic!("{}", fault.message),
    };
    host.run(|| W::receive(&config, delivery)).0
}

/// One call of a reporter, as a real host makes it: a new instance, configured by this `with:`.
#[allow(
    clippy::needless_pass_by_value,
    reason = "a document is written where it is used"
)]
pub fn report<R: GitReporter, T>(
    host: Host,
    with: Json,
    action: impl FnOnce(&R) -> Result<T, Fault>,
) -> (Result<T, Fault>, Host) {
    host.run(|| action(&R::configure(parse(&with.to_string())?)?))
}
