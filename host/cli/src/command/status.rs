//! `whimbrel status`: where every migration stands. Quick with a thousand of them: one read per target, no plugin.

use whimbrel_engine::{Meanwhile, Status, status};
use whimbrel_report::{MigrationStanding, StatusView};

use crate::arguments::{Format, Global, Status as Arguments};
use crate::engine::open;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::Output;

pub(crate) async fn run(
    arguments: &Arguments,
    global: &Global,
    output: &Output,
) -> Result<Exit, CliError> {
    output.format(&[Format::Text, Format::Json])?;
    let opened = open(global, output, Meanwhile::Read).await?;
    let Status { view, mut failures } = status(&opened).await?;
    output.show(|format| match format {
        Format::Json => view.json(),
        _ => view.text(),
    })?;
    let exit = match failures.pop() {
        Some(last) => CliError::from(last).exit(),
        None => Exit::Success,
    };
    let exit = match exit {
        Exit::Success if arguments.detailed.detailed_exitcode && is_pending(&view) => Exit::Pending,
        other => other,
    };
    opened.leave();
    Ok(exit)
}

fn is_pending(view: &StatusView) -> bool {
    let settled = [MigrationStanding::Applied, MigrationStanding::Baselined];
    view.targets
        .iter()
        .flat_map(|target| &target.migrations)
        .any(|line| line.absent || !settled.contains(&line.state))
}
