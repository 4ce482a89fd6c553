//! A project's clone, and the bare repository that it pushes to.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::failure::{Doing, Failure, Result};
use crate::git_server::GitServer;
use crate::measure::timed;

/// A clone with where it pushes.
#[derive(Debug)]
pub struct Repository {
    clone: PathBuf,
    /// The bare one.
    pub bare: PathBuf,
    server: Option<GitServer>,
}

impl Repository {
    /// Makes a repository of a project's folder, and a bare one beside it that has everything.
    pub fn new(project: &Path, bare: PathBuf) -> Result<Self> {
        let repository = Self {
            clone: project.to_owned(),
            bare,
            server: None,
        };
        repository.git(&["init", "--quiet", "--initial-branch=main"])?;
        repository.commit()?;
        let bare = repository.bare.display().to_string();
        repository.git(&["clone", "--quiet", "--bare", ".", &bare])?;
        repository.git(&["remote", "add", "origin", &bare])?;
        Ok(repository)
    }

    /// Pushes and fetches over HTTP from now on.
    pub fn serve(&mut self) -> Result {
        let root = self.bare.parent().unwrap_or(Path::new("."));
        self.server = Some(GitServer::start(root)?);
        let bare = self.bare.display().to_string();
        self.git(&["-C", &bare, "config", "http.receivepack", "true"])?;
        let address = self.address();
        self.git(&["remote", "set-url", "origin", &address])?;
        Ok(())
    }

    /// Commits everything; gives the commit.
    pub fn commit(&self) -> Result<String> {
        self.git(&["add", "--all"])?;
        self.git(&["commit", "--quiet", "--message", "Change the project"])?;
        self.head()
    }

    /// The newest commit.
    pub fn head(&self) -> Result<String> {
        let output = self
            .command(&["rev-parse", "HEAD"])
            .output()
            .doing("asking for the commit")?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
        }
        Err(Failure::new("there is no commit".to_owned()))
    }

    /// Pushes the branch.
    pub fn push(&self) -> Result<Duration> {
        self.git(&["push", "--quiet", "origin", "main"])
    }

    /// A mirror as `git clone --mirror` makes it, to be compared with.
    pub fn mirror(&self, folder: &Path) -> Result {
        let (from, to) = (self.address(), folder.display().to_string());
        self.git(&["clone", "--quiet", "--mirror", &from, &to])?;
        Ok(())
    }

    /// How long `git fetch` takes in that mirror.
    pub fn fetch(&self, mirror: &Path) -> Result<Duration> {
        let begun = Instant::now();
        timed(
            Command::new("git")
                .args(["fetch", "--quiet"])
                .current_dir(mirror),
        )?;
        Ok(begun.elapsed())
    }

    /// The bare one's URL.
    pub fn address(&self) -> String {
        let name = self.bare.file_name().unwrap_or_default();
        match &self.server {
            Some(server) => server.url(&name.to_string_lossy()),
            None => format!("file://{}", self.bare.display()),
        }
    }

    fn git(&self, arguments: &[&str]) -> Result<Duration> {
        timed(&mut self.command(arguments))
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("git");
        command
            .args(["-c", "user.name=Bench", "-c", "user.email=bench@localhost"])
            .args(["-c", "gc.auto=0", "-c", "maintenance.auto=false"])
            .args(arguments)
            .current_dir(&self.clone);
        command
    }
}
