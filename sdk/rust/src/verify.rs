//! Checks of a delivery against the secrets that are live: several while one is being replaced. The plugin never sees them,
//! and the host compares in constant time. Only receivers of webhooks have them.

#[cfg(target_arch = "wasm32")]
use crate::bindings::webhook::whimbrel::secrets::verify as host;
pub use crate::bindings::webhook::whimbrel::secrets::verify::{Digest, Key};
use crate::import;

/// Whether `mac` is the HMAC of `data` under any live secret.
#[must_use]
pub fn hmac(key: Key, digest: Digest, data: &[u8], mac: &[u8]) -> bool {
    import!(host::hmac, verify_hmac(key, digest, data, mac))
}

/// Whether `token` equals any live secret.
#[must_use]
pub fn token(token: &[u8]) -> bool {
    import!(host::token, verify_token(token))
}
