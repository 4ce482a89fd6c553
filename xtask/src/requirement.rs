//! What the machine must have, and how it gets it: looked for first, installed only when missing.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::command::Call;
use crate::failure::{Doing, Failure, Result};

/// Finds a program on `PATH` or in one of Debian's folders for versioned programs.
pub fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(versioned("/usr/lib/postgresql", "bin"))
        .chain(versioned("/usr/lib/llvm-22", ""))
        // Where servers are, and who isn't root doesn't look.
        .chain([PathBuf::from("/usr/sbin")])
        .map(|folder| folder.join(name))
        .find(|candidate| candidate.is_file())
}

fn versioned(parent: &str, inner: &str) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(parent) else {
        return Vec::new();
    };
    let mut folders: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path().join(inner)))
        .collect();
    // The newest first: "15" after "9" as long as both have two digits, which every supported release has.
    folders.sort();
    folders.reverse();
    folders
}

/// Makes sure that every program is there, installing Debian packages where one isn't.
///
/// Asks for nothing on the network when everything is there.
pub fn programs(wanted: &[(&str, &str)]) -> Result {
    let missing: Vec<&(&str, &str)> = wanted
        .iter()
        .filter(|(name, _)| program(name).is_none())
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = missing.iter().map(|(name, _)| *name).collect();
    let packages: Vec<&str> = missing.iter().map(|(_, package)| *package).collect();
    install(&packages)?;
    match missing.iter().find(|(name, _)| program(name).is_none()) {
        None => Ok(()),
        Some((name, package)) => Err(Failure::new(format!(
            "{name} still can't be found after installing {package} (was missing: {})",
            names.join(", ")
        ))),
    }
}

/// Unpacks a Debian package into a folder without installing it.
pub fn unpack(package: &str, folder: &Path) -> Result {
    let download = || {
        Call::new("apt-get")
            .args(["download", "-q", package])
            .within(folder)
    };
    if !download().works() {
        // The lists may be missing, or older than the package.
        apt(&["update", "-q"], package)?;
        download().show_and_run()?;
    }
    let entries = std::fs::read_dir(folder).doing(format!("reading {}", folder.display()))?;
    for entry in entries.flatten() {
        let file = entry.path();
        if file.extension().is_some_and(|extension| extension == "deb") {
            Call::new("dpkg").arg("-x").arg(&file).arg(folder).run()?;
            std::fs::remove_file(&file).doing(format!("removing {}", file.display()))?;
        }
    }
    Ok(())
}

/// Whether Debian packages can be installed without asking anybody for a password.
pub fn may_install() -> bool {
    let may = || Call::new("sudo").args(["-n", "true"]).works();
    program("apt-get").is_some() && (is_root().unwrap_or_default() || may())
}

fn is_root() -> Result<bool> {
    Ok(Call::new("id").arg("-u").text()?.trim() == "0")
}

/// Installs Debian packages, as root or through sudo.
pub fn install(packages: &[&str]) -> Result {
    let names = packages.join(" ");
    apt(&["update", "-q"], &names)?;
    let mut arguments = vec!["install", "-q", "-y", "--no-install-recommends"];
    arguments.extend(packages);
    apt(&arguments, &names)
}

/// One apt-get at a time: a second one would find the first one's lock and give up.
static APT: Mutex<()> = Mutex::new(());

/// Runs apt-get, as root or through sudo, to get these packages.
fn apt(arguments: &[&str], packages: &str) -> Result {
    if program("apt-get").is_none() {
        return Err(Failure::new(format!(
            "this machine has no apt-get; install what Debian's packages {packages} hold, then run this again"
        )));
    }
    let root = is_root()?;
    if !root && program("sudo").is_none() {
        return Err(Failure::new(format!(
            "neither root nor sudo; run `apt-get install {packages}` as root, then this again"
        )));
    }
    let _alone = APT.lock().unwrap_or_else(PoisonError::into_inner);
    let call = if root {
        Call::new("apt-get")
    } else {
        Call::new("sudo").args(["--preserve-env=DEBIAN_FRONTEND", "apt-get"])
    };
    call.args(arguments)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .show_and_run()
}
