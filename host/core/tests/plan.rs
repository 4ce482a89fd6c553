//! Planning: what is decided for every state that a target and the definitions can be in.
//!
//! tidy: long because the rules of planning are read side by side, a case each

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use std::collections::BTreeMap;

use serde_json::json;
use whimbrel_core::checksum::Checksum;
use whimbrel_core::definition::{Action, Checks, Migration, Origin, SqlAction, Step};
use whimbrel_core::digest::Digest;
use whimbrel_core::history::{
    Direction, History, JournalEntry, JournalState, MigrationState, Owner, Record,
};
use whimbrel_core::lineage::{Absence, Lineage, Revision};
use whimbrel_core::name::{MigrationName, TargetName};
use whimbrel_core::plan::{
    BlockerCode, Decision, Decisions, DesiredMigration, Goal, Operation, OperationAction, Plan,
    Prepared, PreparedMigrations, RevertReason, Work, assemble, decide,
};
use whimbrel_core::statement::{Dialect, Statement, StatementClass};

fn name(text: &str) -> MigrationName {
    text.parse().unwrap()
}

fn migration(text: &str, sql: &str, depends_on: &[&str]) -> Migration {
    Migration {
        name: name(text),
        database: "shop".parse().unwrap(),
        depends_on: depends_on.iter().map(|other| name(other)).collect(),
        steps: vec![Step {
            name: None,
            action: Action::Sql(SqlAction {
                sql: sql.to_owned(),
                revert: None,
                file: None,
                revert_file: None,
            }),
            timeout: None,
        }],
        checks: Checks::default(),
        metrics: Vec::new(),
        origin: Origin {
            path: format!("migrations/{text}.yaml"),
            line: 1,
        },
    }
}

fn desired(text: &str) -> DesiredMigration {
    desired_as(text, text, &[])
}

fn desired_as(text: &str, sql: &str, depends_on: &[&str]) -> DesiredMigration {
    let migration = migration(text, sql, depends_on);
    DesiredMigration {
        checksum: migration.checksum().unwrap(),
        migration,
    }
}

fn record(item: &DesiredMigration, sequence: i64, state: MigrationState) -> Record {
    Record {
        name: item.migration.name.clone(),
        sequence,
        state,
        checksum: item.checksum.clone(),
        definition: item.migration.canonical().unwrap(),
        parameters: BTreeMap::new(),
        plugins: BTreeMap::new(),
        revision: Some(Revision::commit("0123456789abcdef")),
        run: "run".to_owned(),
        actor: "somebody".to_owned(),
        started: "2026-11-23T00:00:00Z".to_owned(),
        finished: None,
        duration_milliseconds: None,
        rows: 0,
        error: None,
        undo: BTreeMap::new(),
    }
}

fn owner() -> Owner {
    Owner {
        manager: "whimbrel".to_owned(),
        project: "p".parse().unwrap(),
        environment: "dev".parse().unwrap(),
    }
}

fn history(records: Vec<Record>) -> History {
    History {
        owner: Some(owner()),
        epoch: 1,
        records,
        ..History::default()
    }
}

fn applied(items: &[&DesiredMigration]) -> History {
    history(
        (1..)
            .zip(items)
            .map(|(n, item)| record(item, n, MigrationState::Applied))
            .collect(),
    )
}

fn lineage(text: &str, absence: Absence) -> Lineage {
    Lineage {
        absences: BTreeMap::from([(name(text), absence)]),
    }
}

fn run(items: &[DesiredMigration], history: &History, lineage: &Lineage) -> Decisions {
    decide(items, history, lineage, &owner(), &Goal::Apply)
}

fn apply(text: &str) -> Decision {
    Decision::Apply {
        name: name(text),
        resumed: false,
        out_of_order: false,
    }
}

fn codes(decisions: &Decisions) -> Vec<BlockerCode> {
    decisions
        .blockers
        .iter()
        .map(|blocker| blocker.code)
        .collect()
}

#[test]
fn an_empty_target_gets_everything_in_order() {
    let items = [desired("1"), desired("2")];
    let out = run(&items, &History::default(), &Lineage::default());
    assert_eq!(out.decisions, [apply("1"), apply("2")]);
    assert!(out.blockers.is_empty());
}

#[test]
fn what_is_applied_is_left_alone_and_what_was_skipped_is_out_of_order() {
    let items = [desired("1"), desired("2"), desired("3")];
    let out = run(
        &items,
        &applied(&[&items[0], &items[2]]),
        &Lineage::default(),
    );
    assert_eq!(
        out.decisions,
        [Decision::Apply {
            name: name("2"),
            resumed: false,
            out_of_order: true
        }]
    );
}

#[test]
fn an_edited_applied_migration_blocks() {
    let before = desired_as("1", "SELECT 1", &[]);
    let after = desired_as("1", "SELECT 2", &[]);
    let out = run(&[after], &applied(&[&before]), &Lineage::default());
    assert_eq!(codes(&out), [BlockerCode::Edited]);
    assert!(out.blockers[0].hint.contains("verify --accept 1"));
}

