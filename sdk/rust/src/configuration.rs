//! Documents of the user's that cross as JSON.

use serde::de::DeserializeOwned;

use crate::Fault;

/// Reads a `with:`; a fault points at the value that is wrong.
pub(crate) fn parse<C: DeserializeOwned>(text: &str) -> Result<C, Fault> {
    let deserializer = &mut serde_json::Deserializer::from_str(text);
    serde_path_to_error::deserialize(deserializer).map_err(|error| {
        let pointer: String = error
            .path()
            .iter()
            .map(|segment| format!("/{segment}"))
            .collect();
        Fault::invalid(&pointer, error.inner().to_string())
    })
}
