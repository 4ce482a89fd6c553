//! From decisions to a plan: which operations are still to be done, and what its digest covers.

use serde_json::json;
use std::collections::BTreeMap;
use whimbrel_core::checksum::Checksum;
use whimbrel_core::digest::Digest;
use whimbrel_core::history::{Direction, History, JournalEntry, JournalState, MigrationState};
use whimbrel_core::lineage::Revision;
use whimbrel_core::name::TargetName;
use whimbrel_core::place::Place;
use whimbrel_core::plan::{
    BlockerCode, Decision, Decisions, Mistake, Operation, OperationAction, Plan, PrepareError,
    Prepared, PreparedMigrations, RevertReason, Where, Work, assemble,
};
use whimbrel_core::statement::{Dialect, Statement, StatementClass};

use super::{desired, history, name, record};

fn operation(step: usize, text: &str) -> Operation {
    Operation {
        step,
        title: format!("step {}", step + 1),
        hash: Digest::of(text.as_bytes()),
        timeout: None,
        action: OperationAction::Statement(Statement {
            text: text.to_owned(),
            line: 1,
            class: StatementClass::Transactional,
            destructive: if text.starts_with("DROP") {
                vec!["drops a table".to_owned()]
            } else {
                Vec::new()
            },
            locks: Vec::new(),
        }),
    }
}

fn plugin(step: usize) -> Operation {
    let action = OperationAction::Plugin {
        uses: "backfill".parse().unwrap(),
        with: json!({}),
        reads: Vec::new(),
        effects: vec!["fills".to_owned()],
    };
    Operation {
        action,
        ..operation(step, "plugin")
    }
}

fn prepared(text: &str, up: Vec<Operation>, down: Vec<Operation>) -> Prepared {
    Prepared {
        up,
        down,
        ..Prepared::new(name(text), Checksum::w1(&json!(text)), json!({}))
    }
}

fn entry(
    position: u32,
    text: &str,
    direction: Direction,
    state: JournalState,
    batch: i64,
) -> JournalEntry {
    JournalEntry {
        migration: name("1"),
        direction,
        position,
        hash: Digest::of(text.as_bytes()),
        state,
        batch,
        checkpoint: None,
        rows_done: 0,
        rows_total: None,
        probe: None,
        undo: None,
    }
}

fn put_together(
    decision: Decision,
    ready: Prepared,
    history: &History,
) -> whimbrel_core::plan::TargetPlan {
    let all: PreparedMigrations = BTreeMap::from([(name("1"), Ok(ready.into()))]);
    let decisions = Decisions {
        decisions: vec![decision],
        blockers: Vec::new(),
    };
    let target = TargetName::single("shop".parse().unwrap());
    assemble(
        target,
        Dialect::Sqlite,
        decisions,
        all.clone(),
        all,
        history,
    )
}

fn revert_one() -> Decision {
    Decision::Revert {
        name: name("1"),
        reason: RevertReason::Requested,
    }
}

fn positions(work: &Work) -> Vec<(u32, bool)> {
    work.change()
        .unwrap()
        .operations
        .iter()
        .map(|planned| (planned.position, planned.done))
        .collect()
}

#[test]
fn a_resumed_migration_knows_what_is_done_and_refuses_edits_of_it() {
    let ready = prepared("1", vec![operation(0, "A"), operation(1, "B")], Vec::new());
    let resumed = Decision::Apply {
        name: name("1"),
        resumed: true,
        out_of_order: false,
    };
    let mut there = history(vec![record(&desired("1"), 1, MigrationState::Failed)]);
    there.journal = vec![entry(0, "A", Direction::Apply, JournalState::Done, 0)];
    let plan = put_together(resumed.clone(), ready.clone(), &there);
    assert_eq!(positions(&plan.work[0]), [(0, true), (1, false)]);
    assert!(plan.blockers.is_empty());

    there.journal = vec![entry(
        0,
        "edited since",
        Direction::Apply,
        JournalState::Done,
        0,
    )];
    let plan = put_together(resumed.clone(), ready.clone(), &there);
    assert_eq!(plan.blockers[0].code, BlockerCode::Edited);

    there.journal = vec![entry(7, "gone", Direction::Apply, JournalState::Done, 0)];
    let plan = put_together(resumed, ready, &there);
    assert_eq!(plan.blockers[0].code, BlockerCode::Edited);
}

