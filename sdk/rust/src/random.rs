//! Randomness. Needs the grant `random`; without it the call ends here.

#[cfg(target_arch = "wasm32")]
use crate::bindings::store::whimbrel::ambient::random as host;
use crate::import;

/// So many bytes that nobody can guess.
#[must_use]
pub fn bytes(count: u32) -> Vec<u8> {
    import!(host::bytes, random_bytes(count))
}
