//! Ctrl-C and SIGTERM: the next safe point, with what is committed.

use std::io::BufRead as _;
use std::process::Command;
use std::time::Duration;

use crate::support::Project;

fn slow() -> Project {
    let project = Project::new();
    project.sql(
        "0001-many",
        "CREATE TABLE many (id INTEGER PRIMARY KEY, n INTEGER);\nWITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 4000) INSERT INTO many (id) SELECT i FROM n;",
        "",
    );
    project.write(
        "migrations/0002-fill.yaml",
        "apiVersion: whimbrel.dev/v1alpha1\nkind: Migration\nmetadata: {name: 0002-fill}\nspec:\n  steps:\n    - uses: backfill\n      with: {table: many, key: id, set: 'n = coalesce(n, 0) + 1', batchSize: 20, pause: 50ms}\n",
    );
    project.table("0003-later");
    project
}

fn interrupted(signal: &str, code: i32) {
    let project = slow();
    let mut child = project.start(&["apply", "--environment", "dev"]);
    let pid = child.id().to_string();
    let begun = std::time::Instant::now();
    let has_begun = || {
        project.file("var/dev.db").exists()
            && rusqlite::Connection::open(project.file("var/dev.db"))
                .and_then(|connection| {
                    connection.query_row(
                        "SELECT count(*) FROM many WHERE n IS NOT NULL",
                        [],
                        |row| row.get::<_, i64>(0),
                    )
                })
                .is_ok_and(|rows| rows > 0)
    };
    while !has_begun() {
        let is_running = child.try_wait().unwrap().is_none();
        assert!(
            is_running && begun.elapsed() < Duration::from_secs(60),
            "it never began"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(
        Command::new("kill")
            .args([signal, &pid])
            .status()
            .unwrap()
            .success()
    );
    let done = child.wait_with_output().unwrap();
    let err = String::from_utf8_lossy(&done.stderr);
    assert_eq!(done.status.code(), Some(code), "{err}");
    assert!(err.contains("ending at the next safe point"), "{err}");
    assert!(err.contains("interrupted"), "{err}");
    project.dev(0, &["apply"]);
    assert_eq!(
        project.rows("var/dev.db", "SELECT count(*) FROM many WHERE n = 1"),
        ["4000"]
    );
}

#[test]
fn ctrl_c_ends_at_a_safe_point_and_the_next_run_goes_on() {
    interrupted("-INT", 130);
}

#[test]
fn an_orchestrators_end_is_told_apart() {
    interrupted("-TERM", 143);
}

#[test]
fn a_second_ctrl_c_cancels_what_is_running() {
    let project = Project::new();
    project.sql(
        "0001-endless",
        "CREATE TABLE n AS WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 4000000000) SELECT max(i) AS i FROM n;",
        "",
    );
    let mut child = project.start(&["apply", "--environment", "dev"]);
    let pid = child.id().to_string();
    let mut told = std::io::BufReader::new(child.stderr.take().unwrap());
    let mut read_until = |word: &str| {
        let mut line = String::new();
        while !line.contains(word) {
            line.clear();
            assert!(
                told.read_line(&mut line).unwrap() > 0,
                "it never said {word}"
            );
        }
    };
    let interrupt = || {
        let sent = Command::new("kill").args(["-INT", &pid]).status();
        assert!(sent.unwrap().success());
    };
    read_until("applying 0001-endless");
    interrupt();
    read_until("ending at the next safe point");
    interrupt();
    read_until("cancelling what is running");
    read_until("error:");
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(project.tables().is_empty());
}
