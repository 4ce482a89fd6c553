//! Plans as people, programs and reviewers see them.

use serde_json::json;
use whimbrel_core::checksum::Checksum;
use whimbrel_core::digest::Digest;
use whimbrel_core::finding::{Finding, Severity};
use whimbrel_core::gate::{Gate, Refusal};
use whimbrel_core::history::History;
use whimbrel_core::lineage::Revision;
use whimbrel_core::plan::{
    Blocker, BlockerCode, Change, Operation, OperationAction, Plan, PlannedOperation, Prepared,
    RevertReason, TargetPlan, Work,
};
use whimbrel_core::statement::{Dialect, Lock, Probe, Statement, StatementClass};

use super::{Estimate, PlanView};
use crate::findings::Notes;

pub(crate) fn plain(text: &str) -> String {
    anstream::adapter::strip_str(text).to_string()
}

fn statement(text: &str) -> Statement {
    Statement {
        text: text.to_owned(),
        line: 1,
        class: StatementClass::Transactional,
        destructive: Vec::new(),
        locks: Vec::new(),
    }
}

fn change(name: &str, actions: Vec<(&str, OperationAction)>) -> Change {
    let checksum = Checksum::w1(&json!(name));
    let operations = (0u32..)
        .zip(actions)
        .map(|(position, (title, action))| PlannedOperation {
            position,
            done: false,
            operation: Operation {
                step: usize::try_from(position).unwrap(),
                title: title.to_owned(),
                hash: Digest::of(title.as_bytes()),
                timeout: None,
                action,
            },
        })
        .collect();
    Change {
        migration: name.parse().unwrap(),
        checksum: checksum.clone(),
        reason: None,
        resumed: false,
        out_of_order: false,
        operations,
        prepared: std::sync::Arc::new(Prepared::new(name.parse().unwrap(), checksum, json!({}))),
    }
}

/// A plan that applies these to one database.
pub(crate) fn surveyed(names: &[&str]) -> Plan {
    let work = names
        .iter()
        .map(|name| Work::Apply(change(name, Vec::new())));
    Plan {
        environment: "dev".parse().unwrap(),
        revision: None,
        targets: vec![TargetPlan {
            target: whimbrel_core::name::TargetName::single("main".parse().unwrap()),
            dialect: Dialect::Sqlite,
            work: work.collect(),
            blockers: Vec::new(),
            findings: Vec::new(),
        }],
    }
}

/// The history of one database in which migrations stand so.
pub(crate) fn recorded(migrations: &[(&str, &str)]) -> History {
    let records = migrations.iter().map(|(name, state)| {
        json!({
            "name": name, "sequence": 1, "state": state, "checksum": Checksum::w1(&json!(name)), "definition": {},
            "revision": null, "run": "r", "actor": "ann", "started": "2026-01-02T03:04:05Z", "finished": null,
            "durationMilliseconds": null, "error": null,
        })
    });
    History {
        records: records
            .map(|record| serde_json::from_value(record).unwrap())
            .collect(),
        ..History::default()
    }
}

