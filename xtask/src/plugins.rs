//! Builds the first-party components. The host's build embeds what lies in the components folder; it never runs cargo.

use std::path::PathBuf;

use crate::command::Call;
use crate::failure::{Doing, Failure, Result};
use crate::requirement;
use crate::workspace::Workspace;

const TARGET: &str = "wasm32-unknown-unknown";

/// Builds every component into the components folder and gives the folder.
pub fn build(workspace: &Workspace) -> Result<PathBuf> {
    let script = workspace.root().join("plugins/build.sh");
    let components = workspace.components();
    std::fs::create_dir_all(&components).doing("making the components folder")?;
    let mut call = Call::new("sh").arg(&script).arg(&components).env(
        "WHIMBREL_PLUGINS_TARGET",
        workspace.target().join("plugins"),
    );
    if let Some(compiler) = compiler(workspace)? {
        call = call.env("RUSTC", compiler);
    }
    call.run()?;
    if !holds_a_component(&components) {
        return Err(Failure::new(format!(
            "plugins/build.sh left no .wasm in {}",
            components.display()
        )));
    }
    Ok(components)
}

fn holds_a_component(folder: &std::path::Path) -> bool {
    std::fs::read_dir(folder).is_ok_and(|entries| {
        entries
            .filter_map(std::result::Result::ok)
            .any(|entry| entry.path().extension().is_some_and(|e| e == "wasm"))
    })
}

/// The compiler to use for guests: none when the usual one has the target or rustup can add it.
fn compiler(workspace: &Workspace) -> Result<Option<PathBuf>> {
    let installed = workspace.guest_toolchain().join("guest-rustc");
    if target_is_installed()? {
        return Ok(None);
    }
    if installed.is_file() {
        return Ok(Some(installed));
    }
    let added = Call::new("rustup").args(["target", "add", TARGET]);
    println!("$ {added}");
    if added.run().is_ok() && target_is_installed()? {
        return Ok(None);
    }
    println!("rustup can't add {TARGET}; making a guest toolchain from Debian's packages instead");
    requirement::programs(&[("dpkg", "dpkg"), ("apt-get", "apt")])?;
    Call::new("bash")
        .arg(workspace.root().join("xtask/guest-toolchain.sh"))
        .arg(workspace.guest_toolchain())
        .arg(TARGET)
        .show_and_run()?;
    Ok(Some(installed))
}

fn target_is_installed() -> Result<bool> {
    let libraries = Call::new("rustc")
        .args(["--print", "target-libdir", "--target", TARGET])
        .text()?;
    let folder = PathBuf::from(libraries.trim());
    Ok(std::fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some()))
}