#[test]
fn removal_by_descent_reverts_newest_first() {
    let items = [desired("1"), desired("2"), desired("3")];
    let lineage = Lineage {
        absences: [
            ("2", Absence::Removed { by: None }),
            ("3", Absence::Removed { by: None }),
        ]
        .map(|(text, absence)| (name(text), absence))
        .into(),
    };
    let out = run(
        &items[..1],
        &applied(&[&items[0], &items[1], &items[2]]),
        &lineage,
    );
    let revert = |text| Decision::Revert {
        name: name(text),
        reason: RevertReason::Removed,
    };
    assert_eq!(out.decisions, [revert("3"), revert("2")]);
}

#[test]
fn absence_alone_reverts_nothing() {
    let items = [desired("1"), desired("2")];
    let there = applied(&[&items[0], &items[1]]);
    for (absence, code) in [
        (Absence::NotDescendant, BlockerCode::NotDescendant),
        (Absence::Uncommitted, BlockerCode::Absent),
        (Absence::NeverCommitted, BlockerCode::Absent),
        (Absence::NoHistory, BlockerCode::Absent),
    ] {
        let out = run(&items[..1], &there, &lineage("2", absence));
        assert_eq!(codes(&out), [code]);
        assert!(out.decisions.is_empty());
    }
    let out = run(&items[..1], &there, &Lineage::default());
    assert_eq!(
        codes(&out),
        [BlockerCode::Absent],
        "not knowing is not a reason to revert"
    );
}

#[test]
fn an_empty_tree_is_refused() {
    let item = desired("1");
    let out = run(
        &[],
        &applied(&[&item]),
        &lineage("1", Absence::Removed { by: None }),
    );
    assert_eq!(codes(&out), [BlockerCode::EmptyTree]);
    assert!(out.decisions.is_empty());
}

#[test]
fn a_rename_with_equal_content_is_followed() {
    let before = desired_as("2-old", "SELECT 2", &[]);
    let after = desired_as("2-new", "SELECT 2", &[]);
    let there = applied(&[&before]);
    let out = run(
        std::slice::from_ref(&after),
        &there,
        &lineage("2-old", Absence::Removed { by: None }),
    );
    assert_eq!(
        out.decisions,
        [Decision::Rename {
            from: name("2-old"),
            to: name("2-new")
        }]
    );
    let out = run(&[after], &there, &lineage("2-old", Absence::NotDescendant));
    assert_eq!(codes(&out), [BlockerCode::NotDescendant]);
}

#[test]
fn nothing_goes_that_something_applied_depends_on() {
    let items = [desired("1"), desired_as("2", "SELECT 2", &["1"])];
    let out = run(
        &items[1..],
        &applied(&[&items[0], &items[1]]),
        &lineage("1", Absence::Removed { by: None }),
    );
    assert_eq!(codes(&out), [BlockerCode::DependedOn]);
    let out = decide(
        &items,
        &applied(&[&items[0], &items[1]]),
        &Lineage::default(),
        &owner(),
        &Goal::Revert(vec![name("1"), name("2")]),
    );
    assert!(out.blockers.is_empty(), "both go: {:?}", out.blockers);
    assert_eq!(out.decisions.len(), 2);
}

#[test]
fn only_what_is_applied_can_be_reverted_by_name() {
    let item = desired("1");
    let out = decide(
        &[item],
        &History::default(),
        &Lineage::default(),
        &owner(),
        &Goal::Revert(vec![name("1")]),
    );
    assert_eq!(codes(&out), [BlockerCode::NotApplied]);
}

#[test]
fn another_owner_blocks() {
    let item = desired("1");
    let mut there = applied(&[&item]);
    there.owner = Some(Owner {
        project: "other".parse().unwrap(),
        ..owner()
    });
    assert_eq!(
        codes(&run(&[item], &there, &Lineage::default())),
        [BlockerCode::Owner]
    );
}

#[test]
fn an_unfinished_revert_is_finished_and_then_the_definition_is_applied_again() {
    let item = desired("1");
    let there = history(vec![record(&item, 1, MigrationState::Reverting)]);
    let out = run(&[item], &there, &Lineage::default());
    let revert = Decision::Revert {
        name: name("1"),
        reason: RevertReason::Unfinished,
    };
    assert_eq!(out.decisions, [revert, apply("1")]);
}

// The second half.

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
        name: name(text),
        checksum: Checksum::w1(&json!(text)),
        definition: json!({}),
        parameters: BTreeMap::new(),
        plugins: BTreeMap::new(),
        depends_on: Vec::new(),
        up,
        down,
        irreversible: Vec::new(),
        before: Vec::new(),
        after: Vec::new(),
        metrics: Vec::new(),
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
    let all: PreparedMigrations = BTreeMap::from([(name("1"), Ok(ready))]);
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
