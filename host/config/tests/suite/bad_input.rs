//! What a person is told about each kind of mistake. Each case lies over `bad_input/base.tree`; the text that is shown
//! is a snapshot beside it.

use std::fs;
use std::path::Path;

use crate::support::{MemoryTree, base, options};
use whimbrel_config::{FolderTree, Problems, load, load_control, load_migrations};

/// Checks a text against `../bad_input/NAME.snap`.
fn shown(name: &str, problems: &Problems) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../bad_input");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, problems.to_string()));
}

#[test]
fn every_mistake_is_shown_where_it_is() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bad_input");
    let mut cases = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if name == "base" || path.extension().is_none_or(|ending| ending != "tree") {
            continue;
        }
        let tree = base().over(MemoryTree::parse(&fs::read_to_string(&path).unwrap()));
        let Err(problems) = load(&tree, &options()) else {
            panic!("{name}: nothing is wrong with it");
        };
        assert!(!problems.problems.is_empty(), "{name}");
        shown(&name, &problems);
        cases += 1;
    }
    assert!(cases >= 40, "{cases}");
}

#[test]
fn nothing_is_wrong_with_the_base() {
    let definitions = load(&base(), &options()).unwrap();
    assert_eq!(definitions.migrations.len(), 1);
}

/// A real folder with the base project in it.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for part in include_str!("../bad_input/base.tree").split("=== ").skip(1) {
        let (path, text) = part.split_once('\n').unwrap();
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

fn problems_of(folder: &tempfile::TempDir) -> Problems {
    load(&FolderTree::open(folder.path()).unwrap(), &options()).unwrap_err()
}

#[cfg(unix)]
#[test]
fn symbolic_links_are_not_followed() {
    use std::os::unix::fs::symlink;
    let folder = folder();
    let at = |path: &str| folder.path().join(path);
    fs::write(at("outside.sql"), "SELECT 1;").unwrap();
    symlink(at("outside.sql"), at("migrations/0002-link.sql")).unwrap();
    symlink("/etc", at("migrations/0003-etc")).unwrap();
    symlink("/etc/passwd", at("environments/prod.yaml")).unwrap();
    fs::create_dir(at("migrations/0004-x")).unwrap();
    symlink("/etc/passwd", at("migrations/0004-x/up.sql")).unwrap();
    shown("symbolic-links", &problems_of(&folder));
    fs::remove_file(at("whimbrel.yaml")).unwrap();
    symlink(at("environments/dev.yaml"), at("whimbrel.yaml")).unwrap();
    shown("symbolic-link-project", &problems_of(&folder));
}

#[cfg(unix)]
#[test]
fn a_linked_folder_is_not_followed() {
    let folder = folder();
    let at = |path: &str| folder.path().join(path);
    fs::rename(at("migrations"), at("elsewhere")).unwrap();
    std::os::unix::fs::symlink("elsewhere", at("migrations")).unwrap();
    shown("symbolic-link-folder", &problems_of(&folder));
}

#[cfg(unix)]
#[test]
fn a_pipe_is_not_opened() {
    let folder = folder();
    let pipe = folder.path().join("migrations/0002-pipe.sql");
    let made = std::process::Command::new("mkfifo").arg(pipe).status();
    assert!(made.unwrap().success());
    shown("pipe", &problems_of(&folder));
}

#[cfg(unix)]
#[test]
fn only_a_regular_file_is_a_project() {
    let folder = folder();
    let project = folder.path().join("whimbrel.yaml");
    let refused = |kind| shown(&format!("project-is-a-{kind}"), &problems_of(&folder));
    fs::remove_file(&project).unwrap();
    let made = std::process::Command::new("mkfifo").arg(&project).status();
    assert!(made.unwrap().success());
    refused("pipe");
    fs::remove_file(&project).unwrap();
    let socket = std::os::unix::net::UnixListener::bind(&project).unwrap();
    refused("socket");
    drop(socket);
    fs::remove_file(&project).unwrap();
    fs::create_dir(&project).unwrap();
    refused("folder");
}

