//! The environments whose migrations clients write: from the files of `--written` to what a server asks.

use std::collections::BTreeMap;
use std::path::Path;

use whimbrel_config::FILE_SIZE;
use whimbrel_core::fault::Fault;
use whimbrel_engine::Context;
use whimbrel_resources::{EnvironmentDocument, writing};
use whimbrel_server::Written;

use crate::arguments::Serve;
use crate::error::CliError;

/// Those of all files, by their names. Relative paths in them are counted from `folder`.
pub(super) fn read(
    arguments: &Serve,
    folder: &Path,
    context: &Context,
) -> Result<BTreeMap<String, Written>, CliError> {
    let mut all = BTreeMap::new();
    for (project, file) in &arguments.written {
        let shown = file.display();
        let text = text(file)
            .map_err(|error| CliError::usage(format!("{shown} can't be read: {error}")))?;
        let name = file.file_name().unwrap_or_default();
        let document = EnvironmentDocument {
            file: name.to_string_lossy().into_owned(),
            text,
            folder: folder.to_path_buf(),
        };
        let wrong = |fault: Fault| {
            let error = CliError::usage(format!("{shown}: {}", fault.message));
            fault.hint.into_iter().fold(error, CliError::hint)
        };
        let name = document.name(project).map_err(wrong)?.to_string();
        let writing = writing(context.clone(), project.clone(), document);
        let written = Written::new(project.clone(), writing);
        if all.insert(name.clone(), written).is_some() {
            return Err(CliError::usage(format!(
                "two environments that clients write are called `{name}`"
            )));
        }
    }
    Ok(all)
}

fn text(file: &Path) -> std::io::Result<String> {
    if std::fs::metadata(file)?.len() > FILE_SIZE {
        return Err(std::io::Error::other("it is too large"));
    }
    std::fs::read_to_string(file)
}
