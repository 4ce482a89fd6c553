//! Requests to the hosts that were granted. TLS, proxies, address checks and size limits are the host's.

#[cfg(target_arch = "wasm32")]
use crate::bindings::whimbrel::http::client as host;
pub use crate::bindings::whimbrel::http::client::{Request, Response};
use crate::{Fault, import};

/// Sends a request. A response of any status is `Ok`; a fault means that there was none.
///
/// # Errors
/// The host isn't granted, or there was no response.
pub fn send(request: &Request) -> Result<Response, Fault> {
    import!(host::send, send(request))
}