#[cfg(unix)]
#[test]
fn a_name_that_is_no_text_is_shown_as_far_as_it_can_be() {
    use std::os::unix::ffi::OsStrExt as _;
    let folder = folder();
    let name = std::ffi::OsStr::from_bytes(b"0002-caf\xe9.sql");
    fs::write(folder.path().join("migrations").join(name), "SELECT 1;").unwrap();
    shown("name-is-no-text", &problems_of(&folder));
}

#[test]
fn a_huge_file_is_not_read() {
    let folder = folder();
    let huge = fs::File::create(folder.path().join("migrations/0002-huge.sql")).unwrap();
    huge.set_len(100 << 20).unwrap();
    let sql_file = folder.path().join("migrations/0003-x.yaml");
    let text = "apiVersion: whimbrel.dev/v1alpha1\nkind: Migration\nmetadata: { name: 0003-x }\nspec: { steps: [{ sqlFile: 0002-huge.sql }] }\n";
    fs::write(sql_file, text).unwrap();
    shown("huge-file", &problems_of(&folder));
}

#[test]
fn bytes_that_are_no_text_are_refused() {
    let sixteen: Vec<u8> = "SELECT 1"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    let tree = base()
        .with(
            "migrations/0002-latin.sql",
            b"SELECT 1;\nSELECT 'K\xf6ln';\n",
        )
        .with(
            "migrations/0003-wide.sql",
            [&[0xff, 0xfe], sixteen.as_slice()].concat(),
        )
        .with("migrations/0004-nul.sql", b"SELECT 1;\nSELECT '\0';\n");
    shown("no-text", &load(&tree, &options()).unwrap_err());
}

#[test]
fn what_is_too_much_is_not_all_shown() {
    let mut text = "apiVersion: whimbrel.dev/v1alpha1\nkind: Migration\nmetadata: { name: 0002-x }\nspec:\n  steps:\n".to_owned();
    for _ in 0..300 {
        text.push_str("    - sq: x\n");
    }
    let problems = load(&base().with("migrations/0002-x.yaml", text), &options()).unwrap_err();
    assert_eq!((problems.problems.len(), problems.omitted), (200, 100));
    assert!(problems.to_string().ends_with("… and 100 more\n"));
}

#[test]
fn a_document_holds_only_so_much() {
    let text = format!("spec: [{}]", "1,".repeat(200_001));
    for name in ["0002-x.yaml", "0002-x.json"] {
        let text = if name.ends_with("json") {
            format!("{{\"spec\": [{}1]}}", "1,".repeat(200_001))
        } else {
            text.clone()
        };
        let tree = base().with(&format!("migrations/{name}"), text);
        let problems = load(&tree, &options()).unwrap_err();
        assert_eq!(problems.problems[0].message, "the document holds too much");
    }
}

#[test]
fn problems_are_json_as_well() {
    let tree = base().with("migrations/0002-x.sql", "SELECT ${shcema};\n");
    let problems = load(&tree, &options()).unwrap_err();
    let json = serde_json::to_value(&problems).unwrap();
    let expected = serde_json::json!({
        "problems": [{
            "path": "migrations/0002-x.sql",
            "line": 1,
            "column": 8,
            "length": 9,
            "message": "the environment `dev` has no parameter `shcema`",
            "expected": "a parameter of each environment that has the database",
            "suggestion": "did you mean `schema`?",
            "sourceLine": "SELECT ${shcema};",
        }],
        "omitted": 0,
    });
    assert_eq!(json, expected);
}

#[test]
fn control_and_migrations_are_read_apart() {
    let broken_environment = base().with("environments/dev.yaml", "a: 1\n");
    let control = load_control(&base(), &options()).unwrap();
    assert!(load_migrations(&broken_environment, &control, &options()).is_ok());
    assert!(load_control(&broken_environment, &options()).is_err());
    let broken_migration = base().with("migrations/0002-x.sql", "");
    assert!(load_control(&broken_migration, &options()).is_ok());
    let problems = load_migrations(&broken_migration, &control, &options()).unwrap_err();
    assert_eq!(problems.problems.len(), 1);
}
