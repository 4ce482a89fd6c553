//! `whimbrel plan`: what would run, and what the gates would say.

use whimbrel_core::plan::{Goal, Plan};
use whimbrel_engine::{Meanwhile, Opened, Prepared, estimates};
use whimbrel_report::{PlanView, findings};

use crate::arguments::{Format, Global, PlanArguments};
use crate::engine::{open, passing};
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::Output;

pub(crate) async fn run(
    arguments: &PlanArguments,
    global: &Global,
    output: &Output,
) -> Result<Exit, CliError> {
    let opened = open(global, output, Meanwhile::Read).await?;
    let passing = passing(&arguments.passing)?;
    let mut prepared = Prepared::new(&opened, Goal::Apply, passing).await?;
    show(&opened, &prepared, output).await?;
    prepared.require_all()?;
    let detailed = arguments.detailed.detailed_exitcode;
    Ok(if detailed && is_pending(prepared.plan()) {
        Exit::Pending
    } else {
        Exit::Success
    })
}

/// Whether there is anything to do, or something in the way of it.
fn is_pending(plan: &Plan) -> bool {
    !plan.is_empty() || plan.blockers().next().is_some()
}

/// Shows a plan in the format that was asked for.
pub(crate) async fn show(
    opened: &Opened,
    prepared: &Prepared,
    output: &Output,
) -> Result<(), CliError> {
    let format = output.format(&[
        Format::Text,
        Format::Json,
        Format::Markdown,
        Format::Junit,
        Format::Sarif,
    ])?;
    let estimates = match format {
        Format::Junit | Format::Sarif if !output.has_reports() => Vec::new(),
        _ => estimates(opened, prepared).await,
    };
    let refusals = prepared.refusals();
    let view = PlanView {
        plan: prepared.plan(),
        refusals: &refusals,
        estimates: &estimates,
        notes: output.notes(),
    };
    let is_whole = prepared.survey.failures.is_empty();
    let render = |format| match format {
        Format::Text if !is_whole => view.text_of_some(),
        Format::Text => view.text(),
        Format::Json => view.json(),
        Format::Markdown => view.markdown(),
        Format::Sarif => findings::sarif(env!("CARGO_PKG_VERSION"), &view.verdict()),
        Format::Junit => {
            let changes = prepared.plan().changes();
            let names: Vec<String> = changes
                .filter_map(|(_, work)| work.change())
                .map(|change| change.migration.to_string())
                .collect();
            findings::junit("whimbrel plan", &names, &view.verdict())
        }
    };
    Ok(output.show(render)?)
}
