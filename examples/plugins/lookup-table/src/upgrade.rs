//! States that earlier versions of this plugin wrote. Terraform hands them over as they are; what is private stays.

use whimbrel_sdk::prelude::*;

/// A state as the present version has it.
///
/// # Errors
/// No version wrote it.
pub fn upgraded(version: u64, mut state: Json) -> Result<Json, Fault> {
    if version == 0
        && let Some(fields) = state.as_object_mut()
    {
        // Version 0 listed the names, which say no more than how many there are.
        let names = fields.remove("migrations");
        let names = names.as_ref().and_then(Json::as_array);
        let revision = names.map(Vec::len).ok_or_else(listless)?;
        fields.insert("revision".to_owned(), json!(revision));
    }
    Ok(state)
}

fn listless() -> Fault {
    let message = "a state of version 0 lists its migrations, and this one doesn't";
    Fault::invalid("/migrations", message).with_hint("restore the state from a backup")
}
