//! The Python environment of the acceptance suite, under the target folder.

use std::path::PathBuf;

use crate::command::Call;
use crate::failure::{Doing, Result};
use crate::requirement;
use crate::workspace::Workspace;

/// Gives a Python that has what `pyproject.toml` asks for; makes it when it isn't there or out of date.
pub fn environment(workspace: &Workspace) -> Result<PathBuf> {
    let folder = workspace.target().join("python");
    let python = folder.join("bin/python");
    let stamp = folder.join("installed-pyproject.toml");
    let wanted = std::fs::read_to_string(workspace.root().join("pyproject.toml"))
        .doing("reading pyproject.toml")?;
    let up_to_date = std::fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted);
    if up_to_date
        && Call::new(&python)
            .args(["-c", "import pytest, psycopg"])
            .works()
    {
        return Ok(python);
    }
    requirement::programs(&[("python3", "python3")])?;
    let make = Call::new("python3")
        .args(["-m", "venv", "--clear"])
        .arg(&folder);
    if !Call::new("python3")
        .args(["-c", "import venv, ensurepip"])
        .works()
    {
        requirement::install(&["python3-venv"])?;
    }
    make.show_and_run()?;
    Call::new(&python)
        .args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--editable",
        ])
        .arg(workspace.root())
        .show_and_run()?;
    std::fs::write(&stamp, wanted).doing("noting what was installed")?;
    Ok(python)
}
