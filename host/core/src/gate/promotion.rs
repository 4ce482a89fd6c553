//! The gate of `after`: only what the environment before has published may pass.

use super::{Gate, GateInput, Refusal, list};
use crate::plan::{Plan, TargetPlan};
use crate::promotion::{Candidate, missing};

pub(super) fn promotion(plan: &Plan, input: &GateInput) -> Option<Refusal> {
    let (before, published) = input.promotion.as_ref()?;
    let mut candidates = plan
        .targets
        .iter()
        .flat_map(TargetPlan::applies)
        .map(|change| Candidate {
            migration: &change.migration,
            checksum: &change.checksum,
            plugins: &change.prepared.plugins,
        })
        .peekable();
    candidates.peek()?;
    if let Some(distrust) = &published.distrusted {
        return Some(Refusal {
            gate: Gate::Promotion,
            message: format!(
                "`{before}` comes first, and what it has published doesn't count: {}",
                distrust.problem
            ),
            hint: distrust.hint.clone(),
        });
    }
    let mut reasons: Vec<String> = missing(candidates, &published.records)
        .into_iter()
        .map(|(name, reason)| format!("{name} ({reason})"))
        .collect();
    reasons.dedup();
    (!reasons.is_empty()).then(|| Refusal {
        gate: Gate::Promotion,
        message: format!("`{before}` comes first: {}", list(&reasons)),
        hint: format!("apply this revision to `{before}` first; `whimbrel promote {before} {}` shows the rest", plan.environment),
    })
}
