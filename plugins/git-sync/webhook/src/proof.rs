//! Whether a delivery is genuine, over its bytes as they came. The host computes and compares, in constant time, with every
//! secret that is live.
//!
//! GitHub: <https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries>. GitLab's signatures:
//! <https://www.standardwebhooks.com>. Bitbucket puts SHA-256 into the header that GitHub uses for SHA-1.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use whimbrel_sdk::verify::{self, Digest, Key};
use whimbrel_sdk::webhook::{Delivery, Rejection};

use crate::config::Config;
use crate::host::GitHost;

/// How far the time of a signature may be from ours: what Standard Webhooks' own libraries allow.
const WINDOW_SECONDS: u64 = 300;

/// Signatures of one delivery that are looked at: one per key that is live at the sender's, which are two at most.
const MOST_SIGNATURES: usize = 4;

/// The length of a SHA-256 in bytes.
const SHA256_BYTES: usize = 32;

/// Checks that a live secret was used for this delivery.
pub(crate) fn check(host: GitHost, config: &Config, delivery: &Delivery) -> Result<(), Rejection> {
    match host {
        GitHost::GitHub => signature(delivery, "x-hub-signature-256", "sha256="),
        GitHost::BitbucketCloud | GitHost::BitbucketDataCenter => {
            signature(delivery, "x-hub-signature", "sha256=")
        }
        GitHost::Gitea => signature(delivery, "x-gitea-signature", ""),
        GitHost::Gogs => signature(delivery, "x-gogs-signature", ""),
        GitHost::Forgejo if delivery.has_header("x-forgejo-signature") => {
            signature(delivery, "x-forgejo-signature", "")
        }
        GitHost::Forgejo => signature(delivery, "x-gitea-signature", ""),
        // A delivery with a signature is held to it, whatever else it shows.
        GitHost::GitLab if delivery.has_header("webhook-signature") => standard(delivery),
        GitHost::GitLab if config.signed => Err(Rejection::Unsigned),
        GitHost::GitLab => token(delivery),
    }
}

fn signature(delivery: &Delivery, header: &str, prefix: &str) -> Result<(), Rejection> {
    let shown = delivery.header(header).ok_or(Rejection::Unsigned)?;
    let mac = shown.strip_prefix(prefix).and_then(unhex);
    let mac = mac.ok_or(Rejection::BadSignature)?;
    genuine(verify::hmac(
        Key::Text,
        Digest::Sha256,
        &delivery.body,
        &mac,
    ))
}

fn token(delivery: &Delivery) -> Result<(), Rejection> {
    let shown = delivery
        .header("x-gitlab-token")
        .ok_or(Rejection::Unsigned)?;
    genuine(verify::token(shown.as_bytes()))
}

/// A signature of id, time and body.
fn standard(delivery: &Delivery) -> Result<(), Rejection> {
    let part = |name: &str| delivery.header(name).ok_or(Rejection::Unsigned);
    let (shown, id, time) = (
        part("webhook-signature")?,
        part("webhook-id")?,
        part("webhook-timestamp")?,
    );
    let seconds: u64 = time.parse().map_err(|_| Rejection::BadSignature)?;
    let mut signed = format!("{id}.{time}.").into_bytes();
    signed.extend_from_slice(&delivery.body);
    let fits = |mac: Vec<u8>| verify::hmac(Key::Whsec, Digest::Sha256, &signed, &mac);
    let mut macs = shown
        .split(' ')
        .filter_map(|one| one.strip_prefix("v1,"))
        .take(MOST_SIGNATURES)
        .filter_map(|text| STANDARD.decode(text).ok());
    genuine(macs.any(|mac| mac.len() == SHA256_BYTES && fits(mac)))?;
    // Only of a genuine delivery is it worth saying that it came too late.
    if seconds.abs_diff(delivery.received / 1_000) > WINDOW_SECONDS {
        return Err(Rejection::Stale);
    }
    Ok(())
}

const fn genuine(is_genuine: bool) -> Result<(), Rejection> {
    if is_genuine {
        Ok(())
    } else {
        Err(Rejection::BadSignature)
    }
}

/// A SHA-256 from its hexadecimal digits.
fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16);
    let pair = |pair: &[u8]| match pair {
        [high, low] => u8::try_from(digit(high)? * 16 + digit(low)?).ok(),
        _ => None,
    };
    let bytes = text.as_bytes();
    if bytes.len() != 2 * SHA256_BYTES {
        return None;
    }
    bytes.chunks(2).map(pair).collect()
}
