//! Every gate: what makes it say no, and what makes it say yes.

#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing)]

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use whimbrel_core::approval::Approval;
use whimbrel_core::checksum::Checksum;
use whimbrel_core::digest::Digest;
use whimbrel_core::finding::{Finding, Severity};
use whimbrel_core::gate::{Gate, GateInput, describe_revision, evaluate, may_approve};
use whimbrel_core::history::{Event, EventKind};
use whimbrel_core::lineage::{OffBranch, Revision};
use whimbrel_core::name::TargetName;
use whimbrel_core::plan::{
    Change, Operation, OperationAction, Plan, PlannedOperation, Prepared, RevertReason, TargetPlan,
    Work,
};
use whimbrel_core::policy::{ApplyRule, DestructiveRule, OutOfOrderRule, Policy, RevertRule};
use whimbrel_core::promotion::{Distrust, PromotionRecord, Promotions};
use whimbrel_core::statement::{Dialect, Statement, StatementClass};

fn change(name: &str, destructive: &[&str]) -> Change {
    let operation = Operation {
        step: 0,
        title: "step 1".to_owned(),
        hash: Digest::of(name.as_bytes()),
        timeout: None,
        action: OperationAction::Statement(Statement {
            text: name.to_owned(),
            line: 1,
            class: StatementClass::Transactional,
            destructive: destructive
                .iter()
                .map(|reason| (*reason).to_owned())
                .collect(),
            locks: Vec::new(),
        }),
    };
    let checksum = Checksum::w1(&json!(name));
    let mut prepared = Prepared::new(name.parse().unwrap(), checksum, json!({}));
    prepared.up.push(operation.clone());
    Change {
        migration: prepared.name.clone(),
        checksum: prepared.checksum.clone(),
        reason: None,
        resumed: false,
        out_of_order: false,
        operations: vec![PlannedOperation {
            position: 0,
            done: false,
            operation,
        }],
        prepared: std::sync::Arc::new(prepared),
    }
}

fn removed(name: &str) -> Work {
    Work::Revert(Change {
        reason: Some(RevertReason::Removed),
        ..change(name, &[])
    })
}

fn main_target() -> TargetName {
    TargetName::single("main".parse().unwrap())
}

fn plan(work: Vec<Work>) -> Plan {
    let target = TargetPlan {
        target: main_target(),
        dialect: Dialect::Postgres,
        work,
        blockers: Vec::new(),
        findings: Vec::new(),
    };
    Plan {
        environment: "production".parse().unwrap(),
        revision: None,
        targets: vec![target],
    }
}

fn open() -> GateInput {
    GateInput {
        branch: None,
        policy: Policy {
            apply: ApplyRule::Auto,
            destructive: DestructiveRule::Allow,
            out_of_order: OutOfOrderRule::Allow,
            on_revert: RevertRule::Auto,
            ..Policy::default()
        },
        now: Timestamp::UNIX_EPOCH + SignedDuration::from_hours(24 * 365),
        promotion: None,
        approvals: BTreeMap::new(),
        author: None,
        destructive_confirmed: false,
        overridden: Vec::new(),
    }
}

fn gates(plan: &Plan, input: &GateInput) -> Vec<Gate> {
    evaluate(plan, input)
        .into_iter()
        .map(|refusal| refusal.gate)
        .collect()
}

#[test]
fn an_open_policy_and_an_empty_plan_pass() {
    assert!(
        gates(
            &plan(vec![Work::Apply(change("1", &["drops table a"]))]),
            &open()
        )
        .is_empty()
    );
    assert!(
        gates(
            &plan(Vec::new()),
            &GateInput {
                policy: Policy::default(),
                ..open()
            }
        )
        .is_empty()
    );
}

#[test]
fn destructive_statements_are_forbidden_confirmed_or_allowed_and_downs_too() {
    let mut input = open();
    input.policy.destructive = DestructiveRule::Forbid;
    let up = plan(vec![Work::Apply(change("1", &["drops table a"]))]);
    let down = plan(vec![Work::Revert(change("1", &["drops table a"]))]);
    assert_eq!(gates(&up, &input), [Gate::Destructive]);
    assert_eq!(gates(&down, &input), [Gate::Destructive]);
    assert!(evaluate(&up, &input)[0].message.contains("1 drops table a"));
    input.destructive_confirmed = true;
    assert_eq!(
        gates(&up, &input),
        [Gate::Destructive],
        "forbidden is not confirmable"
    );
    input.policy.destructive = DestructiveRule::Confirm;
    assert!(gates(&up, &input).is_empty());
    input.destructive_confirmed = false;
    assert_eq!(gates(&up, &input), [Gate::Destructive]);
    input.overridden = vec![Gate::Destructive];
    assert!(gates(&up, &input).is_empty());
}

