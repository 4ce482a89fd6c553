//! `whimbrel history`: what happened, newest first.

use whimbrel_database::history::read_events;
use whimbrel_report::{HistoryView, TargetEvents};

use crate::arguments::{Format, Global, History};
use crate::error::CliError;
use crate::exit::Exit;
use crate::opened::{Opened, unreadable};
use crate::output::Output;

pub(crate) async fn run(
    arguments: &History,
    global: &Global,
    output: &Output,
) -> Result<Exit, CliError> {
    let format = output.format(&[Format::Text, Format::Json])?;
    let opened = Opened::open(global, output).await?;
    let mut view = HistoryView {
        environment: opened.environment().name.clone(),
        targets: Vec::new(),
    };
    for target in opened.names() {
        let mut session = opened.read_only(&target).await?;
        let events = read_events(session.as_mut(), arguments.limit).await;
        let events = events.map_err(|source| unreadable(&target, source))?;
        view.targets.push(TargetEvents { target, events });
    }
    output.data(&match format {
        Format::Json => view.json(),
        _ => view.text(),
    });
    Ok(Exit::Success)
}
