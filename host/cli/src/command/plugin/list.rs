//! `whimbrel plugin list`: the project's and the binary's.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};
use whimbrel_core::digest::Digest;
use whimbrel_core::project::{Grants, PluginSource};

use super::project;
use crate::arguments::{Format, Global};
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::Output;

pub(super) async fn run(global: &Global, output: &Output) -> Result<Exit, CliError> {
    let format = output.format(&[Format::Text, Format::Json])?;
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
    if format == Format::Json {
        let plugins: Vec<&Json> = all.values().collect();
        output.data(&format!("{:#}\n", json!({"plugins": plugins})));
        return Ok(Exit::Success);
    }
    if all.is_empty() {
        output.answer("no plugins: this binary was built without any\n");
    }
    for plugin in all.values() {
        let text = |key: &str| plugin.get(key).and_then(Json::as_str).unwrap_or("-");
        let grants = plugin
            .get("grants")
            .map(Json::to_string)
            .unwrap_or_default();
        output.data(&format!(
            "{}  {}  {}  grants {grants}\n",
            text("name"),
            text("source"),
            text("digest"),
        ));
    }
    Ok(Exit::Success)
}

fn entry(name: &str, source: &str, digest: Option<Digest>, grants: Option<&Grants>) -> Json {
    json!({
        "name": name,
        "source": source,
        "digest": digest,
        "grants": grants.cloned().unwrap_or_default(),
    })
}