#[test]
fn late_migrations_are_out_of_order() {
    let mut input = open();
    input.policy.out_of_order = OutOfOrderRule::Forbid;
    let late = Work::Apply(Change {
        out_of_order: true,
        ..change("1", &[])
    });
    assert_eq!(gates(&plan(vec![late]), &input), [Gate::OutOfOrder]);
}

#[test]
fn a_closed_window_says_when_it_opens() {
    let mut input = open();
    input.policy.window = Some("Mon 08:00-09:00 UTC".parse().unwrap());
    let refusals = evaluate(&plan(vec![Work::Apply(change("1", &[]))]), &input);
    assert_eq!(refusals[0].gate, Gate::Window);
    assert!(
        refusals[0].hint.contains("opens next at"),
        "{}",
        refusals[0].hint
    );
    input.policy.window = Some("Daily 00:00-23:59 UTC".parse().unwrap());
    assert!(gates(&plan(vec![Work::Apply(change("1", &[]))]), &input).is_empty());
}

#[test]
fn what_git_removed_is_refused_approved_or_reverted() {
    let mut input = open();
    assert!(gates(&plan(vec![removed("1")]), &input).is_empty());
    assert_eq!(
        gates(&plan(vec![removed("1"), removed("2")]), &input),
        [Gate::Approval],
        "more than maxReverts"
    );
    input.policy.on_revert = RevertRule::Approve;
    assert_eq!(gates(&plan(vec![removed("1")]), &input), [Gate::Approval]);
    input.policy.on_revert = RevertRule::Refuse;
    assert_eq!(gates(&plan(vec![removed("1")]), &input), [Gate::Revert]);
    let asked = Work::Revert(Change {
        reason: Some(RevertReason::Requested),
        ..change("1", &[])
    });
    assert!(
        gates(&plan(vec![asked]), &input).is_empty(),
        "by name is another matter"
    );
}

#[test]
fn only_what_the_environment_before_has_applied_may_pass() {
    let mut input = open();
    input.promotion = Some(("staging".parse().unwrap(), Promotions::default()));
    let wanted = plan(vec![Work::Apply(change("1", &[]))]);
    let refusals = evaluate(&wanted, &input);
    assert_eq!(refusals[0].gate, Gate::Promotion);
    assert!(
        refusals[0].message.contains("1 (not applied there)"),
        "{}",
        refusals[0].message
    );
    let record = PromotionRecord {
        migration: "1".parse().unwrap(),
        checksum: change("1", &[]).checksum,
        plugins: BTreeMap::new(),
        project: None,
        environment: "staging".parse().unwrap(),
        revision: None,
        applied_at: String::new(),
    };
    let mut published = Promotions {
        records: vec![record],
        ..Promotions::default()
    };
    input.promotion = Some(("staging".parse().unwrap(), published.clone()));
    assert!(gates(&wanted, &input).is_empty());
    published.distrusted = Some(Distrust {
        problem: "who knows who wrote it".to_owned(),
        hint: "ask them".to_owned(),
    });
    input.promotion = Some(("staging".parse().unwrap(), published));
    let refusals = evaluate(&wanted, &input);
    assert_eq!(refusals[0].gate, Gate::Promotion);
    assert!(refusals[0].message.contains("doesn't count: who knows"));
    assert_eq!(refusals[0].hint, "ask them");
    // What is taken back needs nobody's word.
    assert!(gates(&plan(vec![removed("1")]), &input).is_empty());
}

#[test]
fn findings_at_error_level_stop() {
    let mut bad = plan(vec![Work::Apply(change("1", &[]))]);
    let finding = |severity| Finding {
        rule: "rule".to_owned(),
        severity,
        message: "found".to_owned(),
        help: None,
        migration: None,
        target: None,
        path: None,
        line: None,
        column: None,
        excerpt: None,
    };
    bad.targets[0].findings.push(finding(Severity::Warning));
    assert!(gates(&bad, &open()).is_empty());
    bad.targets[0].findings.push(finding(Severity::Error));
    assert_eq!(gates(&bad, &open()), [Gate::Lint]);
}

