//! The data sources: what would be run, and what has been.

use whimbrel_sdk::prelude::*;

use crate::request::Reached;
use crate::state::set;

/// `whimbrel_plan`.
///
/// # Errors
/// It can't be planned.
pub fn plan(reached: &Reached, config: &Json) -> Result<Json, Fault> {
    let answer = engine::plan(&Json::Object(reached.environment(config)));
    let answer = answer.map_err(|fault| reached.named(fault, config))?;
    let names = ["revision", "digest", "stand", "pending", "findings", "text"];
    Ok(answered(config, &answer, &names))
}

/// `whimbrel_status`.
///
/// # Errors
/// It can't be looked at.
pub fn status(reached: &Reached, config: &Json) -> Result<Json, Fault> {
    let answer = engine::status(&Json::Object(reached.environment(config)));
    let answer = answer.map_err(|fault| reached.named(fault, config))?;
    let names = [
        "revision",
        "migrations",
        "applied",
        "pending",
        "failed",
        "drift",
    ];
    Ok(answered(config, &answer, &names))
}

fn answered(config: &Json, answer: &Json, names: &[&str]) -> Json {
    let mut state = config.clone();
    for name in names {
        set(
            &mut state,
            name,
            answer.get(name).cloned().unwrap_or_default(),
        );
    }
    state
}
