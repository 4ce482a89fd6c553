//! A stage for the demo: shows each command as a person would type it, runs it, and holds it to what it must do.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::failure::{Doing, Failure, Result};

/// A folder in which commands are run and shown.
#[derive(Debug)]
pub struct Scene {
    folder: PathBuf,
    /// The folder of the product's binary, first on the path.
    programs: PathBuf,
}

impl Scene {
    /// A scene in `folder`, where `whimbrel` is the binary in `programs`.
    pub fn new(folder: PathBuf, programs: PathBuf) -> Self {
        Self { folder, programs }
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The folder of the product's binary.
    pub fn programs(&self) -> &Path {
        &self.programs
    }

    /// Says what comes next.
    pub fn title(&self, text: &str) {
        println!(
            "\n\n── {text} {}",
            "─".repeat(100usize.saturating_sub(text.chars().count() + 4))
        );
    }

    /// Shows and runs a command that must end with `code`.
    pub fn run(&self, line: &str, code: i32) -> Result {
        println!("\n$ {line}");
        let status = self
            .command(line)
            .status()
            .doing(format!("running {line}"))?;
        self.judge(line, status.code(), code)?;
        if code != 0 {
            println!("  (exit code {code}, as it must be)");
        }
        Ok(())
    }

    /// Runs a command that must end with `code` without showing it, and gives what it wrote to stdout.
    pub fn ask(&self, line: &str, code: i32) -> Result<String> {
        let output = self
            .command(line)
            .stderr(Stdio::inherit())
            .output()
            .doing(format!("running {line}"))?;
        self.judge(line, output.status.code(), code)?;
        String::from_utf8(output.stdout).doing(format!("reading the output of {line}"))
    }

    /// A failure unless `holds`.
    pub fn expect(&self, what: &str, holds: bool) -> Result {
        if holds {
            return Ok(());
        }
        Err(Failure::new(format!("the demo doesn't behave: {what}")))
    }

    fn command(&self, line: &str) -> Command {
        let mut path = self.programs.clone().into_os_string();
        path.push(":");
        path.push(std::env::var_os("PATH").unwrap_or_default());
        let mut command = Command::new("sh");
        command
            .args(["-c", line])
            .current_dir(&self.folder)
            .env("PATH", path)
            // The demo's repository must not depend on how Git is set up on this machine.
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_AUTHOR_NAME", "Ada")
            .env("GIT_AUTHOR_EMAIL", "ada@example.com")
            .env("GIT_COMMITTER_NAME", "Ada")
            .env("GIT_COMMITTER_EMAIL", "ada@example.com");
        command
    }

    fn judge(&self, line: &str, got: Option<i32>, wanted: i32) -> Result {
        if got == Some(wanted) {
            return Ok(());
        }
        let got = got.map_or_else(|| "a signal".to_owned(), |code| code.to_string());
        Err(Failure::new(format!(
            "`{line}` ended with {got} instead of {wanted}"
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scene() -> Scene {
        Scene::new(std::env::temp_dir(), PathBuf::from("/nowhere"))
    }

    #[test]
    fn another_exit_code_than_the_wanted_one_ends_the_demo() {
        assert!(scene().run("exit 6", 6).is_ok());
        let failure = scene().run("exit 0", 6).unwrap_err().to_string();
        assert_eq!(failure, "`exit 0` ended with 0 instead of 6");
    }

    #[test]
    fn what_a_command_says_can_be_asked_for() {
        assert_eq!(scene().ask("echo applied", 0).unwrap(), "applied\n");
        assert!(scene().expect("it is there", false).is_err());
    }
}
