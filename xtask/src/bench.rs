//! Builds the product as it is shipped and hands over to the benchmark, a program of its own.

use crate::command::Call;
use crate::failure::Result;
use crate::requirement;
use crate::workspace::Workspace;
use crate::{kubernetes, plugins, postgresql, real_parts};

/// Runs the benchmark with the arguments given to `cargo xtask bench`.
pub fn run(workspace: &Workspace, arguments: &[String]) -> Result {
    postgresql::present()?;
    real_parts::present(workspace)?;
    plugins::build(workspace)?;
    Call::cargo()
        .args([
            "build",
            "--release",
            "-p",
            "whimbrel",
            "-p",
            "whimbrel-bench",
            "-p",
            "whimbrel-idle-provider",
        ])
        .within(workspace.root())
        .show_and_run()?;
    Call::new(workspace.target().join("release/whimbrel-bench"))
        .args(arguments)
        .env("WHIMBREL_BIN", workspace.target().join("release/whimbrel"))
        .env("SQLX_BIN", sqlx(workspace)?)
        .env("KUBEBUILDER_ASSETS", kubernetes::folder(workspace))
        .within(workspace.root())
        .run()
}

/// The tool that the benchmark measures against, installed once into the cache.
fn sqlx(workspace: &Workspace) -> Result<std::path::PathBuf> {
    let installed = workspace.tools().join("bin/sqlx");
    if installed.is_file() {
        return Ok(installed);
    }
    if let Some(found) = requirement::program("sqlx") {
        return Ok(found);
    }
    Call::cargo()
        .args(["install", "sqlx-cli", "--locked", "--no-default-features"])
        .args(["--features", "postgres,sqlite,rustls", "--root"])
        .arg(workspace.tools())
        .show_and_run()?;
    Ok(installed)
}
