//! Names as Kubernetes has them: nothing that means another path in a URL or a folder.

use whimbrel_sdk::prelude::*;

/// Checks one name: of a namespace, a Secret or a key.
pub(crate) fn check(name: &str) -> Result<&str, Fault> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let is_good = (1..=253).contains(&name.len())
        && name.chars().all(is_plain)
        && name != "."
        && !name.starts_with("..");
    if is_good {
        return Ok(name);
    }
    let message = format!("`{}` is no name that Kubernetes gives", name.escape_debug());
    Err(Fault::new(FaultClass::Invalid, "kubernetes.name", message))
}
