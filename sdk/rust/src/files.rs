//! Files below the folders that were granted.

#[cfg(target_arch = "wasm32")]
use crate::bindings::store::whimbrel::ambient::files as host;
use crate::{Fault, FaultClass, import};

/// Reads a file, anew each time: mounted tokens rotate.
///
/// # Errors
/// It isn't granted, or isn't there.
pub fn read(path: &str) -> Result<Vec<u8>, Fault> {
    import!(host::read, file(path))
}

/// Reads a file that holds a token, without the white space around it.
///
/// # Errors
/// It can't be read, or holds no text; then the fault has this code.
pub fn read_token(path: &str, code: &str) -> Result<String, Fault> {
    let text = String::from_utf8(read(path)?).unwrap_or_default();
    let token = text.trim();
    if token.is_empty() {
        let message = format!("{path} holds no token");
        return Err(Fault::new(FaultClass::Invalid, code, message));
    }
    Ok(token.to_owned())
}
