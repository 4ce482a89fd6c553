//! `whimbrel plugin`: which there are, what is in them, and whether they work.

mod compile;
mod inspect;
mod list;
mod test;
mod test_store;

use std::path::Path;

use whimbrel_core::name::PluginName;
use whimbrel_core::project::{Grants, PluginSource, PluginSpec};
use whimbrel_core::suggestion::nearest;
use whimbrel_project::OpenProject;

use crate::arguments::{Global, PluginCommand};
use crate::error::CliError;
use crate::exit::Exit;
use crate::folder::locate;
use crate::output::Output;

pub(crate) async fn run(
    command: &PluginCommand,
    global: &Global,
    output: &Output,
) -> Result<Exit, CliError> {
    match command {
        PluginCommand::List => list::run(global, output).await,
        PluginCommand::Inspect { plugin } => inspect::run(plugin, global, output).await,
        PluginCommand::Test {
            plugin,
            with,
            setup,
        } => test::run(plugin, with, setup.as_deref(), global, output).await,
        PluginCommand::Compile { room, folder } => compile::run(room, folder),
    }
}

/// A component and what it may do.
struct Component {
    name: PluginName,
    bytes: Vec<u8>,
    /// What the project grants; none for a file, of which nobody has decided anything.
    grants: Option<Grants>,
}

/// The project, if there is one here: plugins can be looked at without one.
fn project(global: &Global, output: &Output) -> Result<Option<OpenProject>, CliError> {
    if global.project.is_none() && locate(None).is_err() {
        return Ok(None);
    }
    crate::engine::project(global, output).map(Some)
}

/// Finds a component by a plugin's name or by its file.
fn component(text: &str, global: &Global, output: &Output) -> Result<Component, CliError> {
    let path = Path::new(text);
    if path.is_file() {
        return from_file(path);
    }
    let project = project(global, output)?;
    let specs = project.as_ref().map(|project| &project.project().plugins);
    let name: PluginName = text
        .parse()
        .map_err(|_| CliError::usage(format!("there is no file and no plugin called `{text}`")))?;
    let spec = specs.and_then(|specs| specs.get(&name));
    let bytes = match (spec.map(|spec| &spec.source), &project) {
        // Of a repository elsewhere there is no file but in its commits.
        (Some(PluginSource::Path(file)), Some(project)) => project
            .component(file)
            .map_err(|error| CliError::new(Exit::Failed, error))?,
        (Some(PluginSource::Builtin(builtin)), _) => builtin_bytes(builtin)?,
        _ => builtin_bytes(name.as_str()).map_err(|error| {
            let mut known: Vec<String> = whimbrel_plugin::builtin_names()
                .into_iter()
                .map(str::to_owned)
                .collect();
            known.extend(
                specs
                    .into_iter()
                    .flatten()
                    .map(|(name, _)| name.to_string()),
            );
            match nearest(text, known.iter().map(String::as_str)) {
                Some(name) => error.hint(format!("did you mean `{name}`?")),
                None => error.hint("`whimbrel plugin list` names those that there are"),
            }
        })?,
    };
    Ok(Component {
        grants: Some(spec.map_or_else(Grants::default, |spec: &PluginSpec| spec.grants.clone())),
        name,
        bytes,
    })
}

fn from_file(path: &Path) -> Result<Component, CliError> {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let name = stem
        .to_lowercase()
        .replace('_', "-")
        .parse()
        .or_else(|_| "component".parse())
        .map_err(|error| CliError::failed(format!("{}: {error}", path.display())))?;
    Ok(Component {
        name,
        bytes: read(path)?,
        grants: None,
    })
}

fn read(path: &Path) -> Result<Vec<u8>, CliError> {
    std::fs::read(path)
        .map_err(|error| CliError::failed(format!("can't read {}: {error}", path.display())))
}

fn builtin_bytes(name: &str) -> Result<Vec<u8>, CliError> {
    whimbrel_plugin::builtin(name)
        .map(<[u8]>::to_vec)
        .ok_or_else(|| CliError::usage(format!("there is no plugin called `{name}`")))
}
