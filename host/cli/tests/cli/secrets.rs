//! Secrets: looked at without being revealed, kept within their environment, taken out of whatever is said.

use std::time::{Duration, Instant};

use crate::support::{Project, ended};

const CANARY: &str = "canary-4711-zulu";

fn project(spec: &str) -> Project {
    let project = Project::new();
    project.write(
        "run/fields.json",
        &format!(r#"{{"user": "ann", "password": "{CANARY}"}}"#),
    );
    project.write("run/plain", &format!("{CANARY}\n"));
    project.environment("dev", spec);
    project
}

#[test]
fn check_tells_the_shape_of_every_secret_and_none_of_them() {
    let project = project(
        "  databases:\n    main:\n      url: sqlite:var/dev.db\n      username: secret://file/run/fields.json#user\n      password: ref+file://run/fields.json#/password\n    other:\n      url: secret://file/run/plain\n",
    );
    let text = project.dev(0, &["secrets", "check"]);
    assert!(text.out.contains("dev: 3 secret references"), "{text}");
    assert!(text.out.contains("fields password, user"), "{text}");
    let json = project.dev(
        0,
        &["secrets", "check", "--format", "json", "--lasting", "8m"],
    );
    let references = json.json()["references"].as_array().unwrap().clone();
    let places: Vec<_> = references
        .iter()
        .map(|line| line["place"].as_str().unwrap())
        .collect();
    assert_eq!(
        places,
        [
            "databases.main.password",
            "databases.main.username",
            "databases.other.url"
        ]
    );
    assert_eq!(
        references[0]["reference"],
        "secret://file/run/fields.json#password"
    );
    for said in [&text.out, &text.err, &json.out, &json.err] {
        assert!(!said.contains(CANARY), "{said}");
    }
}

#[test]
fn check_fails_where_a_secret_is_missing() {
    let project = project(
        "  databases:\n    main:\n      url: sqlite:var/dev.db\n      username: secret://file/run/fields.json#usr\n      password: secret://env/WHIMBREL_TEST_NOWHERE\n    other:\n      url: secret://file/run/fields.json\n",
    );
    let text = project.dev(1, &["secrets", "check"]);
    for expected in [
        "databases.main.username: secret://file/run/fields.json#usr: there is no field `usr`",
        "did you mean `user`?",
        "the environment variable WHIMBREL_TEST_NOWHERE is not set",
        "several fields: `password`, `user`",
    ] {
        assert!(text.out.contains(expected), "{expected}\n{text}");
    }
    let json = project
        .dev(1, &["secrets", "check", "--format", "json"])
        .json();
    assert!(json["references"][0]["error"].is_string());
    assert!(json["references"][0]["hint"].is_string());
    project.dev(64, &["secrets", "check", "--format", "junit"]);
}

#[test]
fn another_environment_s_secrets_are_refused_when_definitions_are_read() {
    let project = project(
        "  databases:\n    main:\n      url: sqlite:var/dev.db\n      password: secret://production-vault/creds#password\n",
    );
    project.environment(
        "production",
        "  databases:\n    main:\n      url: sqlite:var/production.db\n      password: secret://production-vault/creds#password\n  secrets:\n    production-vault: {plugin: backfill}\n",
    );
    for command in [&["secrets", "check"] as &[&str], &["plan"], &["status"]] {
        let ended = project.dev(1, command);
        assert!(
            ended
                .err
                .contains("`production-vault` is configured by `production`, and not by `dev`"),
            "{ended}"
        );
        assert!(ended.err.contains("environments/dev.yaml:"), "{ended}");
    }
}

/// What `plan` says of a migration that has a secret written into it.
fn plan_of_a_revealing_migration(scrubber: Option<&str>) -> String {
    let project = project(
        "  databases:\n    main:\n      url: sqlite:var/dev.db\n      password: secret://file/run/plain\n  policy: {apply: Auto}\n",
    );
    project.sql(
        "0001-notes",
        &format!("CREATE TABLE notes (text TEXT DEFAULT '{CANARY}');"),
        "DROP TABLE notes;",
    );
    let mut command = project.command(&["plan", "--environment", "dev", "--verbose"]);
    command.env_remove("WHIMBREL_SCRUBBER");
    if let Some(scrubber) = scrubber {
        command.env("WHIMBREL_SCRUBBER", scrubber);
    }
    let ended = ended(&mut command);
    assert_eq!(ended.code, 0, "{ended}");
    ended.to_string()
}

#[test]
fn what_is_secret_is_taken_out_of_what_is_said() {
    let said = plan_of_a_revealing_migration(None);
    assert!(!said.contains(CANARY), "{said}");
    assert!(said.contains("[redacted]"), "{said}");
}

/// A suite that looks for secrets must be able to find some.
#[test]
fn the_scrubber_is_blinded_in_builds_for_tests_only() {
    let said = plan_of_a_revealing_migration(Some("off"));
    assert_eq!(
        said.contains(CANARY),
        cfg!(feature = "crash-points"),
        "{said}"
    );
}

#[cfg(target_os = "linux")]
#[test]
fn a_crash_leaves_no_image_of_its_memory() {
    let project = Project::with_two();
    let mut waiting = project.start(&["wait", "--migration", "0009-none", "--timeout", "30s"]);
    let limits = format!("/proc/{}/limits", waiting.id());
    let begun = Instant::now();
    let zero = loop {
        let text = std::fs::read_to_string(&limits).unwrap_or_default();
        let line = text
            .lines()
            .find(|line| line.starts_with("Max core file size"));
        let words: Vec<_> = line.unwrap_or_default().split_whitespace().collect();
        if words.ends_with(&["0", "0", "bytes"]) {
            break true;
        }
        if begun.elapsed() > Duration::from_secs(20) {
            break false;
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    waiting.kill().unwrap();
    waiting.wait().unwrap();
    assert!(zero, "core dumps are on");
}
