//! What a resource may ask of the engine. Documents follow the API's schemas; docs/terraform.md has them.

use serde_json::Value as Json;

use crate::Fault;
#[cfg(target_arch = "wasm32")]
use crate::bindings::provider::whimbrel::resources::engine as host;
use crate::import;

/// What would be run.
///
/// # Errors
/// It can't be planned, or the call may not ask.
pub fn plan(request: &Json) -> Result<Json, Fault> {
    let request = request.to_string();
    Ok(serde_json::from_str(&import!(
        host::plan,
        engine_plan(&request)
    )?)?)
}

/// Runs it; comes back when it is over.
///
/// # Errors
/// It isn't done, or only in part; or the call may not change anything.
pub fn apply(request: &Json) -> Result<Json, Fault> {
    let request = request.to_string();
    Ok(serde_json::from_str(&import!(
        host::apply,
        engine_apply(&request)
    )?)?)
}

/// Runs what is stored to take it back.
///
/// # Errors
/// As [`apply`].
pub fn revert(request: &Json) -> Result<Json, Fault> {
    let request = request.to_string();
    Ok(serde_json::from_str(&import!(
        host::revert,
        engine_revert(&request)
    )?)?)
}

/// What has been run.
///
/// # Errors
/// It can't be looked at, or the call may not ask.
pub fn status(request: &Json) -> Result<Json, Fault> {
    let request = request.to_string();
    Ok(serde_json::from_str(&import!(
        host::status,
        engine_status(&request)
    )?)?)
}
