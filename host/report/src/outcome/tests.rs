//! Outcomes in text, JSON and JUnit's XML.

use whimbrel_core::digest::Digest;
use whimbrel_core::history::Direction;
use whimbrel_core::name::TargetName;

use super::{DoneView, OutcomeView, TargetOutcome};
use crate::plan::tests::plain;

fn done(name: &str, direction: Direction, rows: u64) -> DoneView {
    DoneView {
        migration: name.parse().unwrap(),
        direction,
        milliseconds: 12,
        rows,
    }
}

fn view() -> OutcomeView {
    OutcomeView {
        environment: "dev".parse().unwrap(),
        run: Some("01890000-0000-7000-8000-000000000000".to_owned()),
        plan: Digest::of(b"plan"),
        targets: vec![
            TargetOutcome {
                target: TargetName::single("shop".parse().unwrap()),
                done: vec![
                    done("0003-c", Direction::Revert, 0),
                    done("0001-a", Direction::Apply, 0),
                    done("0002-b", Direction::Apply, 240_000),
                ],
                error: None,
                hint: None,
                committed: None,
            },
            TargetOutcome {
                target: TargetName::single("analytics".parse().unwrap()),
                done: Vec::new(),
                error: Some("0001-a: step 1 failed: no such table".into()),
                hint: Some("mend it and apply again".into()),
                committed: Some("nothing".into()),
            },
        ],
        milliseconds: 61_000,
    }
}

#[test]
fn people_see_what_was_done_and_what_was_not() {
    let view = view();
    insta::assert_snapshot!(plain(&format!("{}\n{}", view.failures(), view.text())));
}

#[test]
fn pipelines_see_a_case_per_migration() {
    insta::assert_snapshot!(view().junit());
}

#[test]
fn programs_see_one_word_for_the_result() {
    let result = |view: &OutcomeView| {
        let value: serde_json::Value = serde_json::from_str(&view.json()).unwrap();
        value["result"].as_str().unwrap().to_owned()
    };
    let mut view = view();
    assert_eq!(result(&view), "failed");
    view.targets.pop();
    assert_eq!(result(&view), "succeeded");
    view.run = None;
    assert_eq!(result(&view), "nothing to do");
    assert_eq!(plain(&view.text()), "Everything is up to date.\n");
    view.targets.clear();
    assert_eq!(
        view.summary(),
        "nothing was applied on 0 databases in 1 min 1 s"
    );
}
