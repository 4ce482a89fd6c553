//! Running other programs, and showing what is run.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::failure::{Doing, Failure, Result};

/// One call of a program.
#[derive(Debug)]
pub struct Call {
    program: OsString,
    arguments: Vec<OsString>,
    environment: Vec<(OsString, Option<OsString>)>,
    folder: Option<PathBuf>,
}

impl Call {
    /// A call of `program` without arguments.
    pub fn new(program: impl AsRef<OsStr>) -> Self {
        Self {
            program: program.as_ref().to_owned(),
            arguments: Vec::new(),
            environment: Vec::new(),
            folder: None,
        }
    }

    /// The cargo that runs xtask.
    pub fn cargo() -> Self {
        let mut call = Self::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        // What `cargo run` set for xtask must not reach another package's build.
        for name in [
            "CARGO_MANIFEST_DIR",
            "CARGO_MANIFEST_PATH",
            "CARGO_PKG_NAME",
        ] {
            call.environment.push((name.into(), None));
        }
        call
    }

    /// Adds one argument.
    #[must_use]
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.arguments.push(argument.as_ref().to_owned());
        self
    }

    /// Adds several arguments.
    #[must_use]
    pub fn args<A: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.arguments
            .extend(arguments.into_iter().map(|a| a.as_ref().to_owned()));
        self
    }

    /// Sets a variable of the environment.
    #[must_use]
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.environment
            .push((name.as_ref().to_owned(), Some(value.as_ref().to_owned())));
        self
    }

    /// Sets the folder to run in.
    #[must_use]
    pub fn within(mut self, folder: impl AsRef<Path>) -> Self {
        self.folder = Some(folder.as_ref().to_owned());
        self
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments);
        for (name, value) in &self.environment {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        if let Some(folder) = &self.folder {
            command.current_dir(folder);
        }
        command
    }

    /// Runs it with the terminal's streams and gives its exit code; 128 + n when signal n ended it.
    pub fn code(&self) -> Result<i32> {
        let status = self.command().status().doing(format!("running {self}"))?;
        Ok(code_of(status))
    }

    /// Runs it with the terminal's streams; anything but 0 is a failure.
    pub fn run(&self) -> Result {
        match self.code()? {
            0 => Ok(()),
            code => Err(Failure::new(format!("{self} ended with exit code {code}"))),
        }
    }

    /// Says what it runs, then runs it.
    pub fn show_and_run(&self) -> Result {
        println!("$ {self}");
        self.run()
    }

    /// Runs it and gives what it wrote to stdout; stderr goes to the terminal.
    pub fn text(&self) -> Result<String> {
        let output = self
            .command()
            .stderr(Stdio::inherit())
            .output()
            .doing(format!("running {self}"))?;
        if !output.status.success() {
            return Err(Failure::new(format!(
                "{self} ended with exit code {}",
                code_of(output.status)
            )));
        }
        String::from_utf8(output.stdout).doing(format!("reading the output of {self}"))
    }

    /// Runs it beside something else that is shown, and gives how it ended and what there is to show.
    pub fn run_aside(&self) -> (Result, String) {
        let output = match self.command().stdin(Stdio::null()).output() {
            Ok(output) => output,
            Err(error) => {
                let failure = Err(error).doing(format!("running {self}"));
                return (failure, String::new());
            }
        };
        let told = format!(
            "$ {self}\n{}{}",
            String::from_utf8_lossy(&output.stderr),
            String::from_utf8_lossy(&output.stdout)
        );
        let ended = match code_of(output.status) {
            0 => Ok(()),
            code => Err(Failure::new(format!("{self} ended with exit code {code}"))),
        };
        (ended, told)
    }

    /// Whether it can be run and says 0; what it writes is dropped.
    pub fn works(&self) -> bool {
        self.command()
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    }
}

#[cfg(unix)]
fn code_of(status: std::process::ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt;
    status
        .code()
        .unwrap_or_else(|| 128 + status.signal().unwrap_or(0))
}

#[cfg(not(unix))]
fn code_of(status: std::process::ExitStatus) -> i32 {
    status.code().unwrap_or(1)
}

impl fmt::Display for Call {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let program = Path::new(&self.program);
        let name = program.file_name().unwrap_or(program.as_os_str());
        write!(formatter, "{}", name.to_string_lossy())?;
        for argument in &self.arguments {
            let argument = argument.to_string_lossy();
            if argument.is_empty() || argument.contains([' ', '"', '$', '*', ';', '&', '(']) {
                write!(formatter, " '{argument}'")?;
            } else {
                write!(formatter, " {argument}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_shown_as_a_person_would_type_it() {
        let call = Call::new("/usr/bin/git").args(["commit", "-m", "add a table"]);
        assert_eq!(call.to_string(), "git commit -m 'add a table'");
    }

    #[test]
    fn what_runs_aside_tells_both_streams_and_how_it_ended() {
        let (ended, told) = Call::new("sh")
            .args(["-c", "echo one; echo two >&2; exit 4"])
            .run_aside();
        assert!(ended.unwrap_err().to_string().ends_with("exit code 4"));
        assert!(told.ends_with("two\none\n"), "{told}");
    }

    #[test]
    fn a_failing_call_names_itself_and_its_code() {
        let failure = Call::new("sh").args(["-c", "exit 3"]).run().unwrap_err();
        assert_eq!(failure.to_string(), "sh -c 'exit 3' ended with exit code 3");
    }
}
