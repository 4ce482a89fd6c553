//! `whimbrel plugin list`: the project's and the binary's.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Value as Json, json};
use whimbrel_core::digest::Digest;
use whimbrel_core::project::{Grants, PluginSource};

use super::project;
use crate::arguments::{Format, Global};
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::Output;

pub(super) async fn run(global: &Global, output: &Output) -> Result<Exit, CliError> {
    output.format(&[Format::Text, Format::Json])?;
    let project = project(global, output)?;
    let mut all: BTreeMap<String, Json> = BTreeMap::new();
    for name in whimbrel_plugin::builtin_names() {
        let bytes = whimbrel_plugin::builtin(name).unwrap_or_default();
        all.insert(
            name.to_owned(),
            entry(name, "built in", Some(Digest::of(bytes)), None),
        );
    }
    for (name, spec) in project
        .iter()
        .flat_map(|project| &project.project().plugins)
    {
        let (source, digest) = match &spec.source {
            PluginSource::Path(path) => (path.clone(), spec.digest),
            PluginSource::Builtin(builtin) => {
                let digest = whimbrel_plugin::builtin(builtin).map(Digest::of);
                ("built in".to_owned(), spec.digest.or(digest))
            }
        };
        let value = entry(name.as_str(), &source, digest, Some(&spec.grants));
        all.insert(name.to_string(), value);
    }
    let plugins: Vec<&Json> = all.values().collect();
    output.show(|format| match format {
        Format::Json => format!("{:#}\n", json!({"plugins": plugins})),
        _ => as_text(&plugins),
    })?;
    Ok(Exit::Success)
}

fn as_text(plugins: &[&Json]) -> String {
    if plugins.is_empty() {
        return "no plugins: this binary was built without any\n".to_owned();
    }
    let mut lines = String::new();
    for plugin in plugins {
        let text = |key: &str| plugin.get(key).and_then(Json::as_str).unwrap_or("-");
        let grants = plugin
            .get("grants")
            .map(Json::to_string)
            .unwrap_or_default();
        // Writing to a string can't fail.
        let _ = writeln!(
            lines,
            "{}  {}  {}  grants {grants}",
            text("name"),
            text("source"),
            text("digest"),
        );
    }
    lines
}

fn entry(name: &str, source: &str, digest: Option<Digest>, grants: Option<&Grants>) -> Json {
    json!({
        "name": name,
        "source": source,
        "digest": digest,
        "grants": grants.cloned().unwrap_or_default(),
    })
}
