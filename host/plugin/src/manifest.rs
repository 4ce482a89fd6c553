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
    /// The grants that it uses where they are given, and can do without.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub uses: Vec<Need>,
    /// The memory that it needs, in bytes, if more than the default limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<usize>,
}

/// What a component's bytes say of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// Its manifest.
    pub manifest: Option<Manifest>,
    /// Whether it imports WASI, as languages with a runtime do.
    pub has_runtime: bool,
}

/// Reads the manifest from a component's bytes, wherever in it the section is.
///
/// # Errors
/// Why the bytes are no component, or the manifest no manifest.
pub fn read(component: &[u8]) -> Result<Said, String> {
    let mut found: Option<&[u8]> = None;
    let mut has_runtime = false;
    for payload in Parser::new(0).parse_all(component) {
        match payload.map_err(|error| error.to_string())? {
            Payload::ComponentImportSection(imports) => {
                for import in imports {
                    let import = import.map_err(|error| error.to_string())?;
                    has_runtime |= import.name.name.starts_with("wasi:");
                }
            }
            Payload::CustomSection(section) if section.name() == SECTION => {
                let earlier = found.replace(section.data());
                if earlier.is_some() {
                    return Err("it has more than one manifest".to_owned());
                }
            }
            _ => {}
        }
    }
    Ok(Said {
        manifest: found.map(parse).transpose()?,
        has_runtime,
    })
}

fn parse(bytes: &[u8]) -> Result<Manifest, String> {
    if bytes.len() > MAXIMUM_BYTES {
        return Err(format!(
            "its manifest has {} bytes, at most {MAXIMUM_BYTES} are read",
            bytes.len()
        ));
    }
    serde_json::from_slice(bytes).map_err(|error| format!("its manifest can't be read: {error}"))
}
