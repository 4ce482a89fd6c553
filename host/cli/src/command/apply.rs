//! `whimbrel apply`: plan, then run.

use whimbrel_core::plan::Goal;

use crate::apply::{Prepared, RUN_FORMATS, run as run_plan};
use crate::arguments::{Apply, Global};
use crate::error::CliError;
use crate::exit::Exit;
use crate::opened::Opened;
use crate::output::Output;

pub(crate) async fn run(
    arguments: &Apply,
    global: &Global,
    output: &Output,
) -> Result<Exit, CliError> {
    output.format(&RUN_FORMATS)?;
    let opened = Opened::open_to_run(global, output).await?;
    let prepared = Prepared::new(&opened, Goal::Apply, Some(&arguments.passing)).await?;
    let nothing = prepared.plan().is_empty();
    let exit = run_plan(&opened, prepared, arguments.plan.as_deref()).await?;
    Ok(match exit {
        // Changes were pending, and now they are made.
        Exit::Success if arguments.detailed.detailed_exitcode && !nothing => Exit::Pending,
        other => other,
    })
}
