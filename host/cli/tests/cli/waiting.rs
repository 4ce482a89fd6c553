//! Waiting for a migration or a revision.

use crate::support::Project;

#[test]
fn waiting_ends_when_the_migration_is_there() {
    let project = Project::with_two();
    let mut waiting = project.start(&["wait", "--migration", "0002-orders", "--timeout", "60s"]);
    std::thread::sleep(std::time::Duration::from_millis(100));
    project.dev(0, &["apply"]);
    assert_eq!(waiting.wait().unwrap().code(), Some(0));
    project.dev(0, &["wait", "--migration", "0001-people"]);
    project.dev(64, &["wait", "--migration", "0009-none"]);
}

#[test]
fn waiting_outlasts_a_database_that_is_not_there_yet() {
    let project = Project::with_two();
    project.environment(
        "far",
        "  databases:\n    main: {url: 'postgres://nobody@127.0.0.1:1/none?sslmode=disable'}\n",
    );
    let ended = project.within(
        "far",
        75,
        &["wait", "--migration", "0002-orders", "--timeout", "1s"],
    );
    assert!(ended.err.contains("still waiting"), "{ended}");
    project.within(
        "far",
        64,
        &["wait", "--migration", "0002-orders", "--timeout", "soon"],
    );
}

#[test]
fn waiting_gives_up() {
    let project = Project::with_two();
    let ended = project.dev(
        75,
        &["wait", "--migration", "0002-orders", "--timeout", "300ms"],
    );
    assert!(
        ended
            .err
            .contains("waiting: 0002-orders is not applied on main"),
        "{ended}"
    );
    assert!(ended.err.contains("still waiting"), "{ended}");
}

#[test]
fn a_revision_is_there_when_all_that_it_defines_is() {
    let project = Project::with_two();
    let first = project.commit("two");
    project.dev(0, &["apply"]);
    project.table("0003-more");
    let second = project.commit("three");
    project.dev(0, &["wait", "--revision", &first, "--timeout", "1s"]);
    project.dev(75, &["wait", "--revision", &second, "--timeout", "1s"]);
}
