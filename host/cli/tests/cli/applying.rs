//! Applies: once, in order, isolated, and told.

use crate::support::{Project, pairs};

#[test]
fn everything_is_applied_and_then_nothing_is_left() {
    let project = Project::with_two();
    let first = project.dev(0, &["apply"]);
    assert!(
        first
            .out
            .starts_with("2 migrations applied on 1 database in "),
        "{first}"
    );
    assert!(first.err.contains("main: ✓ applied 0001-people"), "{first}");
    assert_eq!(
        project.dev(0, &["apply"]).out,
        "Everything is up to date.\n"
    );
    let states = project.states();
    assert_eq!(
        pairs(&states),
        [("0001-people", "applied"), ("0002-orders", "applied")]
    );
    let history = project.dev(0, &["history", "--limit", "1"]);
    assert_eq!(history.out.lines().count(), 1, "{history}");
    assert!(
        history.out.contains("0002-orders") && history.out.contains("ann@laptop"),
        "{history}"
    );
    let json = project.dev(0, &["history", "--format", "json"]).json();
    assert_eq!(json["targets"][0]["events"].as_array().unwrap().len(), 2);
}

#[test]
fn a_failure_is_told_with_what_was_committed_and_kept() {
    let project = Project::with_two();
    project.sql(
        "0003-broken",
        "CREATE TABLE half (id INTEGER);\nINSERT INTO nowhere VALUES (1);",
        "",
    );
    project.table("0004-later");
    let failed = project.dev(1, &["apply"]);
    assert!(failed.err.contains("nowhere"), "{failed}");
    assert!(
        failed.out.contains("2 migrations applied on 1 database"),
        "{failed}"
    );
    assert_eq!(project.tables(), ["orders", "people"]);
    let states = project.states();
    assert_eq!(pairs(&states)[3], ("0004-later", "pending"));
    project.sql(
        "0003-broken",
        "CREATE TABLE half (id INTEGER);",
        "DROP TABLE half;",
    );
    project.dev(0, &["apply"]);
    assert_eq!(project.tables(), ["half", "later", "orders", "people"]);
}

#[test]
fn one_database_fails_for_itself() {
    let project = Project::new();
    project.environment(
        "dev",
        "  databases:\n    main: {url: 'sqlite:var/dev.db'}\n    other: {url: 'sqlite:var/other.db'}\n  policy: {apply: Auto}\n",
    );
    project.table("0001-people");
    project.write(
        "migrations/0002-bad.sql",
        "-- whimbrel:database other\n-- whimbrel:up\nINSERT INTO nowhere VALUES (1);\n",
    );
    let ended = project.dev(8, &["apply", "--format", "json"]);
    assert_eq!(ended.json()["result"], "failed");
    assert!(
        ended.err.contains("some databases failed, others are done"),
        "{ended}"
    );
    assert_eq!(project.tables(), ["people"]);
    let junit = project.dev(1, &["apply", "--format", "junit"]);
    assert!(junit.out.contains("<failure"), "{junit}");
    project.dev(0, &["apply", "--database", "main"]);
}

#[test]
fn a_database_that_can_not_be_read_keeps_others_from_nothing_but_what_needs_it() {
    let project = Project::new();
    project.environment(
        "dev",
        "  databases:\n    main: {url: 'sqlite:var/dev.db'}\n    far: {url: 'postgres://nobody@127.0.0.1:1/none?sslmode=disable'}\n  policy: {apply: Auto}\n",
    );
    project.table("0001-people");
    project.write(
        "migrations/0002-far.sql",
        "-- whimbrel:database far\n-- whimbrel:up\nCREATE TABLE far (id bigint);\n",
    );
    let ended = project.dev(8, &["apply"]);
    assert!(ended.err.contains("far:"), "{ended}");
    assert_eq!(project.tables(), ["people"]);
    project.write(
        "migrations/0003-needs.sql",
        "-- whimbrel:depends-on 0002-far\n-- whimbrel:up\nCREATE TABLE needs (id INTEGER);\n",
    );
    project.dev(75, &["apply"]);
    assert_eq!(project.tables(), ["people"]);
    let status = project.dev(75, &["status"]);
    assert!(status.out.contains("error:"), "{status}");
}

#[test]
fn definitions_that_are_wrong_are_shown_where_they_stand() {
    let project = Project::with_two();
    project.write(
        "migrations/0003-bad.yaml",
        "apiVersion: whimbrel.dev/v1alpha1\nkind: Migration\nmetadata: {name: 0003-bad}\nspec:\n  setps: []\n",
    );
    let ended = project.dev(1, &["apply"]);
    assert!(ended.err.contains("migrations/0003-bad.yaml"), "{ended}");
    assert!(ended.err.contains("did you mean `steps`?"), "{ended}");
    assert!(!project.file("var/dev.db").exists());
}

#[test]
fn what_is_said_follows_quiet_verbose_and_the_log_format() {
    let project = Project::with_two();
    let quiet = project.dev(0, &["apply", "--quiet"]);
    assert_eq!(
        (quiet.out.as_str(), quiet.err.as_str()),
        ("", ""),
        "{quiet}"
    );
    project.table("0003-more");
    let verbose = project.dev(0, &["apply", "--verbose"]);
    assert!(verbose.err.contains("has the lock, epoch"), "{verbose}");
    project.table("0004-again");
    let lines = project.dev(0, &["apply", "--log-format", "json"]);
    let events: Vec<serde_json::Value> = lines
        .err
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect();
    assert!(
        events
            .iter()
            .any(|event| event["event"] == "migrationFinished"),
        "{lines}"
    );
    assert_eq!(project.run(&["apply", "--quiet", "--verbose"]).code, 64);
}

#[test]
fn colour_is_for_terminals_and_for_those_who_ask() {
    let project = Project::with_two();
    assert!(!project.dev(0, &["status"]).out.contains('\u{1b}'));
    assert!(
        project
            .dev(0, &["status", "--color", "always"])
            .out
            .contains('\u{1b}')
    );
    assert!(
        !project
            .dev(0, &["status", "--color", "never"])
            .out
            .contains('\u{1b}')
    );
}

#[test]
fn a_thousand_migrations_stand_somewhere_soon() {
    let project = Project::new();
    for number in 1..=300 {
        project.sql(&format!("{number:04}-n"), "SELECT 1;", "");
    }
    project.dev(0, &["apply", "--quiet"]);
    let status = project.dev(0, &["status", "--format", "json"]).json();
    assert_eq!(
        status["targets"][0]["migrations"].as_array().unwrap().len(),
        300
    );
}

#[test]
fn what_another_database_must_have_first_is_asked_there() {
    let project = Project::new();
    project.environment(
        "dev",
        "  databases:\n    main: {url: 'sqlite:var/dev.db'}\n    other: {url: 'sqlite:var/other.db'}\n  policy: {apply: Auto}\n",
    );
    project.write(
        "migrations/0001-base.sql",
        "-- whimbrel:database other\n-- whimbrel:up\nCREATE TABLE base (id INTEGER);\n",
    );
    project.write(
        "migrations/0002-needs.sql",
        "-- whimbrel:depends-on 0001-base\n-- whimbrel:up\nCREATE TABLE needs (id INTEGER);\n",
    );
    let refused = project.dev(6, &["apply", "--database", "main"]);
    assert!(
        refused
            .err
            .contains("0002-needs depends on 0001-base, which is not applied on other"),
        "{refused}"
    );
    project.dev(0, &["apply", "--database", "other"]);
    project.dev(0, &["apply", "--database", "main"]);
    assert_eq!(project.tables(), ["needs"]);
}
