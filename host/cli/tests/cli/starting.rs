//! A newcomer's first commands.

use crate::support::{Project, ended};

#[test]
fn a_fresh_project_can_be_applied_at_once() {
    let project = Project::empty();
    let made = project.run(&["init", "--name", "notes"]);
    assert_eq!(made.code, 0, "{made}");
    assert!(made.err.contains("next: `whimbrel plan"), "{made}");
    project.dev(0, &["lint"]);
    project.dev(0, &["apply"]);
    assert_eq!(project.tables(), ["notes"]);
    let again = project.run(&["init"]);
    assert_eq!(again.code, 1, "{again}");
    assert!(again.err.contains("whimbrel.yaml already"), "{again}");
}

#[test]
fn a_project_is_called_as_its_folder_unless_something_else_is_said() {
    let project = Project::empty();
    assert_eq!(project.run(&["init", "My Shop"]).code, 0);
    let text = std::fs::read_to_string(project.file("My Shop/whimbrel.yaml")).unwrap();
    assert!(text.contains("name: my-shop"), "{text}");
    assert_eq!(
        project.run(&["init", "other", "--name", "no good"]).code,
        64
    );
}

#[test]
fn new_migrations_have_three_shapes_and_go_on_with_the_numbers() {
    let project = Project::new();
    project.table("0041-people");
    for (flags, file) in [
        (&[][..], "migrations/0042-a.sql"),
        (&["--yaml"], "migrations/0043-a.yaml"),
        (
            &["--folder", "--database", "main"],
            "migrations/0044-a/migration.yaml",
        ),
        (&["--sql", "--database", "main"], "migrations/0045-a.sql"),
    ] {
        let made = project.run(&[&["new", "a"], flags].concat());
        assert_eq!(made.code, 0, "{made}");
        assert!(made.out.contains(file), "{made}");
        assert!(project.file(file).is_file());
    }
    project.dev(0, &["apply"]);
    assert_eq!(project.states().len(), 5);
    assert_eq!(project.run(&["new", "0042-a"]).code, 1);
    assert_eq!(project.run(&["new", "no good"]).code, 64);
    assert_eq!(
        project
            .run(&["new", "b", "--database", "x", "--database", "y"])
            .code,
        64
    );
}

#[test]
fn a_missing_project_says_where_it_looked() {
    let project = Project::empty();
    let ended = project.run(&["plan"]);
    assert_eq!(ended.code, 1, "{ended}");
    assert!(
        ended.err.contains("there is no whimbrel.yaml in"),
        "{ended}"
    );
    assert!(ended.err.contains("hint: `whimbrel init`"), "{ended}");
    assert_eq!(project.run(&["plan", "--project", "nowhere"]).code, 1);
}

#[test]
fn a_project_is_found_from_below_and_from_elsewhere() {
    let project = Project::with_two();
    let mut below = project.command(&["status"]);
    let below = ended(below.current_dir(project.file("migrations")));
    assert_eq!(below.code, 0, "{below}");
    let folder = project.path().to_str().unwrap();
    let mut elsewhere = project.command(&["apply", "--project", folder]);
    let elsewhere = ended(elsewhere.current_dir("/"));
    assert_eq!(elsewhere.code, 0, "{elsewhere}");
    assert_eq!(project.tables(), ["orders", "people"]);
}

#[test]
fn mistakes_on_the_command_line_end_with_64_and_advice() {
    let project = Project::with_two();
    let ended = project.run(&["aply"]);
    assert_eq!(ended.code, 64, "{ended}");
    assert!(ended.err.contains("'apply'"), "{ended}");
    assert_eq!(ended.out, "");
    for arguments in [
        &["plan", "--environment", "dew"][..],
        &["plan", "--database", "mane"],
        &["status", "--format", "sarif"],
        &["apply", "--override", "lint"],
        &["apply", "--override", "nothing", "--reason", "x"],
        &["apply", "--plan", "soon"],
        &["revert"],
        &["wait"],
    ] {
        let ended = project.run(arguments);
        assert_eq!(ended.code, 64, "{arguments:?}\n{ended}");
        assert!(ended.err.starts_with("error: "), "{ended}");
    }
    let ended = project.run(&["plan", "--environment", "dew"]);
    assert!(ended.err.contains("hint: did you mean `dev`?"), "{ended}");
    for (name, hint) in [
        ("mian", "hint: did you mean `main`?"),
        ("stock", "hint: there is `main`"),
    ] {
        let ended = project.run(&["plan", "--database", name]);
        assert!(ended.err.contains(hint), "{ended}");
    }
}

#[test]
fn one_environment_is_the_default_and_of_several_one_must_be_said() {
    let project = Project::with_two();
    assert_eq!(project.run(&["status"]).code, 0);
    project.environment(
        "test",
        "  databases:\n    main: {url: 'sqlite:var/test.db'}\n",
    );
    let ended = project.run(&["status"]);
    assert_eq!(ended.code, 64, "{ended}");
    assert!(ended.err.contains("one of `dev`, `test`"), "{ended}");
    let mut command = project.command(&["status"]);
    let said = crate::support::ended(command.env("WHIMBREL_ENVIRONMENT", "test"));
    assert!(said.out.starts_with("test at"), "{said}");
    project.remove("environments/test.yaml");
    project.remove("environments/dev.yaml");
    let ended = project.run(&["status"]);
    assert_eq!(ended.code, 1, "{ended}");
}

#[test]
fn help_names_every_command_and_the_version_is_said() {
    let project = Project::empty();
    let help = project.run(&["--help"]);
    assert_eq!(help.code, 0);
    for command in [
        "init",
        "new",
        "lint",
        "plan",
        "apply",
        "approve",
        "promote",
        "revert",
        "status",
        "history",
        "baseline",
        "verify",
        "unlock",
        "adopt",
        "wait",
        "plugin",
        "schema",
        "completions",
    ] {
        assert!(
            help.out.contains(&format!("\n  {command}")),
            "{command}\n{help}"
        );
    }
    assert!(project.run(&["--version"]).out.starts_with("whimbrel "));
}

#[test]
fn schemas_and_completions_go_to_stdout() {
    let project = Project::empty();
    for kind in ["project", "environment", "migration"] {
        let schema = project.run(&["schema", kind]).json();
        assert!(schema["$schema"].is_string());
    }
    for shell in ["bash", "zsh", "fish"] {
        let script = project.run(&["completions", shell]);
        assert!(script.out.contains("promote"), "{script}");
    }
}
