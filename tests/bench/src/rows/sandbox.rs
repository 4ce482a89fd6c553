//! What a call into the sandbox costs: the instance that every call gets, and a call back into the host.

use std::time::{Duration, Instant};

use serde_json::json;
use whimbrel_core::statement::Dialect;
use whimbrel_plugin::{Call, Grants, Plugin, Sandbox, Settings, StepDatabase};

use super::Stage;
use crate::failure::{Doing, Failure, Result};
use crate::report::Report;
use crate::rows::idle::Idle;

/// Calls per measurement: enough for the clock, few enough for the limits of one call.
const INSTANCES: u32 = 2000;
const CALLS: u32 = 50_000;
const ROUNDS: usize = 5;

/// Measures both with a Rust component that can do nothing and can do it often.
pub fn run(_: &Stage, report: &mut Report) -> Result {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .doing("starting a runtime")?;
    runtime.block_on(async {
        let plugin = admit().await?;
        let instance = best(ROUNDS, async || instances(&plugin).await).await?;
        report.at_most(
            "instantiate a Rust step",
            instance.as_secs_f64() * 1e6,
            "µs",
            50.0,
            "a whole call of `plan`: store, instance, call, drop; best of five rounds".to_owned(),
        );
        let call = best(ROUNDS, async || calls(&plugin).await).await?;
        report.at_most(
            "a call into the host",
            call.as_secs_f64() * 1e6,
            "µs",
            1.0,
            "beyond its own work; best of five rounds".to_owned(),
        );
        Ok(())
    })
}

async fn admit() -> Result<Plugin> {
    let program = std::env::current_exe().doing("finding this program")?;
    // <target>/release/whimbrel-bench, and beside the profile's folder what `plugins/build.sh` made.
    let component = program
        .ancestors()
        .nth(2)
        .map(|target| target.join("test-components/hostile.wasm"))
        .ok_or_else(|| Failure::new("this program has no target folder above it"))?;
    let bytes = std::fs::read(&component).doing(format!("reading {}", component.display()))?;
    let sandbox = Sandbox::new(Settings::default()).doing("making a sandbox")?;
    let name = "bench".parse().doing("naming the plugin")?;
    sandbox
        .admit(&name, bytes, Grants::default())
        .await
        .doing("admitting the component")
}

async fn instances(plugin: &Plugin) -> Result<Duration> {
    let config = json!({ "do": "nothing" });
    let begun = Instant::now();
    for _ in 0..INSTANCES {
        plugin
            .plan(&config, Dialect::Sqlite)
            .await
            .doing("planning")?;
    }
    Ok(begun.elapsed() / INSTANCES)
}

/// The time of many calls less the time of none.
async fn calls(plugin: &Plugin) -> Result<Duration> {
    let none = apply(plugin, 0).await?;
    let many = apply(plugin, CALLS).await?;
    Ok(many.saturating_sub(none) / CALLS)
}

async fn apply(plugin: &Plugin, calls: u32) -> Result<Duration> {
    let config = json!({ "do": "calls", "n": calls });
    let database: Box<dyn StepDatabase> = Box::new(Idle);
    let begun = Instant::now();
    plugin
        .apply(&config, Call::new("bench", "bench"), database)
        .await
        .doing("applying")?;
    Ok(begun.elapsed())
}

async fn best(
    rounds: usize,
    mut measure: impl AsyncFnMut() -> Result<Duration>,
) -> Result<Duration> {
    let mut best = Duration::MAX;
    for _ in 0..rounds {
        best = best.min(measure().await?);
    }
    Ok(best)
}
