//! What is to be done to a target: applied, reverted, renamed, or nothing because something blocks.

use whimbrel_core::history::{History, MigrationState, Owner, Record};
use whimbrel_core::lineage::{Absence, Lineage};
use whimbrel_core::plan::{BlockerCode, Decision, DesiredMigration, Goal, RevertReason, decide};

use super::{
    applied, apply, codes, desired, desired_as, history, lineage, name, owner, record, run,
};

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
fn what_is_kept_stays_and_holds_nothing_up() {
    let items = [desired("1"), desired("2"), desired("3")];
    let there = applied(&[&items[0], &items[1]]);
    let kept = lineage("2", Absence::Kept);
    let out = run(&[items[0].clone(), items[2].clone()], &there, &kept);
    assert_eq!(out.decisions, [apply("3")]);
    assert!(out.blockers.is_empty());
    // Also when nothing is defined any more.
    let out = run(&[], &applied(&[&items[0]]), &lineage("1", Absence::Kept));
    assert_eq!(out, whimbrel_core::plan::Decisions::default());
}

#[test]
fn what_was_begun_is_not_kept() {
    let items = [desired("1"), desired("2")];
    let kept = lineage("2", Absence::Kept);
    for state in [MigrationState::Applying, MigrationState::Reverting] {
        let there = History {
            records: vec![
                record(&items[0], 1, MigrationState::Applied),
                record(&items[1], 2, state),
            ],
            ..History::default()
        };
        let out = run(&items[..1], &there, &kept);
        assert_eq!(codes(&out), [BlockerCode::Absent]);
    }
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
fn what_is_added_leaves_everything_else_alone() {
    let (one, twin, two) = (desired("1"), desired_as("2", "1", &[]), desired("2"));
    let add = |item| {
        let there = applied(&[&one]);
        decide(&[item], &there, &Lineage::default(), &owner(), &Goal::Add)
    };
    assert_eq!(add(two).decisions, [apply("2")]);
    // Nor is it another name of what is there.
    assert_eq!(add(twin).decisions, [apply("2")]);
    let edited = add(desired_as("1", "another", &[]));
    assert_eq!(codes(&edited), [BlockerCode::Edited]);
}

#[test]
fn what_is_added_depends_on_no_record_but_its_own() {
    let items = [
        desired("1"),
        desired_as("2", "SELECT 2", &["1"]),
        desired_as("3", "SELECT 3", &["1", "2"]),
        desired("4"),
    ];
    let states = [
        None,
        Some(MigrationState::Applied),
        Some(MigrationState::Applying),
        Some(MigrationState::Failed),
        Some(MigrationState::Reverting),
    ];
    let add = |wanted: &[DesiredMigration], there: &History| {
        decide(wanted, there, &Lineage::default(), &owner(), &Goal::Add)
    };
    for number in 0..states.len().pow(4) {
        // The digits of the number say how each of the four stands.
        let digits = [1, 5, 25, 125].map(|unit| number / unit % states.len());
        for edited in [false, true] {
            let records = items.iter().enumerate().filter_map(|(place, item)| {
                let was = desired_as(item.migration.name.as_str(), "before", &[]);
                let item = if edited { &was } else { item };
                let state = states[digits[place]]?;
                Some(record(item, i64::try_from(place).unwrap(), state))
            });
            let there = history(records.collect());
            for chosen in 0..16_usize {
                let wanted = items.iter().enumerate();
                let wanted = wanted.filter(|(place, _)| chosen >> place & 1 == 1);
                let wanted: Vec<_> = wanted.map(|(_, item)| item.clone()).collect();
                let is_wanted =
                    |record: &&Record| wanted.iter().any(|item| item.migration.name == record.name);
                let own = there.records.iter().filter(is_wanted).cloned();
                let own = history(own.collect());
                assert_eq!(add(&wanted, &there), add(&wanted, &own));
            }
        }
    }
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
