//! Plans: shown in every way, and never writing.

use crate::support::Project;

#[test]
fn a_plan_shows_what_would_run_and_writes_nothing() {
    let project = Project::with_two();
    let plan = project.dev(0, &["plan"]);
    // The digest is of everything above it, and has tests of its own.
    let (shown, digest) = plan.out.trim_end().rsplit_once('\n').unwrap();
    assert!(digest.starts_with("digest sha256:"), "{plan}");
    insta::assert_snapshot!(shown, @r"
    Plan for dev from files outside Git

    main (sqlite) 2 to apply
      + apply 0001-people
          step 1 (migrations/0001-people.sql)
            CREATE TABLE people (id INTEGER PRIMARY KEY, n INTEGER);
      + apply 0002-orders
          step 1 (migrations/0002-orders.sql)
            CREATE TABLE orders (id INTEGER PRIMARY KEY, n INTEGER);
    ");
    assert!(!project.file("var/dev.db").exists());
    let json = project.dev(0, &["plan", "--format", "json"]).json();
    assert_eq!(json["targets"][0]["target"], "main");
    assert_eq!(json["targets"][0]["work"][1]["migration"], "0002-orders");
    assert_eq!(json["gates"].as_array().unwrap().len(), 0);
    let markdown = project.dev(0, &["plan", "--format", "markdown"]);
    assert!(
        markdown.out.contains("```sql\nCREATE TABLE people"),
        "{markdown}"
    );
}

#[test]
fn pending_changes_have_an_exit_code_where_it_is_asked_for() {
    let project = Project::with_two();
    project.dev(2, &["plan", "--detailed-exitcode"]);
    project.dev(2, &["status", "--detailed-exitcode"]);
    project.dev(2, &["apply", "--detailed-exitcode"]);
    project.dev(0, &["plan", "--detailed-exitcode"]);
    project.dev(0, &["status", "--detailed-exitcode"]);
    project.dev(0, &["apply", "--detailed-exitcode"]);
}

#[test]
fn a_plan_that_would_be_refused_says_so() {
    let project = Project::with_two();
    project.environment(
        "strict",
        "  databases:\n    main: {url: 'sqlite:var/strict.db'}\n",
    );
    project.sql("0003-oops", "DROP TABLE people;", "");
    let plan = project.within("strict", 6, &["plan"]);
    assert!(
        plan.err
            .contains("the plan would be refused: destructive\n"),
        "{plan}"
    );
    assert!(plan.out.contains("destructive: drops"), "{plan}");
    assert!(
        plan.out.contains("would be refused: destructive:"),
        "{plan}"
    );
    assert!(plan.out.contains("would be refused: approval:"), "{plan}");
    let junit = project.within("strict", 6, &["plan", "--format", "junit"]);
    assert!(junit.out.contains("tests=\"3\""), "{junit}");
    let sarif = project
        .within("strict", 6, &["plan", "--format", "sarif"])
        .json();
    assert_eq!(sarif["version"], "2.1.0");
    assert!(junit.out.contains("failures=\"1\""), "{junit}");
    assert!(junit.out.contains("data would be lost"), "{junit}");
    let results = sarif["runs"][0]["results"].as_array().unwrap();
    assert!(
        results
            .iter()
            .any(|result| result["ruleId"] == "destructive"),
        "{results:?}"
    );
}

#[test]
fn what_blocks_a_plan_fails_in_its_reports() {
    let project = Project::with_two();
    project.dev(0, &["apply"]);
    project.dev(0, &["plan", "--format", "junit"]);
    project.sql("0001-people", "CREATE TABLE people (other INTEGER);", "");
    let junit = project.dev(4, &["plan", "--format", "junit"]);
    assert!(junit.out.contains("tests=\"1\" failures=\"1\""), "{junit}");
    assert!(
        junit.out.contains("was edited after it was applied"),
        "{junit}"
    );
    let sarif = project.dev(4, &["plan", "--format", "sarif"]).json();
    let result = &sarif["runs"][0]["results"][0];
    assert_eq!(
        (&result["ruleId"], &result["level"]),
        (&"blocked".into(), &"error".into())
    );
    let place = &result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"];
    assert_eq!(place, "whimbrel.yaml");
}

#[test]
fn an_estimate_stands_beside_a_plan_once_its_table_is_there() {
    let project = Project::new();
    project.sql(
        "0001-people",
        "CREATE TABLE people (id INTEGER PRIMARY KEY, n INTEGER);\nINSERT INTO people (id) VALUES (1), (2), (3);",
        "DROP TABLE people;",
    );
    project.dev(0, &["apply"]);
    project.write(
        "migrations/0002-fill.yaml",
        "apiVersion: whimbrel.dev/v1alpha1\nkind: Migration\nmetadata: {name: 0002-fill}\nspec:\n  steps:\n    - uses: backfill\n      with: {table: people, key: id, set: n = id, where: n IS NULL}\n",
    );
    let plan = project.dev(0, &["plan"]);
    assert!(plan.out.contains("about 3 rows"), "{plan}");
    let json = project.dev(0, &["plan", "--format", "json"]).json();
    assert_eq!(json["estimates"][0]["rows"], 3);
    let markdown = project.dev(0, &["plan", "--format", "markdown"]);
    assert!(markdown.out.contains("about 3 rows"), "{markdown}");
    let applied = project.dev(0, &["apply"]);
    assert!(applied.err.contains("3 rows"), "{applied}");
}

#[test]
fn a_database_that_can_not_be_reached_is_worth_another_try() {
    let project = Project::with_two();
    project.environment(
        "far",
        "  databases:\n    main: {url: 'postgres://nobody@127.0.0.1:1/none?sslmode=disable'}\n  policy: {apply: Auto}\n",
    );
    for command in ["plan", "apply", "status", "history", "verify"] {
        let ended = project.within("far", 75, &[command]);
        assert!(
            ended.err.contains("main") || ended.out.contains("main"),
            "{ended}"
        );
    }
}
