//! A server program that ends with the test that started it, however that ends.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How long a server may take to start, on a machine under load.
const START_TIMEOUT: Duration = Duration::from_secs(90);

/// A running program with a folder of its own, which goes with it.
#[derive(Debug)]
pub struct Process {
    folder: PathBuf,
    /// Holds the pipe that keeps the program alive.
    _watchdog: Child,
}

impl Process {
    /// A new folder for one, which nobody else can read.
    ///
    /// # Panics
    ///
    /// There is no room.
    #[must_use]
    pub fn folder(name: &str) -> PathBuf {
        let prefix = format!("whimbrel-{name}-");
        let folder = tempfile::Builder::new().prefix(&prefix).tempdir();
        folder.expect("a folder").keep()
    }

    /// Starts a program in its folder, with these variables and none of the tester's own for such programs.
    ///
    /// # Panics
    ///
    /// There is no shell.
    #[must_use]
    pub fn start<A: AsRef<OsStr>>(
        folder: PathBuf,
        program: &Path,
        arguments: &[A],
        variables: &[(&str, &str)],
    ) -> Self {
        let mut command = Command::new("sh");
        command
            .args([
                "-c",
                "trap '' INT TERM HUP; \"$@\" >\"$0/log\" 2>&1 & server=$!; \
                   cat >/dev/null; kill -KILL $server; wait $server 2>/dev/null; rm -rf \"$0\"",
            ])
            .arg(&folder)
            .arg(program)
            .args(arguments);
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if ["VAULT_", "BAO_", "AWS_", "MOTO_"]
                .iter()
                .any(|start| text.starts_with(start))
            {
                command.env_remove(&name);
            }
        }
        let watchdog = command
            .envs(variables.iter().copied())
            .env("HOME", &folder)
            .current_dir(&folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .expect("a shell");
        Self {
            folder,
            _watchdog: watchdog,
        }
    }

    /// Waits until it does what it should.
    ///
    /// # Panics
    ///
    /// It doesn't; says what the program wrote.
    pub fn wait(&self, what: &str, mut ready: impl FnMut() -> bool) {
        let begun = Instant::now();
        while !ready() {
            assert!(
                begun.elapsed() < START_TIMEOUT,
                "{what}: it doesn't\n{}",
                self.log()
            );
            sleep(Duration::from_millis(20));
        }
    }

    /// What it wrote.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }
}
