//! A private PostgreSQL with fsync on: a cluster on a Unix socket, as a user that isn't root.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::failure::{Doing, Failure, Result};

/// A running server.
#[derive(Debug)]
pub struct Cluster {
    folder: TempDir,
}

impl Cluster {
    /// Makes a cluster and starts its server.
    pub fn start() -> Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix("wbbench-")
            .tempdir()
            .doing("making a folder for PostgreSQL")?;
        if as_root() {
            let owned = Command::new("chown")
                .arg("postgres")
                .arg(folder.path())
                .status();
            owned.doing("giving the folder to postgres")?;
        }
        let cluster = Self { folder };
        let data = cluster.path().join("data");
        let data = data.to_string_lossy();
        cluster.program(
            "initdb",
            &[
                "--pgdata",
                &data,
                "--username=postgres",
                "--auth=trust",
                "--locale=C",
                "--encoding=UTF8",
            ],
        )?;
        let options = format!(
            "-c listen_addresses= -k {} -c max_connections=300 -c shared_buffers=256MB",
            cluster.path().display()
        );
        let log = cluster.path().join("log");
        cluster.program(
            "pg_ctl",
            &[
                "start",
                "--wait",
                "--silent",
                "--pgdata",
                &data,
                "--log",
                &log.to_string_lossy(),
                "--options",
                &options,
            ],
        )?;
        Ok(cluster)
    }

    /// The folder of the socket.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Makes an empty database, dropping an older one of that name.
    pub fn create(&self, name: &str) -> Result {
        self.sql("postgres", &format!("DROP DATABASE IF EXISTS {name}"))?;
        self.sql("postgres", &format!("CREATE DATABASE {name}"))
    }

    /// Runs SQL with psql.
    pub fn sql(&self, database: &str, sql: &str) -> Result {
        let mut command = self.psql(database);
        crate::measure::timed(command.args(["-c", sql])).map(|_| ())
    }

    /// psql, connected to a database, stopping at the first error.
    pub fn psql(&self, database: &str) -> Command {
        let mut command = Command::new("psql");
        command
            .args([
                "--no-psqlrc",
                "--quiet",
                "--set=ON_ERROR_STOP=1",
                "--username=postgres",
                "--host",
            ])
            .arg(self.path())
            .args(["--dbname", database]);
        command
    }

    /// The URL as an environment document says it.
    pub fn url(&self, database: &str) -> String {
        format!(
            "postgres://postgres@localhost/{database}?host={}",
            self.path().display()
        )
    }

    fn program(&self, name: &str, arguments: &[&str]) -> Result {
        let program = find(name)?;
        let mut command = if as_root() {
            let mut command = Command::new("setpriv");
            command
                .args(["--reuid=postgres", "--regid=postgres", "--clear-groups"])
                .arg(program);
            command
        } else {
            Command::new(program)
        };
        let status = command
            .args(arguments)
            .current_dir(self.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .status()
            .doing(format!("running {name}"))?;
        if status.success() {
            return Ok(());
        }
        Err(Failure::new(format!("{name} ended with {status}")))
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let data = self.path().join("data");
        // The folder goes next; there is nobody left to tell if the server is gone already.
        let _ = self.program(
            "pg_ctl",
            &[
                "stop",
                "--silent",
                "--mode=immediate",
                "--pgdata",
                &data.to_string_lossy(),
            ],
        );
    }
}

fn as_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0)
}

fn find(name: &str) -> Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let versions = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten();
    let versions = versions.filter_map(|entry| Some(entry.ok()?.path().join("bin")));
    std::env::split_paths(&path)
        .chain(versions)
        .map(|folder| folder.join(name))
        .find(|program| program.is_file())
        .ok_or_else(|| Failure::new(format!("{name} is missing: apt-get install postgresql")))
}
