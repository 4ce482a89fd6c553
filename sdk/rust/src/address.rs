//! Addresses of servers as a `with:` has them. The host decides what may be reached; this is against slips, and against
//! text that would mean another path or query once something is put behind it.

use crate::Fault;

/// Host and port of an address without a path, such as `https://example.org:8443`; none if it is anything else.
#[must_use]
pub fn authority(address: &str) -> Option<&str> {
    let rest = after_scheme(address)?;
    let authority = rest.strip_suffix('/').unwrap_or(rest);
    is_made_of(authority, ".-:[]_").then_some(authority)
}

/// Checks an address that must have no path.
///
/// # Errors
/// It is something else; the fault points at `pointer`.
pub fn check(pointer: &str, address: &str) -> Result<(), Fault> {
    if authority(address).is_some() {
        return Ok(());
    }
    let message = "expected an address without a path, such as `https://example.org:8443`";
    Err(Fault::invalid(pointer, message))
}

/// Checks an address that may have a path, as that of a server behind a proxy does.
///
/// # Errors
/// It is something else; the fault points at `pointer`.
pub fn check_with_path(pointer: &str, address: &str) -> Result<(), Fault> {
    if after_scheme(address).is_some_and(|rest| is_made_of(rest, ".-:[]_/")) {
        return Ok(());
    }
    let message = "expected an address such as `https://example.org:8443`";
    Err(Fault::invalid(pointer, message))
}

fn after_scheme(address: &str) -> Option<&str> {
    ["https://", "http://"]
        .iter()
        .find_map(|scheme| address.strip_prefix(scheme))
}

fn is_made_of(text: &str, marks: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || marks.contains(c);
    !text.is_empty() && text.chars().all(is_plain)
}
