//! Databases that were there before, were changed past the product, or belong to somebody else.

use crate::support::{Project, pairs};

#[test]
fn baseline_records_without_running() {
    let project = Project::with_two();
    let done = project.dev(0, &["baseline", "--through", "0001-people"]);
    assert_eq!(done.out, "main: recorded 1 up to 0001-people\n");
    let states = project.states();
    assert_eq!(
        pairs(&states),
        [("0001-people", "baselined"), ("0002-orders", "pending")]
    );
    project.dev(0, &["baseline"]);
    let again = project.dev(0, &["baseline"]);
    assert_eq!(again.out, "main: everything is recorded already\n");
    assert!(project.tables().is_empty());
    let ended = project.dev(64, &["baseline", "--through", "0001-peopel"]);
    assert!(ended.err.contains("did you mean `0001-people`?"), "{ended}");
}

#[test]
fn an_edited_definition_is_drift_until_it_is_accepted() {
    let project = Project::with_two();
    project.dev(0, &["apply"]);
    project.dev(0, &["verify"]);
    project.sql(
        "0001-people",
        "CREATE TABLE people (id INTEGER PRIMARY KEY, n INTEGER); -- mine",
        "",
    );
    let ended = project.dev(4, &["verify"]);
    assert!(ended.out.contains("edited main: 0001-people"), "{ended}");
    let refused = project.dev(4, &["apply"]);
    assert!(
        refused.err.contains("was edited after it was applied"),
        "{refused}"
    );
    let states = project.states();
    assert_eq!(pairs(&states)[0], ("0001-people", "edited"));
    assert!(
        project
            .dev(0, &["status"])
            .out
            .contains("hint: `whimbrel verify`")
    );
    project.dev(64, &["verify", "--accept", "0001-people"]);
    project.dev(64, &["verify", "--accept", "0009-none", "--reason", "x"]);
    let accepted = project.dev(
        0,
        &["verify", "--accept", "0001-people", "--reason", "a comment"],
    );
    assert!(accepted.err.contains("is accepted as"), "{accepted}");
    let again = project.dev(
        0,
        &["verify", "--accept", "0001-people", "--reason", "again"],
    );
    assert!(again.err.contains("is as it was applied"), "{again}");
    project.dev(0, &["apply"]);
}

#[test]
fn checks_run_again_and_absent_definitions_are_told() {
    let project = Project::new();
    project.environment(
        "dev",
        "  parameters: {none: '0'}\n  databases:\n    main: {url: 'sqlite:var/dev.db'}\n  policy: {apply: Auto}\n",
    );
    project.write(
        "migrations/0001-people.yaml",
        "apiVersion: whimbrel.dev/v1alpha1\nkind: Migration\nmetadata: {name: 0001-people}\nspec:\n  steps:\n    - sql: CREATE TABLE people (id INTEGER)\n  checks:\n    after:\n      - {name: nobody, query: 'SELECT count(*) - ${none:literal} FROM people', equals: 0}\n",
    );
    project.table("0002-orders");
    project.dev(0, &["apply"]);
    project.dev(0, &["verify"]);
    project.rows("var/dev.db", "INSERT INTO people VALUES (1) RETURNING id");
    project.remove("migrations/0002-orders.sql");
    let json = project.dev(4, &["verify", "--format", "json"]).json();
    let kinds: Vec<_> = json["differences"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| &item["kind"])
        .collect();
    assert_eq!(kinds, ["check", "absent"]);
    let status = project.dev(0, &["status"]);
    assert!(status.out.contains("no definition"), "{status}");
}

#[test]
fn a_database_of_another_environment_is_left_alone_until_adopted() {
    let project = Project::with_two();
    project.dev(0, &["apply"]);
    project.environment("copy", crate::support::DEV);
    project.table("0003-more");
    let refused = project.within("copy", 6, &["apply"]);
    assert!(
        refused.err.contains("belongs to environment `dev`"),
        "{refused}"
    );
    let adopted = project.within("copy", 0, &["adopt", "--reason", "dev is gone"]);
    assert!(
        adopted.out.contains("taken over from environment `dev`"),
        "{adopted}"
    );
    let again = project.within("copy", 0, &["adopt"]);
    assert!(again.out.contains("already"), "{again}");
    project.within("copy", 0, &["apply"]);
}

#[test]
fn a_lock_is_cleared_only_when_nobody_holds_it() {
    let project = Project::with_two();
    let fresh = project.dev(0, &["adopt"]);
    assert!(fresh.out.contains("belongs to this environment"), "{fresh}");
    project.dev(0, &["apply"]);
    let free = project.dev(0, &["unlock"]);
    assert!(free.out.starts_with("main: free"), "{free}");
}

#[test]
fn a_held_lock_is_somebody_else_s() {
    let project = Project::new();
    project.environment(
        "dev",
        "  databases:\n    main: {url: 'sqlite:var/dev.db'}\n  policy: {apply: Auto, lockWait: 100ms}\n",
    );
    project.sql(
        "0001-slow",
        "CREATE TABLE n AS WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000000) SELECT max(i) AS i FROM n;",
        "",
    );
    let mut slow = project.start(&["apply"]);
    let lock = project.file("var/dev.db-whimbrel-lock");
    while std::fs::metadata(&lock).map_or(0, |file| file.len()) == 0 {
        assert!(
            slow.try_wait().unwrap().is_none(),
            "it is too quick to be caught"
        );
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let held = project.dev(5, &["unlock"]);
    assert!(held.err.contains("holds the lock"), "{held}");
    let held = project.dev(5, &["apply"]);
    assert!(held.err.contains("holds the lock"), "{held}");
    slow.kill().unwrap();
    slow.wait().unwrap();
    let free = project.dev(0, &["unlock"]);
    assert!(free.out.contains("is gone"), "{free}");
}
