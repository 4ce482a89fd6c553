//! What a registry of Terraform gets of the product: pages, and packages to install.

mod pages;
mod release;
mod schema;

use crate::failure::{Failure, Result};
use crate::workspace::Workspace;

const HELP: &str = "\
cargo xtask provider pages
cargo xtask provider release VERSION [--binary FILE] [--into FOLDER]";

/// Does what the arguments of `cargo xtask provider` say.
pub fn run(workspace: &Workspace, arguments: &[String]) -> Result {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["pages"] => pages::write(workspace.root()),
        ["release", version, options @ ..] => release::pack(workspace, version, options),
        _ => Err(Failure::new(format!("expected one of\n\n{HELP}"))),
    }
}
