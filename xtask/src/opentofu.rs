//! What drives a Terraform provider, compiled once from its Go module into the cache: `bin/tofu` of the tools' folder. Whoever
//! has one already says where with `TOFU`.
//!
//! Terraform itself is no module that can be compiled. Tests take the machine's where it has one, and OpenTofu beside it once
//! `cargo xtask tools opentofu` was said: it takes ten minutes of processor time, which a machine that has Terraform needn't spend.

use crate::failure::Result;
use crate::go::{self, Program};
use crate::requirement;
use crate::workspace::Workspace;

/// Makes sure that something drives the provider.
pub fn present_without_terraform(workspace: &Workspace) -> Result {
    let terraform = requirement::program("terraform").is_some();
    if terraform || std::env::var_os("TERRAFORM_BIN").is_some() {
        return Ok(());
    }
    present(workspace)
}

/// Makes sure that it is there.
pub fn present(workspace: &Workspace) -> Result {
    let program = Program {
        variable: "TOFU",
        modules: "opentofu",
        name: "tofu",
        package: "github.com/opentofu/opentofu/cmd/tofu",
        tags: "",
        has_c: false,
    };
    let folder = workspace.tools().join("opentofu");
    go::present(workspace, &folder, &program, |_| "-s -w".to_owned()).map(drop)
}
