//! What a component says of itself: the custom section `whimbrel:manifest`.
//!
//! It can only narrow what the operator grants, so a forged one gains nothing.

use serde::{Deserialize, Serialize};
use wasmparser::{Parser, Payload};

use crate::grants::Need;

/// The name of the custom section.
const SECTION: &str = "whimbrel:manifest";

/// A manifest is a few names.
const MAXIMUM_BYTES: usize = 64 << 10;

/// A component's manifest. Without one a component needs nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// What its author calls it.
    pub id: String,
    /// Its version.
    pub version: String,
    /// The grants without which it can't work.
    #[serde(default)]
    pub needs: Vec<Need>,
    /// The memory that it needs, in bytes, if more than the default limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<usize>,
}

/// Reads the manifest from a component's bytes, wherever in it the section is.
///
/// # Errors
/// Why the bytes are no component, or the manifest no manifest.
pub fn read(component: &[u8]) -> Result<Option<Manifest>, String> {
    let mut found: Option<&[u8]> = None;
    for payload in Parser::new(0).parse_all(component) {
        if let Payload::CustomSection(section) = payload.map_err(|error| error.to_string())?
            && section.name() == SECTION
            && found.replace(section.data()).is_some()
        {
            return Err("it has more than one manifest".to_owned());
        }
    }
    let Some(bytes) = found else {
        return Ok(None);
    };
    if bytes.len() > MAXIMUM_BYTES {
        return Err(format!(
            "its manifest has {} bytes, at most {MAXIMUM_BYTES} are read",
            bytes.len()
        ));
    }
    serde_json::from_slice(bytes)
        .map(Some)
        .map_err(|error| format!("its manifest can't be read: {error}"))
}
