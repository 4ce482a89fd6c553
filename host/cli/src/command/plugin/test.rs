//! `whimbrel plugin test`: a plugin's step on a scratch database, through the very engine that would run it; a secret
//! store is tried by itself.

use std::path::Path;

use serde_json::{Value as Json, json};
use tempfile::TempDir;
use whimbrel_core::digest::Digest;
use whimbrel_core::history::Direction;
use whimbrel_core::plan::Goal;
use whimbrel_engine::{
    EngineError, Meanwhile, Opened, Passing, Prepared, estimates, execute, prepare_revert,
};
use whimbrel_plugin::PluginError;
use whimbrel_report::{count, good};
use whimbrel_run::RunReport;

use super::{Component, component, test_store};
use crate::arguments::Global;
use crate::command::init::write_new;
use crate::engine::open;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::Output;

const STEP: &str = "0002-step";

pub(super) async fn run(
    text: &str,
    with: &str,
    setup: Option<&Path>,
    global: &Global,
    output: &Output,
) -> Result<Exit, CliError> {
    output.words_only()?;
    let with: Json = serde_json::from_str(with)
        .map_err(|error| CliError::usage(format!("`--with` is no JSON: {error}")))?;
    let component = component(text, global, output)?;
    if let Some(plugin) = test_store::as_store(&component).await? {
        return test_store::run(plugin, with, output).await;
    }
    let scratch = TempDir::new()
        .map_err(|error| CliError::failed(format!("no scratch folder can be made: {error}")))?;
    write_project(scratch.path(), &component, &with, setup)?;
    let global = Global {
        environment: Some("scratch".to_owned()),
        project: Some(scratch.path().display().to_string()),
        control_ref: None,
        databases: Vec::new(),
        ..global.clone()
    };
    let opened = open(&global, output, Meanwhile::Nothing).await?;
    let prepared = prepare(&opened).await?;
    let plugin = prepared.plugins.plugin(&component.name).await;
    let plugin = plugin.map_err(|error| CliError::new(Exit::Failed, PluginError::from(error)))?;
    let description = plugin
        .describe()
        .await
        .map_err(|error| CliError::new(Exit::Failed, error))?;
    passed(output, "describe", &description.to_string());
    if let Some(blocked) = EngineError::blocked(prepared.plan()) {
        return Err(blocked.into());
    }
    passed(output, "plan", &prepared.plan().digest().short());
    let estimated = estimates(&opened, &prepared).await;
    let rows = estimated.iter().find_map(|estimate| estimate.rows);
    passed(
        output,
        "estimate",
        &rows.map_or_else(
            || "says nothing before its table is there".to_owned(),
            |rows| format!("{} rows", count(rows)),
        ),
    );
    let rows = done(execute(&opened, &prepared, None, whimbrel_run::Stop::default()).await)?;
    passed(output, "apply", &format!("{} rows", count(rows)));
    let again = prepare(&opened).await?;
    if !again.plan().is_empty() {
        return Err(CliError::failed("what was applied is still pending"));
    }
    passed(output, "apply again", "nothing to do");
    let names = vec![
        STEP.parse()
            .map_err(|error| CliError::failed(format!("{error}")))?,
    ];
    let back = prepare_revert(&opened, names, Passing::default()).await?;
    if let Some(blocked) = EngineError::blocked(back.plan()) {
        let blocked = CliError::from(blocked);
        output.answer(&format!("- revert: {}\n", blocked.render().trim_end()));
        return Ok(Exit::Success);
    }
    let rows = done(execute(&opened, &back, None, whimbrel_run::Stop::default()).await)?;
    passed(output, "revert", &format!("{} rows", count(rows)));
    Ok(Exit::Success)
}

async fn prepare(opened: &Opened) -> Result<Prepared, CliError> {
    let mut prepared = Prepared::new(opened, Goal::Apply, Passing::default()).await?;
    prepared.require_all()?;
    Ok(prepared)
}

/// Rows of the step, or why it failed.
fn done(report: RunReport) -> Result<u64, CliError> {
    let mut rows = 0;
    for target in report.targets {
        if let Some(error) = target.error {
            return Err(error.into());
        }
        let steps = target
            .done
            .iter()
            .filter(|done| done.migration.as_str() == STEP || done.direction == Direction::Revert);
        rows += steps.map(|done| done.rows).sum::<u64>();
    }
    Ok(rows)
}

pub(super) fn passed(output: &Output, what: &str, words: &str) {
    output.answer(&format!("{} {what}: {words}\n", good("✓")));
}

/// A project whose one step is the plugin's.
fn write_project(
    folder: &Path,
    component: &Component,
    with: &Json,
    setup: Option<&Path>,
) -> Result<(), CliError> {
    let document = |kind: &str, name: &str, spec: Json| {
        json!({
            "apiVersion": "whimbrel.dev/v1alpha1",
            "kind": kind,
            "metadata": {"name": name},
            "spec": spec,
        })
        .to_string()
    };
    let failed = |error| CliError::failed(format!("can't write the scratch project: {error}"));
    std::fs::write(folder.join("component.wasm"), &component.bytes).map_err(failed)?;
    let plugin = json!({
        "path": "component.wasm",
        "digest": Digest::of(&component.bytes),
        "grants": component.grants.clone().unwrap_or_default(),
    });
    let spec = json!({
        "defaults": {"database": "scratch"},
        "plugins": {component.name.as_str(): plugin},
    });
    write_new(
        &folder.join("whimbrel.yaml"),
        &document("Project", "scratch", spec),
    )?;
    let spec = json!({
        "databases": {"scratch": {"url": "sqlite:scratch.db"}},
        "policy": {"apply": "Auto", "destructive": "Allow"},
    });
    write_new(
        &folder.join("environments/scratch.yaml"),
        &document("Environment", "scratch", spec),
    )?;
    let setup = match setup {
        Some(file) => std::fs::read_to_string(file)
            .map_err(|error| CliError::failed(format!("can't read {}: {error}", file.display())))?,
        None => "SELECT 1;".to_owned(),
    };
    let spec = json!({"steps": [{"sql": setup}]});
    write_new(
        &folder.join("migrations/0001-setup.yaml"),
        &document("Migration", "0001-setup", spec),
    )?;
    let spec = json!({"steps": [{"uses": component.name, "with": with}]});
    write_new(
        &folder.join(format!("migrations/{STEP}.yaml")),
        &document("Migration", STEP, spec),
    )
}
