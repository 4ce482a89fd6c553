//! `whimbrel crds`: the definitions of the operator's objects, for `kubectl apply --server-side -f -`.

use crate::error::CliError;
use crate::exit::Exit;
use crate::output::Output;

pub(crate) fn run(output: &Output) -> Result<Exit, CliError> {
    // JSON is YAML, one document after the other.
    for definition in whimbrel_operator::crds() {
        output.answer(&format!("---\n{definition:#}\n"));
    }
    Ok(Exit::Success)
}