#[test]
fn a_failed_migration_reverts_exactly_its_done_steps() {
    let up = vec![operation(0, "A"), operation(1, "B"), operation(2, "C")];
    let down = vec![
        operation(2, "undo C"),
        operation(1, "undo B"),
        operation(0, "undo A"),
    ];
    let mut there = history(vec![record(&desired("1"), 1, MigrationState::Failed)]);
    there.journal = vec![
        entry(0, "A", Direction::Apply, JournalState::Done, 0),
        entry(1, "B", Direction::Apply, JournalState::Done, 0),
    ];
    let plan = put_together(
        revert_one(),
        prepared("1", up.clone(), down.clone()),
        &there,
    );
    assert_eq!(positions(&plan.work[0]), [(1, false), (2, false)]);

    there.journal.clear();
    let plan = put_together(revert_one(), prepared("1", up, down), &there);
    assert!(
        positions(&plan.work[0]).is_empty(),
        "nothing was done, nothing is undone"
    );
}

#[test]
fn a_step_left_half_done_blocks_its_revert_and_a_plugin_step_with_batches_does_not() {
    let up = vec![operation(0, "A"), operation(0, "B"), plugin(1)];
    let down = vec![plugin(1), operation(0, "undo")];
    let mut there = history(vec![record(&desired("1"), 1, MigrationState::Failed)]);
    there.journal = vec![entry(0, "A", Direction::Apply, JournalState::Done, 0)];
    let plan = put_together(
        revert_one(),
        prepared("1", up.clone(), down.clone()),
        &there,
    );
    assert_eq!(plan.blockers[0].code, BlockerCode::HalfDone);

    there
        .journal
        .push(entry(1, "B", Direction::Apply, JournalState::Done, 0));
    there.journal.push(entry(
        2,
        "plugin",
        Direction::Apply,
        JournalState::Intent,
        3,
    ));
    let plan = put_together(
        revert_one(),
        prepared("1", up.clone(), down.clone()),
        &there,
    );
    assert_eq!(positions(&plan.work[0]), [(0, false), (1, false)]);

    there.journal[2].batch = 0;
    let plan = put_together(revert_one(), prepared("1", up, down), &there);
    assert!(
        plan.blockers.is_empty(),
        "a plugin step that committed nothing left no trace"
    );
    assert_eq!(positions(&plan.work[0]), [(1, false)]);
}

#[test]
fn a_revert_that_was_interrupted_goes_on() {
    let ready = prepared(
        "1",
        vec![operation(0, "A")],
        vec![operation(0, "undo A"), operation(0, "undo more")],
    );
    let mut there = history(vec![record(&desired("1"), 1, MigrationState::Reverting)]);
    there.journal = vec![entry(0, "undo A", Direction::Revert, JournalState::Done, 0)];
    let plan = put_together(revert_one(), ready, &there);
    assert_eq!(positions(&plan.work[0]), [(0, true), (1, false)]);
    assert!(plan.work[0].change().unwrap().resumed);
}

#[test]
fn what_has_no_down_blocks() {
    let mut ready = prepared("1", vec![operation(0, "A")], Vec::new());
    ready.irreversible = vec![(0, "step 1".to_owned())];
    let there = history(vec![record(&desired("1"), 1, MigrationState::Applied)]);
    let plan = put_together(revert_one(), ready, &there);
    assert_eq!(plan.blockers[0].code, BlockerCode::Irreversible);
}

