//! The files of a release, as registries and `terraform init` expect them: an archive per platform, a manifest, checksums.
//!
//! Whoever publishes them signs the checksums; a key has no place here.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde_json::json;

use crate::command::Call;
use crate::failure::{Doing, Failure, Result};
use crate::plugins;
use crate::requirement;
use crate::workspace::Workspace;

const NAME: &str = "terraform-provider-whimbrel";
/// The protocol that the binary speaks: any Terraform of this major version can use it.
const PROTOCOL: &str = "6.0";
/// 2000-01-01: the same bytes make the same archive, whenever it is made.
const TIME: Duration = Duration::from_secs(946_684_800);

/// Packs a binary, which is built as it is shipped unless one is given.
pub fn pack(workspace: &Workspace, version: &str, options: &[&str]) -> Result {
    check(version)?;
    let (mut binary, mut into) = (None, workspace.target().join("provider"));
    let mut options = options.iter();
    while let Some(option) = options.next() {
        let value = options.next().doing(format!("`{option}` needs a value"))?;
        match *option {
            "--binary" => binary = Some(PathBuf::from(value)),
            "--into" => into = PathBuf::from(value),
            other => return Err(Failure::new(format!("there is no option `{other}`"))),
        }
    }
    requirement::programs(&[("python3", "python3"), ("sha256sum", "coreutils")])?;
    let binary = binary.map_or_else(|| build(workspace), Ok)?;
    std::fs::create_dir_all(&into).doing(format!("making {}", into.display()))?;
    let archive = archive(workspace, version, &binary, &into)?;
    let manifest = format!("{NAME}_{version}_manifest.json");
    let document = json!({ "version": 1, "metadata": { "protocol_versions": [PROTOCOL] } });
    std::fs::write(into.join(&manifest), format!("{document:#}\n"))
        .doing("writing the manifest")?;
    sums(version, &into)?;
    println!("{}", into.join(archive).display());
    Ok(())
}

/// As registries want it: three numbers, and perhaps what comes before them.
fn check(version: &str) -> Result {
    let (numbers, before) = version.split_once('-').unwrap_or((version, "x"));
    let numbers: Vec<_> = numbers.split('.').collect();
    let is_number =
        |text: &&str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'.' || byte == b'-';
    if numbers.len() == 3
        && numbers.iter().all(is_number)
        && !before.is_empty()
        && before.bytes().all(is_word)
    {
        return Ok(());
    }
    Err(Failure::new(format!(
        "`{version}` is no version such as 0.1.0 or 0.1.0-rc.1"
    )))
}

fn build(workspace: &Workspace) -> Result<PathBuf> {
    plugins::build(workspace)?;
    Call::cargo()
        .args(["build", "--release", "-p", "whimbrel"])
        .within(workspace.root())
        .show_and_run()?;
    Ok(workspace.target().join("release/whimbrel"))
}

/// An archive of the binary, under the name that Terraform looks for, and of its licence.
fn archive(workspace: &Workspace, version: &str, binary: &Path, into: &Path) -> Result<String> {
    let folder = into.join("content");
    std::fs::create_dir_all(&folder).doing("making a folder for the archive's content")?;
    let program = format!("{NAME}_v{version}");
    for (from, name) in [
        (binary, program.as_str()),
        (&workspace.root().join("LICENSE"), "LICENSE"),
    ] {
        let to = folder.join(name);
        std::fs::copy(from, &to).doing(format!("copying {}", from.display()))?;
        let file = std::fs::File::options()
            .append(true)
            .open(&to)
            .doing("opening a copy")?;
        file.set_modified(SystemTime::UNIX_EPOCH + TIME)
            .doing("setting a copy's time")?;
    }
    let archive = format!("{NAME}_{version}_{}.zip", platform());
    Call::new("python3")
        .args(["-m", "zipfile", "-c"])
        .arg(std::path::absolute(into.join(&archive)).doing("finding the archive's place")?)
        .args([program.as_str(), "LICENSE"])
        .env("TZ", "UTC")
        .within(&folder)
        .run()?;
    std::fs::remove_dir_all(&folder).doing("removing the archive's content")?;
    Ok(archive)
}

/// The checksums of everything of this version: archives of other platforms may have been put beside it.
fn sums(version: &str, into: &Path) -> Result {
    let prefix = format!("{NAME}_{version}_");
    let entries = std::fs::read_dir(into).doing("listing the release")?;
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let is_part = |name: &String| {
        let rest = name.strip_prefix(&prefix);
        rest.is_some_and(|rest| rest == "manifest.json" || rest.ends_with(".zip"))
    };
    let mut names: Vec<_> = names.filter(is_part).collect();
    names.sort();
    let sums = Call::new("sha256sum").args(names).within(into).text()?;
    std::fs::write(into.join(format!("{prefix}SHA256SUMS")), sums).doing("writing the checksums")
}

/// The machine's, in Go's words.
fn platform() -> String {
    let system = match std::env::consts::OS {
        "macos" => "darwin",
        other => other,
    };
    let machine = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "x86" => "386",
        other => other,
    };
    format!("{system}_{machine}")
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn a_version_is_three_numbers() {
        for right in ["0.1.0", "10.20.30", "0.1.0-rc.1"] {
            assert!(check(right).is_ok(), "{right}");
        }
        for wrong in [
            "",
            "1",
            "1.2",
            "v1.2.3",
            "1.2.x",
            "1.2.3-",
            "1.2.3-a/b",
            "1..3",
        ] {
            assert!(check(wrong).is_err(), "{wrong}");
        }
    }
}
