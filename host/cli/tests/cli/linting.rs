//! Lint, for a person, for a pipeline, for a code host.

use crate::support::Project;

fn risky() -> Project {
    let project = Project::with_two();
    project.environment(
        "server",
        "  databases:\n    main: {url: 'postgres://db/shop'}\n",
    );
    project.sql(
        "0003-index",
        "CREATE INDEX people_n ON people (n);",
        "DROP INDEX people_n;",
    );
    project
}

#[test]
fn findings_name_rule_and_place() {
    let ended = risky().run(&["lint", "--environment", "server"]);
    assert!(ended.out.contains("migrations/0003-index.sql"), "{ended}");
    assert!(ended.out.contains("concurrent"), "{ended}");
    assert!(ended.out.trim_end().ends_with("in 3 migrations"), "{ended}");
}

#[test]
fn every_format_holds_the_same_findings() {
    let project = risky();
    let json = project.run(&["lint", "--format", "json"]).json();
    let findings = json["findings"].as_array().unwrap();
    assert!(
        findings
            .iter()
            .any(|finding| finding["migration"] == "0003-index"),
        "{json}"
    );
    let junit = project.run(&["lint", "--format", "junit"]);
    assert!(junit.out.contains("name=\"0003-index\""), "{junit}");
    let sarif = project.run(&["lint", "--format", "sarif"]).json();
    assert_eq!(
        sarif["runs"][0]["results"].as_array().unwrap().len(),
        findings.len()
    );
}

#[test]
fn findings_at_error_level_have_an_exit_code() {
    let project = Project::with_two();
    project.environment(
        "dev",
        "  databases:\n    main: {url: 'sqlite:var/dev.db'}\n",
    );
    project.sql("0003-drop", "DROP TABLE people;", "");
    let ended = project.run(&["lint"]);
    assert_eq!(ended.code, 3, "{ended}");
    assert!(ended.out.contains("error[destructive]"), "{ended}");
    assert!(ended.out.contains("0003-drop"), "{ended}");
    assert_eq!(project.run(&["lint", "--quiet"]).out, "");
}

#[test]
fn a_base_ref_shows_what_was_edited() {
    let project = Project::with_two();
    project.commit("two");
    assert_eq!(project.run(&["lint", "--base", "main"]).code, 0);
    project.sql("0001-people", "CREATE TABLE people (id INTEGER);", "");
    let ended = project.run(&["lint", "--base", "main"]);
    assert_eq!(ended.code, 3, "{ended}");
    assert!(ended.out.contains("edited-migration"), "{ended}");
    assert_eq!(project.run(&["lint", "--base", "no-such-ref"]).code, 1);
}

#[test]
fn notes_are_counted_until_somebody_asks() {
    let project = Project::with_two();
    project.sql("0003-index", "CREATE INDEX people_n ON people (n);", "");
    project.write(
        "migrations/0004-more.sql",
        "CREATE TABLE more (id INTEGER PRIMARY KEY);\n",
    );
    let short = project.run(&["lint"]);
    assert!(short.out.contains("notes: 1 no-revert"), "{short}");
    assert!(!short.out.contains("note[no-revert]"), "{short}");
    let long = project.run(&["lint", "--verbose"]);
    assert!(long.out.contains("note[no-revert]"), "{long}");
    assert!(!long.out.contains("notes:"), "{long}");
}

#[test]
fn a_rule_that_nobody_knows_is_an_error_and_a_known_one_is_obeyed() {
    let project = Project::with_two();
    let with = |rules: &str| {
        project.write(
            "whimbrel.yaml",
            &format!("apiVersion: whimbrel.dev/v1alpha1\nkind: Project\nmetadata: {{name: shop}}\nspec: {{defaults: {{database: main}}, lint: {{rules: {{{rules}}}}}}}\n"),
        );
    };
    project.sql("0003-rename", "ALTER TABLE people RENAME TO persons;", "");
    with("renaming-tabel: Error");
    let wrong = project.run(&["lint"]);
    assert_eq!(wrong.code, 1, "{wrong}");
    assert!(
        wrong.err.contains("did you mean `renaming-table`?"),
        "{wrong}"
    );
    with("renaming-table: Error");
    let ended = project.run(&["lint"]);
    assert_eq!(ended.code, 3, "{ended}");
    let refused = project.dev(6, &["apply"]);
    assert!(
        refused
            .err
            .contains("renaming-table at migrations/0003-rename.sql:2"),
        "{refused}"
    );
    with("renaming-table: Off");
    project.dev(0, &["apply"]);
}

#[test]
fn a_plan_shows_what_is_wrong_with_a_revert_and_where() {
    let project = Project::with_two();
    project.sql(
        "0003-rename",
        "SELECT 1;",
        "SELECT 2;\nALTER TABLE people RENAME TO persons;",
    );
    let plan = project.dev(0, &["plan"]);
    assert!(
        plan.out.contains("in the revert: renaming table people"),
        "{plan}"
    );
    assert!(
        plan.out.contains("at migrations/0003-rename.sql:5"),
        "{plan}"
    );
}
