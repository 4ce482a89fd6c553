//! Reverts by name and to a revision.

use crate::support::{Project, pairs};

#[test]
fn migrations_are_reverted_by_name_newest_first() {
    let project = Project::with_two();
    project.dev(0, &["apply"]);
    let dry = project.dev(0, &["revert", "people", "0002-orders", "--dry-run"]);
    assert!(
        dry.out.find("- revert 0002-orders") < dry.out.find("- revert 0001-people"),
        "{dry}"
    );
    let digest = dry
        .out
        .lines()
        .last()
        .unwrap()
        .strip_prefix("digest ")
        .unwrap()
        .to_owned();
    project.dev(6, &["revert", "people", "--plan", &digest]);
    let done = project.dev(0, &["revert", "people", "0002-orders", "--plan", &digest]);
    assert!(done.out.starts_with("2 migrations reverted"), "{done}");
    let states = project.states();
    assert_eq!(
        pairs(&states),
        [("0001-people", "pending"), ("0002-orders", "pending")]
    );
}

#[test]
fn the_file_is_not_needed_to_revert() {
    let project = Project::with_two();
    project.dev(0, &["apply"]);
    project.remove("migrations/0002-orders.sql");
    project.dev(6, &["apply"]);
    project.dev(0, &["revert", "0002-orders"]);
    assert_eq!(project.tables(), ["people"]);
    project.dev(0, &["apply"]);
}

#[test]
fn what_is_not_applied_or_not_clear_is_refused() {
    let project = Project::with_two();
    project.dev(0, &["apply"]);
    project.sql("0003-orders", "SELECT 1;", "");
    project.dev(0, &["apply"]);
    let ended = project.dev(64, &["revert", "orders"]);
    assert!(
        ended
            .err
            .contains("`orders` may be `0002-orders` or `0003-orders`"),
        "{ended}"
    );
    let ended = project.dev(6, &["revert", "0009-never"]);
    assert!(ended.err.contains("nothing to revert"), "{ended}");
    project.dev(64, &["revert", "no good"]);
}

#[test]
fn what_can_not_be_undone_blocks_the_whole_plan() {
    let project = Project::with_two();
    project.write(
        "migrations/0003-data.sql",
        "INSERT INTO people VALUES (1, 1);\n",
    );
    project.dev(0, &["apply"]);
    let ended = project.dev(6, &["revert", "0003-data", "0002-orders"]);
    assert!(ended.err.contains("has no down"), "{ended}");
    assert_eq!(project.tables(), ["orders", "people"]);
}

#[test]
fn reverting_to_a_revision_takes_back_what_came_later() {
    let project = Project::with_two();
    let then = project.commit("two");
    project.table("0003-more");
    project.commit("three");
    project.dev(0, &["apply"]);
    project.dev(0, &["revert", "--to", &then]);
    assert_eq!(project.tables(), ["orders", "people"]);
    let again = project.dev(0, &["revert", "--to", &then]);
    assert_eq!(again.out, "nothing to revert\n");
    project.dev(1, &["revert", "--to", "no-such-ref"]);
}
