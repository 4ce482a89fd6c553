//! A run as the command line shows it: what `apply` and `revert` share.

use whimbrel_core::digest::DigestPrefix;
use whimbrel_engine::{Ending, Opened, Outcome, Prepared, ending, ending_before, publish};
use whimbrel_report::{OutcomeView, TargetOutcome};
use whimbrel_run::Stop;

use crate::arguments::Format;
use crate::error::{CliError, of_run};
use crate::exit::Exit;
use crate::interrupt::Interrupt;
use crate::output::Output;

/// How the outcome of a run can be shown.
pub(crate) const RUN_FORMATS: [Format; 3] = [Format::Text, Format::Json, Format::Junit];

/// Runs a plan that was prepared, reports it, and publishes what the next environment may take over.
pub(crate) async fn run(
    opened: &Opened,
    prepared: Prepared,
    named: Option<&DigestPrefix>,
    output: &Output,
) -> Result<Exit, CliError> {
    run_for(opened, prepared, named, output, |exit, _| exit).await
}

/// The same for somebody to whom an exit code says something else: by what the run's end means for the next try.
pub(crate) async fn run_for(
    opened: &Opened,
    prepared: Prepared,
    named: Option<&DigestPrefix>,
    output: &Output,
    of: fn(Exit, Ending) -> Exit,
) -> Result<Exit, CliError> {
    let format = output.format(&RUN_FORMATS)?;
    let named = named.map(DigestPrefix::as_str);
    let admitted = match prepared.admit(opened, named).await {
        Ok(Some(admitted)) => admitted,
        Ok(None) => return Ok(Exit::Success),
        Err(error) => {
            let ending = ending_before(&error);
            let error = CliError::from(error);
            let exit = of(error.exit(), ending);
            return Err(error.kind(exit));
        }
    };
    let stop = Stop::default();
    let interrupt = Interrupt::listen(stop.clone(), output.clone());
    let outcome = admitted.run(opened, stop).await;
    let view = outcome.view(output.scrubber());
    let render = |format| match format {
        Format::Json => view.json(),
        Format::Junit => view.junit(),
        _ => view.text(),
    };
    match format {
        Format::Text => output.answer(&render(format)),
        _ => output.data(&render(format)),
    }
    // What was done is done, whoever may hear of it.
    if let Err(error) = output.reports(render) {
        output.complain(&format!("warning: {error}\n"));
    }
    if let Some(error) = output.lost() {
        output.complain(&format!("warning: {error}\n"));
    }
    if outcome.is_success() {
        publish(opened, outcome.unchanged()).await;
        return Ok(Exit::Success);
    }
    let ending = ending(&outcome);
    let exit = of(exit(outcome, interrupt.exit()), ending);
    Err(failure(&view, exit))
}

/// How a run that failed ends the program; `interrupted` says by which signal.
fn exit(outcome: Outcome, interrupted: Exit) -> Exit {
    let mut exits = Vec::new();
    let mut done = outcome.report.is_none() && outcome.unread.is_empty();
    for target in outcome.report.iter().flat_map(|report| &report.targets) {
        done |= target.error.is_none();
        let error = target.error.as_ref();
        exits.extend(error.map(|error| of_run(error, interrupted)));
    }
    let unread = outcome.unread.into_values();
    exits.extend(unread.map(|error| CliError::from(error).exit()));
    overall(&exits, done)
}

/// What failed: one database's error as the error, several as a list.
fn failure(outcome: &OutcomeView, exit: Exit) -> CliError {
    let failed: Vec<&TargetOutcome> = outcome
        .targets
        .iter()
        .filter(|target| target.error.is_some())
        .collect();
    if let ([target], false) = (failed.as_slice(), exit == Exit::Partly) {
        let mut message = format!(
            "{}: {}",
            target.target,
            target.error.as_deref().unwrap_or_default()
        );
        if let Some(committed) = &target.committed {
            message.push_str(&format!("\n  committed before that: {committed}"));
        }
        let error = CliError::failed(message).kind(exit);
        return match &target.hint {
            Some(hint) => error.hint(&**hint),
            None => error,
        };
    }
    let message = match exit {
        Exit::Interrupted | Exit::Terminated => "interrupted",
        Exit::Unknown => "the outcome is unknown",
        Exit::Partly => "some databases failed, others are done",
        _ => "all of these databases failed",
    };
    let failures = outcome.failures();
    CliError::failed(format!("{message}\n{}", failures.trim_end())).kind(exit)
}

/// One exit code for all targets: the one that a person must act on first.
pub(crate) fn overall(exits: &[Exit], done: bool) -> Exit {
    let Some(first) = exits.first() else {
        return Exit::Success;
    };
    for grave in [Exit::Unknown, Exit::Interrupted, Exit::Terminated] {
        if exits.contains(&grave) {
            return grave;
        }
    }
    if done {
        Exit::Partly
    } else if exits.iter().all(|exit| exit == first) {
        *first
    } else {
        Exit::Failed
    }
}

#[cfg(test)]
mod tests {
    use super::overall;
    use crate::exit::Exit;

    #[test]
    fn the_gravest_end_counts() {
        assert_eq!(overall(&[], true), Exit::Success);
        assert_eq!(overall(&[Exit::Locked], false), Exit::Locked);
        assert_eq!(overall(&[Exit::Locked, Exit::Failed], false), Exit::Failed);
        assert_eq!(overall(&[Exit::Locked], true), Exit::Partly);
        assert_eq!(overall(&[Exit::Failed, Exit::Unknown], true), Exit::Unknown);
        assert_eq!(overall(&[Exit::Interrupted], true), Exit::Interrupted);
    }
}
