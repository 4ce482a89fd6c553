//! Streams: data on stdout, talk on stderr, closed pipes.

use std::process::Stdio;

use crate::support::Project;

#[test]
fn a_closed_pipe_is_no_failure() {
    let project = Project::with_two();
    for arguments in [
        &["plan", "--environment", "dev"][..],
        &["completions", "bash"],
        &["--help"],
        &["apply", "--environment", "dev"],
    ] {
        let mut command = project.command(arguments);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // Nobody reads: the program finds both pipes closed.
        drop(child.stdout.take());
        drop(child.stderr.take());
        let ended = child.wait().unwrap();
        assert_eq!(ended.code(), Some(0), "{arguments:?}");
    }
    assert_eq!(project.tables(), ["orders", "people"]);
}

#[test]
fn secrets_are_shown_to_nobody() {
    let project = Project::with_two();
    project.environment(
        "far",
        "  databases:\n    main:\n      url: {secret: env, path: SHOP_URL}\n      password: {secret: env, path: SHOP_PASSWORD}\n  policy: {apply: Auto}\n",
    );
    for command in ["plan", "status", "apply"] {
        let mut command = project.command(&[command, "--environment", "far", "--verbose"]);
        command
            .env(
                "SHOP_URL",
                "postgres://shop:hunter2hunter2@127.0.0.1:1/hunter2hunter2?sslmode=disable",
            )
            .env("SHOP_PASSWORD", "hunter2hunter2");
        let ended = crate::support::ended(&mut command);
        assert_eq!(ended.code, 75, "{ended}");
        assert!(!ended.to_string().contains("hunter2hunter2"), "{ended}");
    }
    let missing = project.within("far", 1, &["plan"]);
    assert!(missing.err.contains("SHOP_URL"), "{missing}");
}
