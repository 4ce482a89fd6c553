//! `whimbrel completions`: scripts for shells.

use clap::CommandFactory as _;

use crate::arguments::{Arguments, Completions};
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::Output;

pub(crate) fn run(arguments: &Completions, output: &Output) -> Result<Exit, CliError> {
    let mut script = Vec::new();
    let mut command = Arguments::command();
    clap_complete::generate(arguments.shell, &mut command, "whimbrel", &mut script);
    output.data(&String::from_utf8_lossy(&script));
    Ok(Exit::Success)
}