#[test]
fn an_approval_counts_for_its_plan_its_time_and_by_whom() {
    let wanted = plan(vec![Work::Apply(change("1", &[]))]);
    let mut input = open();
    input.policy.apply = ApplyRule::Approve;
    let refusals = evaluate(&wanted, &input);
    assert_eq!(refusals[0].gate, Gate::Approval);
    assert!(refusals[0].hint.contains(&wanted.digest().to_string()));

    let expires = input.now + SignedDuration::from_hours(1);
    let approval = Approval::of(&wanted, "ann@example.org", expires);
    let mut approve =
        |approval: Approval| input.approvals = BTreeMap::from([(main_target(), vec![approval])]);
    approve(approval.clone());
    assert!(gates(&wanted, &input).is_empty());
    assert_eq!(
        gates(&plan(vec![Work::Apply(change("2", &[]))]), &input),
        [Gate::Approval],
        "another plan"
    );
    input.author = Some("Ann <ann@example.org>".to_owned());
    assert_eq!(gates(&wanted, &input), [Gate::Approval], "the author's own");
    input.policy.approvers = vec!["author".to_owned()];
    assert!(
        gates(&wanted, &input).is_empty(),
        "unless the policy says so"
    );
    input.author = None;
    input.policy.approvers = vec!["group:dba".to_owned()];
    assert_eq!(gates(&wanted, &input), [Gate::Approval], "not one of them");
    assert!(may_approve("bob (group:dba)", &input));
    input.policy.approvers = vec!["user:bob".to_owned()];
    assert!(may_approve("bob", &input) && !may_approve("ann", &input));
    input.policy.approvers.clear();
    input.now = expires;
    assert_eq!(gates(&wanted, &input), [Gate::Approval], "expired");
}

#[test]
fn an_approval_survives_its_event_and_damaged_ones_do_not_count() {
    let wanted = plan(vec![Work::Apply(change("1", &[])), removed("0")]);
    let approval = Approval::of(&wanted, "ann", Timestamp::UNIX_EPOCH);
    let mut event = Event {
        id: 1,
        kind: EventKind::Approved,
        migration: None,
        run: String::new(),
        actor: "ann".to_owned(),
        revision: None,
        plan: Some(wanted.digest()),
        at: String::new(),
        details: approval.details().unwrap(),
    };
    assert_eq!(Approval::from_event(&event), Some(approval));
    event.details = json!({"expires": "soon"});
    assert_eq!(Approval::from_event(&event), None);
    event.kind = EventKind::Applied;
    assert_eq!(Approval::from_event(&event), None);
}

#[test]
fn gates_and_revisions_have_names() {
    for gate in Gate::ALL {
        assert_eq!(gate.to_string().parse(), Ok(gate));
    }
    assert!("nothing".parse::<Gate>().is_err());
    assert_eq!(describe_revision(None), "files outside Git");
    let revision = Revision::parse("0123456789abcdef-dirty");
    assert_eq!(describe_revision(Some(&revision)), "0123456789ab-dirty");
    assert_eq!(Revision::parse(&revision.to_string()), revision);
    let many: Vec<_> = (0..7)
        .map(|n| Work::Apply(change(&n.to_string(), &["drops"])))
        .collect();
    let mut input = open();
    input.policy.destructive = DestructiveRule::Forbid;
    assert!(
        evaluate(&plan(many), &input)[0]
            .message
            .ends_with("and 2 more")
    );
}

#[test]
fn an_environment_takes_only_what_is_on_its_branch() {
    let up = plan(vec![Work::Apply(change("1", &[]))]);
    let applied = Revision::commit("0123456789abcdef");
    let other = applied.clone();
    let gone = OffBranch::Rewritten { applied };
    let apart = OffBranch::Apart { applied: other };
    let by_force = "0123456789ab, which was applied, isn't on it: it was pushed away by force";
    for (why, words) in [
        (OffBranch::NoCommit, "no commit of a Git repository"),
        (OffBranch::NoBranch, "no such branch"),
        (OffBranch::Elsewhere, "isn't on it"),
        (OffBranch::Uncommitted, "changes that no commit has"),
        (gone, "0123456789ab, which was applied, is no longer on it"),
        (apart, by_force),
    ] {
        let input = GateInput {
            branch: Some(("main".to_owned(), why)),
            ..open()
        };
        let refusals = evaluate(&up, &input);
        assert_eq!(refusals[0].gate, Gate::Branch);
        let said = &refusals[0].message;
        assert!(
            said.contains("`production` follows `main`") && said.contains(words),
            "{said}"
        );
        assert!(
            refusals[0].hint.contains("--override branch"),
            "{refusals:?}"
        );
        assert_eq!(gates(&plan(vec![removed("1")]), &input), [Gate::Branch]);
        let by_name = Work::Revert(Change {
            reason: Some(RevertReason::Requested),
            ..change("1", &[])
        });
        assert_eq!(gates(&plan(vec![by_name]), &input), []);
        let overridden = GateInput {
            overridden: vec![Gate::Branch],
            ..input
        };
        assert_eq!(gates(&up, &overridden), []);
    }
}
