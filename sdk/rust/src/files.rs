//! Files below the folders that were granted.

#[cfg(target_arch = "wasm32")]
use crate::bindings::store::whimbrel::ambient::files as host;
use crate::{Fault, import};

/// Reads a file, anew each time: mounted tokens rotate.
///
/// # Errors
/// It isn't granted, or isn't there.
pub fn read(path: &str) -> Result<Vec<u8>, Fault> {
    import!(host::read, file(path))
}
