//! A real Git host, compiled once from its Go module into the cache: `bin/gitea` of the tools' folder, and beside the program
//! itself the files that it reads when it runs. Whoever has one already says where with `GITEA`.

use crate::failure::{Doing, Result};
use crate::go::{self, Program};
use crate::workspace::Workspace;

const MODULES: &str = "gitea";
const MODULE: &str = "code.gitea.io/gitea";

/// Makes sure that it is there. Compiling it takes a few minutes on two cores.
pub fn present(workspace: &Workspace) -> Result {
    let folder = workspace.tools().join("gitea");
    let program = Program {
        variable: "GITEA",
        modules: MODULES,
        name: "gitea",
        package: MODULE,
        tags: "sqlite sqlite_unlock_notify",
        has_c: true,
    };
    if go::present(workspace, &folder, &program, |_| "-s -w".to_owned())?.is_none() {
        return Ok(());
    }
    let place = folder.join("gitea-static");
    // The cache of Go's modules may be swept; then it is fetched again.
    if !place.join("templates").is_dir() {
        let _ = std::fs::remove_file(&place);
        let files = go::files(workspace, MODULES, MODULE)?;
        std::os::unix::fs::symlink(files, &place).doing("linking Gitea's files")?;
    }
    Ok(())
}
