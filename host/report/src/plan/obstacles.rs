//! What stands in a plan's way, as findings: for reports whose readers look at nothing else.

use whimbrel_core::finding::{Finding, Severity};
use whimbrel_core::gate::{Gate, Refusal};
use whimbrel_core::name::{MigrationName, TargetName};
use whimbrel_core::plan::Work;

use super::PlanView;

/// What blocks the plan, and what a gate says of one of its migrations. What is still to be done for the plan as a whole,
/// such as approving it, is no fault of it.
pub(super) fn obstacles(view: &PlanView<'_>) -> Vec<Finding> {
    let mut found: Vec<Finding> = view
        .plan
        .blockers()
        .map(|(target, blocker)| Finding {
            migration: blocker.migration.clone(),
            ..obstacle("blocked", target, &blocker.message, &blocker.hint)
        })
        .collect();
    let refused = |gate| view.refusals.iter().find(|refusal| refusal.gate == gate);
    let (destructive, late) = (refused(Gate::Destructive), refused(Gate::OutOfOrder));
    for (target, work) in view.plan.changes() {
        let Some(change) = work.change() else {
            continue;
        };
        let mut refuse = |refusal: &Refusal, message: &str| {
            found.push(Finding {
                migration: Some(MigrationName::clone(&change.migration)),
                ..obstacle(
                    refusal.gate.as_str(),
                    &target.target,
                    message,
                    &refusal.hint,
                )
            });
        };
        if let Some(refusal) = destructive {
            for loss in change.destructive() {
                refuse(refusal, &format!("data would be lost: it {loss}"));
            }
        }
        if let (Some(refusal), Work::Apply(change)) = (late, work)
            && change.out_of_order
        {
            refuse(refusal, "a later migration is applied already");
        }
    }
    found
}

fn obstacle(rule: &str, target: &TargetName, message: &str, hint: &str) -> Finding {
    Finding {
        rule: rule.to_owned(),
        severity: Severity::Error,
        message: message.to_owned(),
        help: (!hint.is_empty()).then(|| hint.to_owned()),
        migration: None,
        target: Some(target.clone()),
        path: None,
        line: None,
    }
}

#[cfg(test)]
mod tests {
    use whimbrel_core::finding::Severity;
    use whimbrel_core::gate::{Gate, Refusal};

    use crate::findings::Notes;
    use crate::plan::PlanView;
    use crate::plan::tests::{plan, refusals};

    #[test]
    fn what_stands_in_a_plan_s_way_is_an_error_for_pipelines() {
        let plan = plan();
        let mut refusals = refusals();
        for gate in [Gate::OutOfOrder, Gate::Approval, Gate::Branch] {
            refusals.push(Refusal {
                gate,
                message: "not so".to_owned(),
                hint: "otherwise".to_owned(),
            });
        }
        let of = |refusals| {
            let view = PlanView {
                plan: &plan,
                refusals,
                estimates: &[],
                notes: Notes::Shown,
            };
            let verdict = view.verdict().into_iter();
            let errors = verdict.filter(|finding| finding.severity == Severity::Error);
            errors
                .map(|finding| format!("{} {}", finding.rule, finding.migration.unwrap()))
                .collect::<Vec<_>>()
        };
        let all = [
            "blocked 0001-b",
            "destructive 0005-loyalty",
            "out-of-order 0003-long",
        ];
        assert_eq!(of(&refusals), all);
        assert_eq!(
            of(&[]),
            all[..1],
            "what a gate lets pass stands in nobody's way"
        );
    }
}
