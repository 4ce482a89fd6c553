//! The server starts quickly, gives fresh databases, and leaves nothing behind.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use whimbrel_postgres_server::PostgresServer;

#[test]
fn databases_are_fresh_and_apart() {
    let server = PostgresServer::shared();
    let (one, two) = (server.database("shop"), server.database("shop"));
    assert_ne!(one, two);
    let name = one.split(['/', '?']).nth(3).unwrap();
    server.psql(
        name,
        "CREATE TABLE t (a int); INSERT INTO t VALUES (1), (2)",
    );
    assert_eq!(server.psql(name, "SELECT count(*), max(a) FROM t"), "2|2");
    assert!(server.socket_folder().is_dir());
}

#[test]
fn a_dropped_server_is_gone() {
    let server = PostgresServer::start();
    let folder = server.socket_folder().to_owned();
    assert!(folder.join("data").is_dir());
    drop(server);
    let begun = Instant::now();
    while folder.exists() {
        assert!(
            begun.elapsed() < Duration::from_secs(20),
            "{} is still there",
            folder.display()
        );
        sleep(Duration::from_millis(20));
    }
}

#[test]
fn the_program_prints_a_url_and_ends_with_its_input() {
    let mut program = Command::new(env!("CARGO_BIN_EXE_whimbrel-postgres-server"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(program.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    let folder = line
        .split("host=")
        .nth(1)
        .and_then(|rest| rest.split('&').next())
        .unwrap();
    assert!(Path::new(folder).join(".s.PGSQL.5432").exists());
    drop(program.stdin.take());
    assert!(program.wait().unwrap().success());
}
