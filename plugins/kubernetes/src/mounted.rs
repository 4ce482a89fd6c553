//! Secrets as a pod has them mounted: a folder for each, a file for each key.

use whimbrel_sdk::files;
use whimbrel_sdk::prelude::*;

use crate::config::Mounted;
use crate::name;

/// Reads a file: the path leads to it, or the reference's options give its name as `key`.
pub(crate) fn read(mounted: &Mounted, reference: &Reference) -> Result<Secret, Fault> {
    for part in reference.path.split('/') {
        name::check(part)?;
    }
    let file = format!(
        "{}/{}",
        mounted.folder.trim_end_matches('/'),
        reference.path
    );
    let Some(key) = reference.options.get("key").and_then(Json::as_str) else {
        return Ok(Secret::of_value(files::read(&file)?));
    };
    let bytes = files::read(&format!("{file}/{}", name::check(key)?))?;
    Ok(Secret::new(vec![(key.to_owned(), bytes)]))
}
