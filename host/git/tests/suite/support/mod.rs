//! Real repositories in temporary folders, made by the Git command line.

pub mod signing;

use std::path::{Path, PathBuf};
use std::process::Command;

use whimbrel_core::lineage::Revision;
use whimbrel_git::Repository;

/// A work tree that can be committed to.
pub struct Work {
    folder: tempfile::TempDir,
}

impl Work {
    /// An empty repository on the branch `main`.
    pub fn new() -> Self {
        let work = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        work.git(&["init", "--quiet", "--initial-branch=main"]);
        work
    }

    /// Its folder.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Runs Git and gives what it printed.
    pub fn git(&self, arguments: &[&str]) -> String {
        git(self.path(), arguments)
    }

    /// Writes a file.
    pub fn write(&self, path: &str, text: &str) -> PathBuf {
        let file = self.path().join(path);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, text).unwrap();
        file
    }

    /// Takes a file away.
    pub fn remove(&self, path: &str) {
        std::fs::remove_file(self.path().join(path)).unwrap();
    }

    /// Commits everything.
    pub fn commit(&self, message: &str) -> Revision {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--allow-empty", "-m", message]);
        self.head()
    }

    /// The commit that is checked out.
    pub fn head(&self) -> Revision {
        Revision::commit(self.git(&["rev-parse", "HEAD"]))
    }

    /// Merges a branch without fast-forward.
    pub fn merge(&self, branch: &str) -> Revision {
        self.git(&["merge", "--quiet", "--no-ff", "-m", "merge", branch]);
        self.head()
    }

    /// The repository as the product opens it.
    pub fn open(&self) -> Repository {
        Repository::open(self.path()).unwrap()
    }
}

/// Runs Git in a folder without the machine's configuration.
pub fn git(folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git")
        .current_dir(folder)
        .args(["-c", "protocol.file.allow=always"])
        .args(arguments)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_SYSTEM", "/dev/null")
        .env("GIT_AUTHOR_NAME", "Ada")
        .env("GIT_AUTHOR_EMAIL", "ada@example.org")
        .env("GIT_COMMITTER_NAME", "Grace")
        .env("GIT_COMMITTER_EMAIL", "grace@example.org")
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "git {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}