pub(super) fn plan() -> Plan {
    let mut add = statement("ALTER TABLE orders ADD COLUMN total_cents bigint");
    add.locks.push(Lock {
        relation: "orders".to_owned(),
        mode: "ACCESS EXCLUSIVE".to_owned(),
    });
    let mut index = statement("CREATE INDEX CONCURRENTLY orders_total ON orders (total_cents)");
    index.class = StatementClass::NonTransactional(Probe::CreateIndex {
        schema: None,
        table: "orders".to_owned(),
        index: "orders_total".to_owned(),
    });
    let mut vacuum = statement("VACUUM orders");
    vacuum.class = StatementClass::Repeatable;
    let fill = OperationAction::Plugin {
        uses: "backfill".parse().unwrap(),
        with: json!({"table": "orders"}),
        reads: Vec::new(),
        effects: vec!["sets total_cents where it is null, in batches of 5000".to_owned()],
    };
    let mut totals = change(
        "0004-order-totals",
        vec![
            ("add the column", OperationAction::Statement(add)),
            ("fill it", fill),
            ("index it", OperationAction::Statement(index)),
            ("tidy up", OperationAction::Statement(vacuum)),
        ],
    );
    totals.resumed = true;
    totals.operations[0].done = true;
    let mut drop = statement("DROP TABLE points -- ```\n;");
    drop.destructive.push("drops table points".to_owned());
    let mut revert = change(
        "0005-loyalty",
        vec![("step 1", OperationAction::Statement(drop))],
    );
    revert.reason = Some(RevertReason::Removed);
    let mut late = change(
        "0003-long",
        vec![(
            "step 1",
            OperationAction::Statement(statement(&vec!["SELECT 1,"; 20].join("\n"))),
        )],
    );
    late.out_of_order = true;
    late.operations[0].operation.title = "step\u{1b}[2J 1".to_owned();
    Plan {
        environment: "staging".parse().unwrap(),
        revision: Some(Revision {
            commit: "0123456789abcdef0123456789abcdef01234567".to_owned(),
            dirty: true,
        }),
        targets: vec![
            TargetPlan {
                target: whimbrel_core::name::TargetName {
                    database: "tenants".parse().unwrap(),
                    instance: Some("acme".to_owned()),
                },
                dialect: Dialect::Postgres,
                work: vec![
                    Work::Rename {
                        from: "0001-a".parse().unwrap(),
                        to: "0001-b".parse().unwrap(),
                    },
                    Work::Revert(revert),
                    Work::Apply(late),
                    Work::Apply(totals),
                    Work::Apply(change("0006-empty", Vec::new())),
                ],
                blockers: Vec::new(),
                findings: vec![Finding {
                    rule: "adding-field-with-default".to_owned(),
                    severity: Severity::Warning,
                    message: "a default | rewrites <the> table".to_owned(),
                    help: Some("add it without".to_owned()),
                    migration: Some("0004-order-totals".parse().unwrap()),
                    target: None,
                    path: Some("migrations/0004-order-totals.yaml".to_owned()),
                    line: Some(9),
                    column: None,
                    excerpt: None,
                }],
            },
            TargetPlan {
                target: whimbrel_core::name::TargetName::single("shop".parse().unwrap()),
                dialect: Dialect::Sqlite,
                work: Vec::new(),
                blockers: vec![Blocker {
                    code: BlockerCode::Edited,
                    migration: Some("0001-b".parse().unwrap()),
                    place: None,
                    message: "migrations/0001-b.yaml was edited after it was applied".to_owned(),
                    hint: "restore the definition".to_owned(),
                }],
                findings: Vec::new(),
            },
        ],
    }
}

pub(super) fn refusals() -> Vec<Refusal> {
    vec![Refusal {
        gate: Gate::Destructive,
        message: "data would be lost: 0005-loyalty drops table points".to_owned(),
        hint: "look at the plan, then pass `--allow-destructive`".to_owned(),
    }]
}

fn estimates(plan: &Plan) -> Vec<Estimate> {
    vec![Estimate {
        target: plan.targets[0].target.clone(),
        migration: "0004-order-totals".parse().unwrap(),
        position: 1,
        rows: Some(240_000),
        details: serde_json::Value::Null,
    }]
}

#[test]
fn a_plan_for_people_shows_everything_that_a_reviewer_asks() {
    let plan = plan();
    let (refusals, estimates) = (refusals(), estimates(&plan));
    let view = PlanView {
        plan: &plan,
        refusals: &refusals,
        estimates: &estimates,
        notes: Notes::Shown,
    };
    insta::assert_snapshot!(plain(&view.text()));
    assert!(view.text().contains("\u{1b}["));
}

