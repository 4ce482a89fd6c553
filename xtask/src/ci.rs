//! What CI runs, in the order in which it fails soonest.

use crate::command::Call;
use crate::failure::Result;
use crate::programs::{Compiler, Programs};
use crate::requirement;
use crate::test::{self, Installed};
use crate::tidy;
use crate::together::together;
use crate::workspace::Workspace;

/// Formatting, house rules, then licences, clippy and what tests need, then every test.
pub fn run(workspace: &Workspace) -> Result {
    headline("formatting");
    format_check(workspace)?;
    headline("tidy");
    tidy::run(workspace)?;
    headline(
        "licences, clippy and the tests' programs, while the real parts that tests start are compiled",
    );
    let (programs, installed) = together(
        || {
            deny(workspace)?;
            Programs::build(workspace, Compiler::Linting)
        },
        || Installed::present(workspace),
    )?;
    headline("tests");
    test::all(workspace, &programs, &installed)
}

fn headline(what: &str) {
    println!("\n=== {what}");
}

fn format_check(workspace: &Workspace) -> Result {
    for folder in [workspace.root().to_path_buf()]
        .into_iter()
        .chain(workspace.guests())
    {
        Call::cargo()
            .args(["fmt", "--all", "--check"])
            .within(folder)
            .show_and_run()?;
    }
    Ok(())
}

/// Licences, bans and sources always; advisories where their database can be reached.
fn deny(workspace: &Workspace) -> Result {
    let installed = workspace.tools().join("bin/cargo-deny");
    if !installed.is_file() && requirement::program("cargo-deny").is_none() {
        // It runs for seconds; optimized, it would compile for a minute more.
        Call::cargo()
            .args(["install", "cargo-deny", "--locked", "--debug", "--root"])
            .arg(workspace.tools())
            .env("CARGO_PROFILE_DEV_DEBUG", "false")
            .show_and_run()?;
    }
    let program = if installed.is_file() {
        installed
    } else {
        "cargo-deny".into()
    };
    for folder in [workspace.root().to_path_buf()]
        .into_iter()
        .chain(workspace.guests())
    {
        let deny = || {
            Call::new(&program)
                .arg("--manifest-path")
                .arg(folder.join("Cargo.toml"))
                .arg("--config")
                .arg(workspace.root().join("deny.toml"))
                .arg("--all-features")
        };
        deny()
            .args(["check", "licenses", "bans", "sources"])
            .show_and_run()?;
        if deny().args(["fetch", "db"]).works() {
            deny()
                .args(["check", "--disable-fetch", "advisories"])
                .show_and_run()?;
        } else {
            println!("advisories: not checked, their database can't be reached from here");
        }
    }
    Ok(())
}
