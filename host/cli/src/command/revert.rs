//! `whimbrel revert`: the stored down of what is applied, newest first.

use whimbrel_core::name::EnvironmentName;
use whimbrel_core::plan::Plan;
use whimbrel_engine::{Meanwhile, absent_at, named, prepare_revert};
use whimbrel_report::OutcomeView;

use crate::arguments::{Format, Global, Revert};
use crate::command::plan::show_and_judge;
use crate::engine::{open_to_run, passing};
use crate::error::CliError;
use crate::exit::Exit;
use crate::metrics::{Deed, Measured};
use crate::output::Output;
use crate::run::{RUN_FORMATS, run as run_plan};

pub(crate) async fn run(
    arguments: &Revert,
    global: &Global,
    output: &Output,
) -> Result<Exit, CliError> {
    let mut measured = Measured::begin(&arguments.metrics, global, output);
    let result = revert(arguments, global, output, &mut measured).await;
    measured.end(&result, Deed::Part).await;
    result
}

async fn revert(
    arguments: &Revert,
    global: &Global,
    output: &Output,
    measured: &mut Measured<'_>,
) -> Result<Exit, CliError> {
    let opened = open_to_run(global, output, Meanwhile::Nothing).await?;
    measured.about(
        opened.environment().name.as_str(),
        opened.targets.resolver(),
    );
    let names = match &arguments.to {
        Some(revision) => absent_at(&opened, revision).await?,
        None => named(&opened, &arguments.names).await?,
    };
    if names.is_empty() {
        return nothing(opened.environment().name.clone(), output);
    }
    let passing = passing(&arguments.passing)?;
    let prepared = prepare_revert(&opened, names, passing).await?;
    if arguments.dry_run {
        show_and_judge(&opened, prepared, output).await?;
        return Ok(Exit::Success);
    }
    run_plan(&opened, prepared, arguments.plan.as_ref(), output).await
}

/// Says that nothing is applied that a revision lacks, in the formats of a run.
fn nothing(environment: EnvironmentName, output: &Output) -> Result<Exit, CliError> {
    let format = output.format(&RUN_FORMATS)?;
    let plan = Plan {
        environment: environment.clone(),
        revision: None,
        targets: Vec::new(),
    };
    let view = OutcomeView {
        environment,
        run: None,
        plan: plan.digest(),
        targets: Vec::new(),
        milliseconds: 0,
    };
    let render = |format| match format {
        Format::Json => view.json(),
        Format::Junit => view.junit(),
        _ => "nothing to revert\n".to_owned(),
    };
    match format {
        Format::Text => output.answer(&render(format)),
        _ => output.data(&render(format)),
    }
    output.reports(render)?;
    Ok(Exit::Success)
}
