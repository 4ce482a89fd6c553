//! Python environments: the acceptance suite's under the target folder, and others like it.

use std::path::{Path, PathBuf};

use crate::command::Call;
use crate::failure::{Doing, Result};
use crate::requirement;
use crate::workspace::Workspace;

/// Gives a Python that has what `pyproject.toml` asks for; makes it when it isn't there or out of date.
pub fn environment(workspace: &Workspace) -> Result<PathBuf> {
    let wanted = std::fs::read_to_string(workspace.root().join("pyproject.toml"))
        .doing("reading pyproject.toml")?;
    let environment = Environment {
        folder: &workspace.target().join("python"),
        wanted: &wanted,
        works: "import pytest, psycopg",
    };
    let root = workspace.root().display().to_string();
    environment.present(&[&["--editable", root.as_str()]])
}

/// An environment that is made once, and again when something else is wanted of it.
#[derive(Debug)]
pub struct Environment<'a> {
    /// Where it is.
    pub folder: &'a Path,
    /// The text that says what belongs into it.
    pub wanted: &'a str,
    /// What this Python program can do in one that is whole.
    pub works: &'a str,
}

impl Environment<'_> {
    /// Gives its Python; makes it by one call of `pip install` for each list of arguments where it isn't there.
    pub fn present(&self, installs: &[&[&str]]) -> Result<PathBuf> {
        let python = self.folder.join("bin/python");
        let stamp = self.folder.join("installed");
        let up_to_date = std::fs::read_to_string(&stamp).is_ok_and(|text| text == self.wanted);
        if up_to_date && Call::new(&python).args(["-c", self.works]).works() {
            return Ok(python);
        }
        requirement::programs(&[("python3", "python3")])?;
        let make = Call::new("python3")
            .args(["-m", "venv", "--clear"])
            .arg(self.folder);
        if !Call::new("python3")
            .args(["-c", "import venv, ensurepip"])
            .works()
        {
            requirement::install(&["python3-venv"])?;
        }
        make.show_and_run()?;
        for arguments in installs {
            Call::new(&python)
                .args(["-m", "pip", "install", "--quiet"])
                .arg("--disable-pip-version-check")
                .args(*arguments)
                .show_and_run()?;
        }
        std::fs::write(&stamp, self.wanted).doing("noting what was installed")?;
        Ok(python)
    }
}
