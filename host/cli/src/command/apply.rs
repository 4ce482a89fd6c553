//! `whimbrel apply`: plan, then run.

use whimbrel_core::plan::Goal;
use whimbrel_engine::{Meanwhile, Prepared};

use crate::arguments::{Apply, Global};
use crate::engine::{open_to_run, passing};
use crate::error::CliError;
use crate::exit::Exit;
use crate::metrics::{Deed, Measured};
use crate::output::Output;
use crate::run::{RUN_FORMATS, run as run_plan};

pub(crate) async fn run(
    arguments: &Apply,
    global: &Global,
    output: &Output,
) -> Result<Exit, CliError> {
    output.format(&RUN_FORMATS)?;
    let mut measured = Measured::begin(&arguments.metrics, global, output);
    let result = apply(arguments, global, output, &mut measured).await;
    let deed = if global.databases.is_empty() {
        Deed::Whole
    } else {
        Deed::Part
    };
    measured.end(&result, deed).await;
    result
}

async fn apply(
    arguments: &Apply,
    global: &Global,
    output: &Output,
    measured: &mut Measured<'_>,
) -> Result<Exit, CliError> {
    let opened = open_to_run(global, output, Meanwhile::ReadToRun).await?;
    measured.about(
        opened.environment().name.as_str(),
        opened.targets.resolver(),
    );
    let passing = passing(&arguments.passing)?;
    let prepared = Prepared::new(&opened, Goal::Apply, passing).await?;
    let nothing = prepared.plan().is_empty();
    let exit = run_plan(&opened, prepared, arguments.plan.as_ref(), output).await?;
    opened.leave();
    Ok(match exit {
        // Changes were pending, and now they are made.
        Exit::Success if arguments.detailed.detailed_exitcode && !nothing => Exit::Pending,
        other => other,
    })
}