#[test]
fn a_plan_for_pull_requests_can_not_be_broken_by_its_content() {
    let plan = plan();
    let (refusals, estimates) = (refusals(), estimates(&plan));
    let view = PlanView {
        plan: &plan,
        refusals: &refusals,
        estimates: &estimates,
        notes: Notes::Shown,
    };
    insta::assert_snapshot!(view.markdown());
}

#[test]
fn a_plan_for_programs_has_its_digest_and_names_targets_by_one_word() {
    let plan = plan();
    let (refusals, estimates) = (refusals(), estimates(&plan));
    let view = PlanView {
        plan: &plan,
        refusals: &refusals,
        estimates: &estimates,
        notes: Notes::Shown,
    };
    let json: serde_json::Value = serde_json::from_str(&view.json()).unwrap();
    assert_eq!(json["digest"], json!(plan.digest()));
    assert_eq!(json["targets"][0]["target"], "tenants[acme]");
    assert_eq!(json["gates"][0]["gate"], "destructive");
    assert_eq!(json["estimates"][0]["rows"], 240_000);
    assert_eq!(
        json["revision"],
        "0123456789abcdef0123456789abcdef01234567-dirty"
    );
    assert_eq!(json["targets"][0]["work"][3]["operations"][0]["done"], true);
}

#[test]
fn nothing_to_do_is_said_in_one_line() {
    let mut plan = plan();
    plan.revision = None;
    plan.targets.truncate(1);
    plan.targets[0].work.clear();
    plan.targets[0].findings.clear();
    let view = PlanView {
        plan: &plan,
        refusals: &[],
        estimates: &[],
        notes: Notes::Shown,
    };
    insta::assert_snapshot!(plain(&view.text()));
    assert!(view.markdown().ends_with("Nothing to do.\n"));
}

#[test]
fn unfinished_and_requested_reverts_say_why() {
    let mut plan = plan();
    for (reason, words) in [
        (RevertReason::Requested, "asked for by name"),
        (
            RevertReason::Unfinished,
            "an earlier revert was not finished",
        ),
    ] {
        if let Work::Revert(change) = &mut plan.targets[0].work[1] {
            change.reason = Some(reason);
        }
        let view = PlanView {
            plan: &plan,
            refusals: &[],
            estimates: &[],
            notes: Notes::Shown,
        };
        assert!(view.text().contains(words));
        assert!(view.markdown().contains(words));
    }
}

#[test]
fn findings_of_a_plan_know_their_target() {
    let plan = plan();
    let view = PlanView {
        plan: &plan,
        refusals: &[],
        estimates: &[],
        notes: Notes::Shown,
    };
    let findings = view.findings();
    assert_eq!(
        findings[0].target.as_ref().unwrap().to_string(),
        "tenants[acme]"
    );
}

#[test]
fn notes_of_a_plan_are_counted_until_somebody_asks() {
    let mut plan = plan();
    for finding in &mut plan.targets[0].findings {
        finding.severity = Severity::Note;
    }
    let text = |notes| {
        plain(
            &PlanView {
                plan: &plan,
                refusals: &[],
                estimates: &[],
                notes,
            }
            .text(),
        )
    };
    let counted = text(Notes::Counted);
    assert!(
        counted.contains("notes: 1 adding-field-with-default (`--verbose` shows them)"),
        "{counted}"
    );
    assert!(!counted.contains("rewrites"), "{counted}");
    assert!(text(Notes::Shown).contains("note[adding-field-with-default]"));
}

#[test]
fn a_blocker_without_advice_leaves_no_place_for_it() {
    let mut plan = plan();
    plan.targets[1].blockers[0].hint.clear();
    let view = PlanView {
        plan: &plan,
        refusals: &[],
        estimates: &[],
        notes: Notes::Shown,
    };
    assert!(!plain(&view.text()).contains("hint:"));
    assert!(!view.markdown().contains(">\n>"), "{}", view.markdown());
}
