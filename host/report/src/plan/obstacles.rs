//! What stands in a plan's way, as findings: for reports whose readers look at nothing else.

use whimbrel_core::finding::{Finding, Severity};
use whimbrel_core::gate::{Gate, Refusal};
use whimbrel_core::name::{MigrationName, TargetName};
use whimbrel_core::plan::{RevertReason, Work};
use whimbrel_core::policy::Policy;

use super::PlanView;

/// What blocks the plan, and what a gate says of one of its migrations. What is still to be done for the plan as a whole,
/// such as approving it, is no fault of it.
pub(super) fn obstacles(view: &PlanView<'_>, policy: &Policy) -> Vec<Finding> {
    let mut found: Vec<Finding> = view
        .plan
        .blockers()
        .map(|(target, blocker)| {
            let finding = Finding {
                migration: blocker.migration.clone(),
                ..obstacle("blocked", target, &blocker.message, &blocker.hint)
            };
            match &blocker.place {
                Some(place) => finding.at(place.clone()),
                None => finding,
            }
        })
        .collect();
    let refused = |gate| {
        let mut stopping = view.refusals.iter().filter(|refusal| refusal.stops(policy));
        stopping.find(|refusal| refusal.gate == gate)
    };
    let (destructive, late) = (refused(Gate::Destructive), refused(Gate::OutOfOrder));
    let revert = refused(Gate::Revert);
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
        if let Some(refusal) = revert
            && change.reason == Some(RevertReason::Removed)
        {
            refuse(
                refusal,
                "`policy.onRevert` is Refuse, and Git removed its definition",
            );
        }
    }
    found
}

fn obstacle(rule: &str, target: &TargetName, message: &str, hint: &str) -> Finding {
    Finding {
        help: (!hint.is_empty()).then(|| hint.to_owned()),
        target: Some(target.clone()),
        ..Finding::new(rule, Severity::Error, message)
    }
}

#[cfg(test)]
mod tests {
    use whimbrel_core::finding::Severity;
    use whimbrel_core::gate::{Gate, Refusal};
    use whimbrel_core::place::Place;
    use whimbrel_core::plan::Plan;
    use whimbrel_core::policy::{DestructiveRule, Policy};

    use crate::findings::Notes;
    use crate::plan::PlanView;
    use crate::plan::tests::{plain, plan, refusals};

    fn view<'a>(plan: &'a Plan, refusals: &'a [Refusal]) -> PlanView<'a> {
        PlanView {
            plan,
            refusals,
            estimates: &[],
            notes: Notes::Shown,
        }
    }

    /// What a pipeline fails for.
    fn errors(plan: &Plan, refusals: &[Refusal], policy: &Policy) -> Vec<String> {
        let verdict = view(plan, refusals).verdict(policy).into_iter();
        let errors = verdict.filter(|finding| finding.severity == Severity::Error);
        errors
            .map(|finding| format!("{} {}", finding.rule, finding.migration.unwrap()))
            .collect()
    }

    fn refused(gate: Gate) -> Refusal {
        Refusal {
            gate,
            message: "not so".to_owned(),
            hint: "otherwise".to_owned(),
        }
    }

    #[test]
    fn what_stands_in_a_plan_s_way_is_an_error_for_pipelines() {
        let plan = plan();
        let mut refusals = refusals();
        let gates = [Gate::Revert, Gate::OutOfOrder, Gate::Approval, Gate::Branch];
        refusals.extend(gates.map(refused));
        let all = [
            "blocked 0001-b",
            "destructive 0005-loyalty",
            "revert 0005-loyalty",
            "out-of-order 0003-long",
        ];
        let forbid = Policy::default();
        assert_eq!(errors(&plan, &refusals, &forbid), all);
        let confirm = Policy {
            destructive: DestructiveRule::Confirm,
            ..Policy::default()
        };
        let confirmable = errors(&plan, &refusals, &confirm);
        assert_eq!(confirmable, [all[0], all[2], all[3]], "it asks for a yes");
        let passed = errors(&plan, &[], &forbid);
        assert_eq!(passed, all[..1], "what a gate lets pass is in nobody's way");
    }

    #[test]
    fn what_blocks_is_where_it_stands() {
        let mut plan = plan();
        let place = Place {
            path: "migrations/0001-b.yaml".to_owned(),
            line: 7,
            column: 3,
            excerpt: Some(" 7 │ x".to_owned()),
        };
        plan.targets[1].blockers[0].place = Some(place);
        let view = view(&plan, &[]);
        let verdict = view.verdict(&Policy::default());
        let found = verdict.iter().find(|finding| finding.rule == "blocked");
        let found = found.unwrap();
        let path = found.path.as_deref();
        assert_eq!(
            (path, found.line, found.column),
            (Some("migrations/0001-b.yaml"), Some(7), Some(3))
        );
        let said = "0001-b: migrations/0001-b.yaml:7:3: migrations/0001-b.yaml was edited";
        let text = plain(&view.text());
        assert!(
            text.contains(said) && text.contains("\n    7 │ x\n    hint: "),
            "{text}"
        );
    }

    #[test]
    fn a_finding_is_an_error_as_long_as_its_gate_is_shut() {
        let mut plan = plan();
        plan.targets[0].findings[0].severity = Severity::Error;
        let found = "adding-field-with-default 0004-order-totals";
        let policy = Policy::default();
        let shut = errors(&plan, &[refused(Gate::Lint)], &policy);
        assert_eq!(shut, [found, "blocked 0001-b"]);
        assert_eq!(errors(&plan, &[], &policy), ["blocked 0001-b"]);
    }
}
