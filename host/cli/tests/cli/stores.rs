//! Secret stores that are plugins: looked at, tried, and asked for the address of a database.

use std::path::PathBuf;

use whimbrel_core::digest::Digest;

use crate::support::Project;

/// A project with the store that does as it is asked, unpinned, as a file.
fn project() -> (Project, Digest) {
    let variable = std::env::var_os("WHIMBREL_TEST_COMPONENTS");
    let folder = variable.map_or_else(
        || PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("../test-components"),
        PathBuf::from,
    );
    let bytes = std::fs::read(folder.join("hostile_store.wasm")).unwrap();
    let project = Project::new();
    std::fs::write(project.file("store.wasm"), &bytes).unwrap();
    (project, Digest::of(&bytes))
}

#[test]
fn a_store_is_inspected_and_tried() {
    let (project, _) = project();
    let text = project.run(&["plugin", "inspect", "store.wasm"]);
    assert!(text.out.contains("worlds   secret-store"), "{text}");
    let tried = project.run(&["plugin", "test", "store.wasm", "--with", r#"{"a":1}"#]);
    assert_eq!(tried.code, 0, "{tried}");
    for line in [
        "schema: {",
        "configure and close: done",
        "close again: nothing to do",
    ] {
        assert!(tried.out.contains(line), "{tried}");
    }
    let with = r#"{"refuse":"not like this"}"#;
    let refused = project.run(&["plugin", "test", "store.wasm", "--with", with]);
    assert_ne!(refused.code, 0);
    assert!(refused.err.contains("not like this"), "{refused}");
}

#[test]
fn a_database_is_found_by_a_secret_of_a_plugin() {
    let (project, digest) = project();
    project.write(
        "whimbrel.yaml",
        &format!("apiVersion: whimbrel.dev/v1alpha1\nkind: Project\nmetadata: {{name: shop}}\nspec:\n  defaults: {{database: main}}\n  plugins:\n    store: {{path: store.wasm, digest: \"{digest}\"}}\n"),
    );
    project.environment("dev", "  databases:\n    main: {url: 'secret://kept/config#url'}\n  secrets:\n    kept: {plugin: store, with: {url: 'secret://file/url'}}\n  policy: {apply: Auto}\n");
    project.write("url", "sqlite:found-by-secret.db\n");
    project.table("0001-people");
    let applied = project.run(&["apply", "--environment", "dev"]);
    assert_eq!(applied.code, 0, "{applied}");
    assert!(project.file("found-by-secret.db").exists(), "{applied}");
    assert!(
        !applied.to_string().contains("found-by-secret"),
        "{applied}"
    );
}
