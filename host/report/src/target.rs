//! Targets as programs read them: by the one name that people use, too.

use serde_json::Value as Json;
use whimbrel_core::name::TargetName;

/// Puts a target's name in the place of its parts.
pub(crate) fn named(mut value: Json, target: &TargetName) -> Json {
    if let Some(place) = value.get_mut("target") {
        *place = Json::String(target.to_string());
    }
    value
}

/// Writes a target as its name.
pub(crate) fn serialize<S: serde::Serializer>(
    target: &TargetName,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_str(target)
}
