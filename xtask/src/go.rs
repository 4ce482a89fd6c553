//! Real parts that are compiled once from their Go modules into the cache.

use std::path::{Path, PathBuf};

use crate::command::Call;
use crate::failure::{Doing, Result};
use crate::real_parts::link;
use crate::requirement;
use crate::workspace::Workspace;

/// A program.
pub struct Program {
    /// The variable by which a tester names their own.
    pub variable: &'static str,
    /// Its folder of `tests/real-parts`, which names its modules.
    pub modules: &'static str,
    /// What it is called.
    pub name: &'static str,
    /// Its package.
    pub package: &'static str,
    /// What is compiled in that isn't by itself.
    pub tags: &'static str,
    /// Whether it has C in it.
    pub has_c: bool,
}

/// Makes sure that a program is there, in this folder of the cache and under the tools' `bin`. What the linker is told may
/// depend on its `go.mod`. Gives the program, or none when the tester has their own.
pub fn present(
    workspace: &Workspace,
    folder: &Path,
    program: &Program,
    flags: impl FnOnce(&str) -> String,
) -> Result<Option<PathBuf>> {
    if std::env::var_os(program.variable).is_some() {
        return Ok(None);
    }
    let modules = workspace
        .root()
        .join("tests/real-parts")
        .join(program.modules);
    let file = folder.join(program.name);
    let wanted = std::fs::read_to_string(modules.join("go.mod")).doing("reading go.mod")?;
    let built = folder.join(format!("{}.mod", program.name));
    let is_there =
        file.is_file() && std::fs::read_to_string(&built).is_ok_and(|text| text == wanted);
    if !is_there {
        requirement::programs(&[("go", "golang-go")])?;
        std::fs::create_dir_all(folder).doing(format!("making {}", folder.display()))?;
        Call::new("go")
            .args(["build", "-trimpath", "-mod=readonly"])
            // No debugging information: the linker would throw it away, and making it is a sixth of the work.
            .arg("-gcflags=all=-dwarf=false")
            .args(["-tags", program.tags, "-ldflags", &flags(&wanted), "-o"])
            .arg(&file)
            .arg(program.package)
            .within(&modules)
            .env("CGO_ENABLED", if program.has_c { "1" } else { "0" })
            // SQLite is one file of C: 21 s of processor time at -O2, 3 s at -O0.
            .env("CGO_CFLAGS", "-O0")
            .show_and_run()?;
        std::fs::write(&built, wanted).doing("noting what was built")?;
    }
    link(workspace, program.name, &file)?;
    Ok(Some(file))
}

/// Where a module's files lie that a program reads when it runs.
pub fn files(workspace: &Workspace, modules: &str, module: &str) -> Result<PathBuf> {
    let folder = Call::new("go")
        .args(["list", "-mod=readonly", "-m", "-f", "{{.Dir}}", module])
        .within(workspace.root().join("tests/real-parts").join(modules))
        .text()?;
    Ok(PathBuf::from(folder.trim()))
}
