//! `whimbrel plugin compile`: what a service has done by a process of its own.

use std::path::Path;

use crate::error::CliError;
use crate::exit::Exit;

pub(super) fn run(room: &str, folder: &Path) -> Result<Exit, CliError> {
    let compiled = whimbrel_plugin::compile(room, folder, std::io::stdin().lock());
    compiled.map_err(|error| CliError::failed(format!("it can't be compiled: {error}")))?;
    Ok(Exit::Success)
}
