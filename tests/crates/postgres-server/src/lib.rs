//! A private PostgreSQL server for the tests of one process.
//!
//! ```no_run
//! let url = whimbrel_postgres_server::PostgresServer::shared().database("orders");
//! ```
//!
//! The server listens on a Unix socket in a folder of its own, and ends with the process however that ends: a shell
//! waits at a pipe that only this process holds open. The first start on a machine runs `initdb`; later ones copy its
//! result.

#![forbid(unsafe_code)]
#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "a test without its server has failed"
)]

mod programs;
mod template;

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use std::os::unix::process::CommandExt;

use programs::Programs;

/// How long a server may take to start, on a machine under load.
const START_TIMEOUT: Duration = Duration::from_secs(60);

/// Speed over safety: nothing of it outlives the tests.
const SETTINGS: [&str; 12] = [
    "listen_addresses=",
    "fsync=off",
    "full_page_writes=off",
    "max_connections=200",
    "shared_buffers=32MB",
    "wal_level=minimal",
    "max_wal_senders=0",
    "autovacuum=off",
    "max_prepared_transactions=4",
    "log_statement=none",
    "timezone=UTC",
    "unix_socket_permissions=0777",
];

/// A running server.
#[derive(Debug)]
pub struct PostgresServer {
    folder: PathBuf,
    programs: Programs,
    databases: AtomicU32,
    /// Holds the pipe that keeps the server alive.
    _watchdog: Child,
}

impl PostgresServer {
    /// The server of this process, started by whoever asks first.
    ///
    /// # Panics
    ///
    /// No PostgreSQL is installed, or it doesn't start.
    #[must_use]
    pub fn shared() -> &'static Self {
        static SERVER: OnceLock<PostgresServer> = OnceLock::new();
        SERVER.get_or_init(Self::start)
    }

    /// A server of one's own, for tests that stop it. It ends when the value is dropped.
    ///
    /// # Panics
    ///
    /// No PostgreSQL is installed, or it doesn't start.
    #[must_use]
    pub fn start() -> Self {
        let programs = Programs::find();
        let folder = template::copy(&programs);
        Self::run(programs, folder, &[])
    }

    /// A server of one's own that also listens on a port of 127.0.0.1, with TLS by a certificate and key in PEM. Gives
    /// the port, too.
    ///
    /// # Panics
    ///
    /// As [`PostgresServer::start`], or the server doesn't like the certificate.
    #[must_use]
    pub fn start_with_tls(certificate: &str, key: &str) -> (Self, u16) {
        let programs = Programs::find();
        let folder = template::copy(&programs);
        let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let port = free.expect("a free port").port();
        template::place(&programs, &folder.join("data/server.crt"), certificate);
        template::place(&programs, &folder.join("data/server.key"), key);
        let settings = [
            "listen_addresses=127.0.0.1".to_owned(),
            format!("port={port}"),
            "ssl=on".to_owned(),
        ];
        (Self::run(programs, folder, &settings), port)
    }

    /// A server of one's own that asks everybody but its superuser for a password.
    ///
    /// # Panics
    ///
    /// No PostgreSQL is installed, or it doesn't start.
    #[must_use]
    pub fn start_with_passwords() -> Self {
        let programs = Programs::find();
        let folder = template::copy(&programs);
        let rules = "local all postgres trust\nlocal all all scram-sha-256\n";
        template::place(&programs, &folder.join("data/pg_hba.conf"), rules);
        Self::run(programs, folder, &[])
    }

    fn run(programs: Programs, folder: PathBuf, more: &[String]) -> Self {
        let mut command = Command::new("sh");
        command
            .args([
                "-c",
                "trap '' INT TERM HUP; \"$@\" >\"$0/log\" 2>&1 & server=$!; \
                   cat >/dev/null; kill -QUIT $server; wait $server; rm -rf \"$0\"",
            ])
            .arg(&folder)
            .args(programs.as_owner(&programs.postgres))
            .arg("-D")
            .arg(folder.join("data"))
            .arg("-k")
            .arg(&folder);
        for setting in SETTINGS.into_iter().chain(more.iter().map(String::as_str)) {
            command.args(["-c", setting]);
        }
        command
            .current_dir(&folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let watchdog = command.process_group(0).spawn().expect("a shell");
        let server = Self {
            folder,
            programs,
            databases: AtomicU32::new(0),
            _watchdog: watchdog,
        };
        server.wait();
        server
    }

    /// Creates an empty database and gives its URL, such as `postgres:///orders_1?host=/tmp/…&user=postgres`.
    ///
    /// # Panics
    ///
    /// The server refuses.
    #[must_use]
    pub fn database(&self, name: &str) -> String {
        let name = format!(
            "{name}_{}",
            self.databases.fetch_add(1, Ordering::Relaxed) + 1
        );
        self.psql("postgres", &format!("CREATE DATABASE \"{name}\""));
        self.url(&name)
    }

    /// The URL of a database, for its superuser.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        self.url_as(database, "postgres")
    }

    /// The URL of a database for another user. No password is asked.
    #[must_use]
    pub fn url_as(&self, database: &str, user: &str) -> String {
        format!(
            "postgres:///{database}?host={}&user={user}",
            self.folder.display()
        )
    }

    /// Runs SQL with `psql` and gives its output: rows without headings, columns joined by `|`.
    ///
    /// # Panics
    ///
    /// The server refuses.
    pub fn psql(&self, database: &str, sql: &str) -> String {
        let output = Command::new(&self.programs.psql)
            .args([
                "-X",
                "-q",
                "-A",
                "-t",
                "-v",
                "ON_ERROR_STOP=1",
                "-U",
                "postgres",
                "-d",
                database,
                "-c",
                sql,
                "-h",
            ])
            .arg(&self.folder)
            .output()
            .expect("psql");
        assert!(
            output.status.success(),
            "psql: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8_lossy(&output.stdout)
            .trim_end()
            .to_owned()
    }

    /// The folder of the server's socket, for clients that want `host` apart.
    #[must_use]
    pub fn socket_folder(&self) -> &Path {
        &self.folder
    }

    /// The server says in its own file when it takes connections.
    fn wait(&self) {
        let begun = Instant::now();
        let file = self.folder.join("data/postmaster.pid");
        while !fs::read_to_string(&file).is_ok_and(|text| {
            text.lines()
                .nth(7)
                .is_some_and(|line| line.trim() == "ready")
        }) {
            if begun.elapsed() > START_TIMEOUT {
                let log = fs::read_to_string(self.folder.join("log")).unwrap_or_default();
                panic!("PostgreSQL did not start:\n{log}");
            }
            sleep(Duration::from_millis(5));
        }
    }
}
