//! `whimbrel plan`: what would run, and what the gates would say.

use whimbrel_core::finding::{Finding, Severity};
use whimbrel_core::name::TargetName;
use whimbrel_core::plan::Goal;
use whimbrel_engine::{EngineError, Meanwhile, Opened, Prepared, estimates};
use whimbrel_project::ProjectError;
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
    let prepared = Prepared::new(&opened, Goal::Apply, passing).await?;
    let nothing = prepared.plan().is_empty();
    show_and_judge(&opened, prepared, output).await?;
    let detailed = arguments.detailed.detailed_exitcode;
    Ok(if detailed && !nothing {
        Exit::Pending
    } else {
        Exit::Success
    })
}

/// Shows a plan, and fails as running it would, unless all that it lacks is a yes, the time or the place.
pub(crate) async fn show_and_judge(
    opened: &Opened,
    mut prepared: Prepared,
    output: &Output,
) -> Result<(), CliError> {
    show(opened, &prepared, output).await?;
    prepared.require_all()?;
    prepared.require_sound(opened).await.map_err(judged)
}

/// In a line: what is in the plan's way was shown with the plan.
fn judged(error: EngineError) -> CliError {
    let said = match &error {
        EngineError::Blocked(_) => "the plan is blocked".to_owned(),
        EngineError::Refused(refusals) => {
            let gates: Vec<_> = refusals
                .iter()
                .map(|refusal| refusal.gate.as_str())
                .collect();
            format!("the plan would be refused: {}", gates.join(", "))
        }
        _ => return error.into(),
    };
    CliError::failed(said).kind(CliError::from(error).exit())
}

/// Shows a plan in the format that was asked for.
async fn show(opened: &Opened, prepared: &Prepared, output: &Output) -> Result<(), CliError> {
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
    let policy = &prepared.gates.policy;
    let is_whole = prepared.survey.failures.is_empty();
    let verdict = || {
        let mut all = view.verdict(policy);
        all.extend(prepared.survey.failures.iter().map(unread));
        all
    };
    let render = |format| match format {
        Format::Text if !is_whole => view.text_of_some(),
        Format::Text => view.text(),
        Format::Json => view.json(),
        Format::Markdown => view.markdown(),
        Format::Sarif => findings::sarif(env!("CARGO_PKG_VERSION"), &verdict()),
        Format::Junit => {
            let changes = prepared.plan().changes();
            let names: Vec<String> = changes
                .filter_map(|(_, work)| work.change())
                .map(|change| change.migration.to_string())
                .collect();
            findings::junit("whimbrel plan", &names, &verdict())
        }
    };
    Ok(output.show(render)?)
}

/// A target of which there is no plan, as a finding: for formats in which that would otherwise be missing.
fn unread((target, error): (&TargetName, &ProjectError)) -> Finding {
    Finding {
        help: error.hint(),
        target: Some(target.clone()),
        ..Finding::new("unread", Severity::Error, error.to_string())
    }
}
