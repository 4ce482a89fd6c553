//! What is done to one database after the other outside of a run: a failure is told by its database, and keeps nothing from the
//! others.

use std::fmt::Write as _;

use whimbrel_core::name::TargetName;
use whimbrel_engine::Opened;
use whimbrel_report::{hint, strong};
use whimbrel_run::RunError;

use crate::error::{CliError, of_run};
use crate::exit::Exit;
use crate::output::Output;
use crate::run::overall;

/// Does something to each database that was chosen, and says of each what came of it.
pub(crate) async fn each(
    opened: &Opened,
    output: &Output,
    deed: impl AsyncFn(&TargetName) -> Result<String, RunError>,
) -> Result<Exit, CliError> {
    let mut failures = Vec::new();
    let mut done = false;
    for target in opened.names() {
        match deed(&target).await {
            Ok(words) => {
                done = true;
                output.answer(&format!("{target}: {words}\n"));
            }
            Err(error) => failures.push((target, error)),
        }
    }
    let exits: Vec<_> = failures
        .iter()
        .map(|(_, error)| of_run(error, Exit::Interrupted))
        .collect();
    match failures.as_slice() {
        [] => Ok(Exit::Success),
        [(target, error)] => {
            let failed = CliError::failed(format!("{target}: {error}"));
            let failed = failed.kind(overall(&exits, done));
            Err(match error.hint() {
                Some(hint) => failed.hint(hint),
                None => failed,
            })
        }
        several => {
            let mut text = "several databases failed".to_owned();
            for (target, error) in several {
                // Writing to a string can't fail.
                let _ = write!(text, "\n  {}: {error}", strong(target));
                if let Some(words) = error.hint() {
                    let _ = write!(text, "\n    {} {words}", hint("hint:"));
                }
            }
            Err(CliError::failed(text).kind(overall(&exits, done)))
        }
    }
}
