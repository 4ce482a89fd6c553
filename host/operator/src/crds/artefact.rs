//! What stands in the place of a definition that is too large for an object: its checksum. There is no such thing in a
//! repository, and no object decides anything by it.

use serde_json::{Value as Json, json};

/// Lets a migration have an `artefact` instead of `steps`. A rule says that it has one of them.
pub fn allow(spec: &mut Json) {
    if let Some(required) = spec.get_mut("required").and_then(Json::as_array_mut) {
        required.retain(|name| name != "steps");
    }
    if let Some(spec) = spec.as_object_mut() {
        spec.retain(|key, value| key != "required" || *value != json!([]));
    }
    let properties = spec.get_mut("properties").and_then(Json::as_object_mut);
    if let Some(properties) = properties {
        let field = json!({
            "type": "string", "pattern": "^[a-z0-9]+:[0-9a-f]+$", "maxLength": 256,
            "description": "Written by an operator in the place of what a `GitSource` defines and no object can hold: the checksum of the definition.",
        });
        properties.insert("artefact".to_owned(), field);
    }
}