#[test]
fn the_digest_moves_with_effects_and_not_with_findings_or_revisions() {
    let there = history(Vec::new());
    let decision = Decision::Apply {
        name: name("1"),
        resumed: false,
        out_of_order: false,
    };
    let one = put_together(
        decision.clone(),
        prepared("1", vec![operation(0, "A")], Vec::new()),
        &there,
    );
    let plan = |target, revision| Plan {
        environment: "dev".parse().unwrap(),
        revision,
        targets: vec![target],
    };
    let base = plan(one.clone(), None).digest();
    assert_eq!(
        base,
        plan(one.clone(), Some(Revision::commit("abc"))).digest()
    );
    let mut noted = one.clone();
    noted.findings.push(whimbrel_core::finding::Finding {
        rule: "r".to_owned(),
        severity: whimbrel_core::finding::Severity::Note,
        message: String::new(),
        help: None,
        migration: None,
        target: None,
        path: None,
        line: None,
        column: None,
        excerpt: None,
    });
    assert_eq!(base, plan(noted, None).digest());
    let other = put_together(
        decision,
        prepared("1", vec![operation(0, "B")], Vec::new()),
        &there,
    );
    assert_ne!(base, plan(other, None).digest());
    assert_eq!(plan(one.clone(), None).changes().count(), 1);
    assert!(!plan(one, None).is_empty());
}

#[test]
fn destructive_reasons_of_what_is_done_already_do_not_count() {
    let ready = prepared(
        "1",
        vec![operation(0, "DROP TABLE a"), operation(1, "DROP TABLE b")],
        Vec::new(),
    );
    let mut there = history(vec![record(&desired("1"), 1, MigrationState::Failed)]);
    there.journal = vec![entry(
        0,
        "DROP TABLE a",
        Direction::Apply,
        JournalState::Done,
        0,
    )];
    let plan = put_together(
        Decision::Apply {
            name: name("1"),
            resumed: true,
            out_of_order: false,
        },
        ready,
        &there,
    );
    assert_eq!(plan.applies().next().unwrap().destructive().count(), 1);
    assert_eq!(plan.reverts().count(), 0);
}

#[test]
fn what_was_not_prepared_blocks() {
    let decisions = Decisions {
        decisions: vec![revert_one()],
        blockers: Vec::new(),
    };
    let target = TargetName::single("shop".parse().unwrap());
    let none = PreparedMigrations::new();
    let plan = assemble(
        target,
        Dialect::Sqlite,
        decisions,
        none.clone(),
        none,
        &History::default(),
    );
    assert_eq!(plan.blockers[0].code, BlockerCode::Unrunnable);
}

#[test]
fn what_is_wrong_with_several_is_told_in_the_order_of_their_files() {
    let mistake = |path: &str, line| Mistake {
        at: Where::File(Place {
            path: path.to_owned(),
            line,
            column: 1,
            excerpt: None,
        }),
        message: "wrong".to_owned(),
        hint: "mend it".to_owned(),
    };
    let wrong = |found| Err(PrepareError::new(found).unwrap());
    let desired = PreparedMigrations::from([
        (
            name("1-b"),
            wrong(vec![mistake("m/1-b.yaml", 4), mistake("m/shared.sql", 2)]),
        ),
        (name("2-a"), wrong(vec![mistake("m/2-a.yaml", 9)])),
    ]);
    let apply = |text: &str| Decision::Apply {
        name: name(text),
        resumed: false,
        out_of_order: false,
    };
    let decisions = Decisions {
        decisions: vec![apply("2-a"), apply("1-b")],
        blockers: Vec::new(),
    };
    let plan = assemble(
        TargetName::single("shop".parse().unwrap()),
        Dialect::Sqlite,
        decisions,
        desired,
        PreparedMigrations::new(),
        &History::default(),
    );
    let told: Vec<_> = plan
        .blockers
        .iter()
        .map(|blocker| format!("{} {blocker}", blocker.migration.as_ref().unwrap()))
        .collect();
    assert_eq!(
        told,
        [
            "1-b m/1-b.yaml:4:1: wrong",
            "2-a m/2-a.yaml:9:1: wrong",
            "1-b m/shared.sql:2:1: wrong",
        ]
    );
}
