//! Plugins: listed, looked at, tried.

use crate::support::Project;

#[test]
fn plugins_of_project_and_binary_are_listed() {
    let project = Project::new();
    let json = project.run(&["plugin", "list", "--format", "json"]).json();
    let builtin = json["plugins"].as_array().unwrap();
    let backfill = builtin
        .iter()
        .find(|plugin| plugin["name"] == "backfill")
        .unwrap();
    project.write(
        "whimbrel.yaml",
        &format!(
            "apiVersion: whimbrel.dev/v1alpha1\nkind: Project\nmetadata: {{name: shop}}\nspec:\n  defaults: {{database: main}}\n  plugins:\n    fill: {{builtin: backfill, grants: {{clock: true}}}}\n    mine: {{path: mine.wasm, digest: {}}}\n",
            backfill["digest"].as_str().unwrap()
        ),
    );
    project.write("mine.wasm", "");
    let text = project.run(&["plugin", "list"]);
    assert_eq!(text.out.lines().count(), builtin.len() + 2, "{text}");
    let words = text.out.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("fill built in sha256:"), "{text}");
    assert!(words.contains("{\"clock\":true}"), "{text}");
    assert!(words.contains("mine mine.wasm sha256:"), "{text}");
}

#[test]
fn a_component_shows_what_it_wants() {
    let project = Project::empty();
    let text = project.run(&["plugin", "inspect", "backfill"]);
    assert_eq!(text.code, 0, "{text}");
    assert!(text.out.contains("worlds   migration-step"), "{text}");
    assert!(text.out.contains("whimbrel:sql/database"), "{text}");
    assert!(text.out.contains("uses     nothing"), "{text}");
    assert!(text.out.contains("granted  nothing"), "{text}");
    let json = project
        .run(&["plugin", "inspect", "backfill", "--format", "json"])
        .json();
    assert!(json["size"].as_u64().unwrap() > 1_000);
    let ended = project.run(&["plugin", "inspect", "backfil"]);
    assert_eq!(ended.code, 64, "{ended}");
    assert!(ended.err.contains("did you mean `backfill`?"), "{ended}");
    project.write("junk.wasm", "no component");
    let ended = project.run(&["plugin", "inspect", "junk.wasm"]);
    assert_eq!(ended.code, 1, "{ended}");
    assert!(ended.err.contains("not a component"), "{ended}");
}

#[test]
fn a_step_is_tried_on_a_scratch_database() {
    let project = Project::empty();
    project.write(
        "setup.sql",
        "CREATE TABLE people (id INTEGER PRIMARY KEY, n INTEGER);\nINSERT INTO people (id) VALUES (1), (2), (3);\n",
    );
    let with = r#"{"table": "people", "key": "id", "set": "n = id", "where": "n IS NULL", "revert": "n = NULL"}"#;
    let tried = project.run(&[
        "plugin",
        "test",
        "backfill",
        "--with",
        with,
        "--setup",
        "setup.sql",
    ]);
    assert_eq!(tried.code, 0, "{tried}");
    for word in [
        "describe",
        "plan",
        "estimate",
        "apply: 3 rows",
        "apply again",
        "revert",
    ] {
        assert!(tried.out.contains(word), "{word}\n{tried}");
    }
    let ended = project.run(&["plugin", "test", "backfill", "--with", "{"]);
    assert_eq!(ended.code, 64, "{ended}");
    let ended = project.run(&["plugin", "test", "backfill", "--with", "{}"]);
    assert_ne!(ended.code, 0, "{ended}");
}
