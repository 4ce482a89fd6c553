//! `whimbrel history`: what happened, newest first.

use whimbrel_engine::{Meanwhile, history};

use crate::arguments::{Format, Global, History};
use crate::engine::open;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::Output;

pub(crate) async fn run(
    arguments: &History,
    global: &Global,
    output: &Output,
) -> Result<Exit, CliError> {
    output.format(&[Format::Text, Format::Json])?;
    let opened = open(global, output, Meanwhile::Nothing).await?;
    let view = history(&opened, arguments.limit).await?;
    output.show(|format| match format {
        Format::Json => view.json(),
        _ => view.text(),
    })?;
    Ok(Exit::Success)
}
