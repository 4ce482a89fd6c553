//! A secret store's login, kept by the host between calls: sealed, and known to the scrubber.
//!
//! Each call gets a new instance of the plugin, so what isn't put here is forgotten. Only secret stores have one.

#[cfg(target_arch = "wasm32")]
use crate::bindings::store::whimbrel::secrets::session as host;
use crate::import;

/// What an earlier call of this backend put.
#[must_use]
pub fn get() -> Option<Vec<u8>> {
    import!(host::get, session_get())
}

/// Keeps a login until `expires`, in milliseconds since the Unix epoch. `conceal` are the secret texts in it: the host
/// hides them wherever they would appear.
pub fn put(login: &[u8], conceal: &[Vec<u8>], expires: Option<u64>) {
    import!(host::put, session_put(login, conceal, expires));
}

/// Forgets the login.
pub fn forget() {
    import!(host::forget, session_forget());
}
