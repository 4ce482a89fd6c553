//! Plans for programs.

use serde_json::json;

use super::PlanView;
use crate::target::named;

pub(super) fn render(view: &PlanView<'_>) -> String {
    let plan = view.plan;
    let targets: Vec<_> = plan
        .targets
        .iter()
        .map(|target| named(json!(target), &target.target))
        .collect();
    let value = json!({
        "environment": plan.environment,
        "revision": plan.revision.as_ref().map(ToString::to_string),
        "digest": plan.digest(),
        "targets": targets,
        "gates": view.refusals,
        "estimates": view.estimates,
    });
    format!("{value:#}\n")
}
