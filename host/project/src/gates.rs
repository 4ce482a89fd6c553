//! Gathers what the gates look at; `core::gate` decides.

use std::collections::BTreeMap;

use jiff::Timestamp;
use whimbrel_core::approval::Approval;
use whimbrel_core::environment::Environment;
use whimbrel_core::gate::{Gate, GateInput};
use whimbrel_core::history::History;
use whimbrel_core::name::TargetName;

use crate::control::off_branch;
use crate::{OpenProject, ProjectError};

/// What whoever runs a plan says about its gates.
#[derive(Clone, Debug)]
pub struct GateOptions {
    /// Now, by the caller's clock.
    pub now: Timestamp,
    /// Whether a person confirmed destructive statements for this run.
    pub destructive_confirmed: bool,
    /// Gates that are passed for this run, audited.
    pub overridden: Vec<Gate>,
}

/// Everything that the gates look at besides the plan: policy, what the environment before has published, approvals
/// that the targets hold, and the author of the revision.
///
/// # Errors
/// The repository can't be read.
pub fn gate_input(
    project: &OpenProject,
    environment: &Environment,
    histories: &BTreeMap<TargetName, History>,
    options: GateOptions,
) -> Result<GateInput, ProjectError> {
    let before = environment.after.as_ref();
    let promotion = before
        .map(|before| Ok::<_, ProjectError>((before.clone(), project.promotions(before)?)))
        .transpose()?;
    let approvals = histories
        .iter()
        .map(|(target, history)| {
            let approvals = history.approvals.iter().filter_map(Approval::from_event);
            (target.clone(), approvals.collect())
        })
        .collect();
    Ok(GateInput {
        branch: off_branch(project, environment, histories)?,
        policy: environment.policy.clone(),
        now: options.now,
        promotion,
        approvals,
        author: project
            .authorship()?
            .map(|authorship| authorship.author.to_string()),
        destructive_confirmed: options.destructive_confirmed,
        overridden: options.overridden,
    })
}
