//! `whimbrel unlock`: clears what a dead holder left.

use whimbrel_run::{Stop, administration};

use crate::arguments::Global;
use crate::error::CliError;
use crate::exit::Exit;
use crate::opened::Opened;
use crate::output::Output;

pub(crate) async fn run(global: &Global, output: &Output) -> Result<Exit, CliError> {
    let opened = Opened::open(global, output).await?;
    let access = opened.access(Stop::default());
    for target in opened.names() {
        let previous = administration::unlock(&access, &target).await?;
        output.answer(&match previous {
            Some(holder) => format!("{target}: free; {holder} held it last and is gone\n"),
            None => format!("{target}: free; nobody held it\n"),
        });
    }
    Ok(Exit::Success)
}
