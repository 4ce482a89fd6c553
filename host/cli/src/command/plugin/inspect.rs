//! `whimbrel plugin inspect`: what a component wants, before anybody trusts it with anything.

use std::fmt::Write as _;

use serde_json::json;
use whimbrel_plugin::{Grants, HttpGrant, Plugin};
use whimbrel_report::{count, strong};

use super::component;
use crate::arguments::{Format, Global};
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::Output;

pub(super) async fn run(text: &str, global: &Global, output: &Output) -> Result<Exit, CliError> {
    output.format(&[Format::Text, Format::Json])?;
    let component = component(text, global, output)?;
    // Looking is done with everything granted, so that what it needs can be shown; nothing of it is called.
    let plugin = whimbrel_engine::sandbox()?
        .admit(&component.name, component.bytes, everything())
        .await
        .map_err(|error| CliError::new(Exit::Failed, error))?;
    let granted = component
        .grants
        .map(|grants| json!(grants))
        .unwrap_or_default();
    output.show(|format| match format {
        Format::Json => as_json(&plugin, &granted),
        _ => as_text(&plugin, &granted),
    })?;
    Ok(Exit::Success)
}

fn everything() -> Grants {
    Grants {
        http: vec![HttpGrant::to("https://host.example/*")],
        environment: vec!["*".to_owned()],
        files: vec![".".into()],
        clock: true,
        random: true,
        metrics: true,
    }
}

fn needs(plugin: &Plugin) -> Vec<&'static str> {
    let needs = plugin.manifest().map(|manifest| manifest.needs.as_slice());
    needs
        .unwrap_or_default()
        .iter()
        .map(|need| need.as_str())
        .collect()
}

fn uses(plugin: &Plugin) -> Vec<&'static str> {
    let uses = plugin.manifest().map(|manifest| manifest.uses.as_slice());
    uses.unwrap_or_default()
        .iter()
        .map(|need| need.as_str())
        .collect()
}

fn worlds(plugin: &Plugin) -> Vec<String> {
    plugin.worlds().iter().map(ToString::to_string).collect()
}

fn as_json(plugin: &Plugin, granted: &serde_json::Value) -> String {
    let value = json!({
        "name": plugin.name(),
        "id": plugin.manifest().map(|manifest| &manifest.id),
        "version": plugin.manifest().map(|manifest| &manifest.version),
        "digest": plugin.digest(),
        "size": plugin.size(),
        "worlds": worlds(plugin),
        "imports": plugin.imports(),
        "exports": plugin.exports(),
        "needs": needs(plugin),
        "uses": uses(plugin),
        "granted": granted,
    });
    format!("{value:#}\n")
}

fn as_text(plugin: &Plugin, granted: &serde_json::Value) -> String {
    let mut out = String::new();
    // Writing to a string can't fail.
    let identity = plugin.manifest().map_or_else(
        || "no manifest".to_owned(),
        |manifest| format!("{} {}", manifest.id, manifest.version),
    );
    let _ = writeln!(out, "{} ({identity})", strong(plugin.name()));
    let _ = writeln!(out, "digest   {}", plugin.digest());
    let size = u64::try_from(plugin.size()).unwrap_or(u64::MAX);
    let _ = writeln!(out, "size     {} bytes", count(size));
    let _ = writeln!(out, "worlds   {}", words(&worlds(plugin)));
    let _ = writeln!(out, "needs    {}", words(&needs(plugin)));
    let _ = writeln!(out, "uses     {}", words(&uses(plugin)));
    let granted = match granted.as_object() {
        Some(grants) if !grants.is_empty() => granted.to_string(),
        _ => "nothing".to_owned(),
    };
    let _ = writeln!(out, "granted  {granted}");
    for (title, names) in [("imports", plugin.imports()), ("exports", plugin.exports())] {
        let _ = writeln!(out, "{title}");
        for name in names {
            let _ = writeln!(out, "  {name}");
        }
    }
    out
}

fn words<T: AsRef<str>>(items: &[T]) -> String {
    if items.is_empty() {
        return "nothing".to_owned();
    }
    let items: Vec<&str> = items.iter().map(AsRef::as_ref).collect();
    items.join(", ")
}
