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
