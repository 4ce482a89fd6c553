//! `whimbrel unlock`: clears what a dead holder left, or ends a living one.

use whimbrel_database::lock::Terminated;
use whimbrel_engine::Meanwhile;
use whimbrel_run::{Stop, administration};

use crate::arguments::{Global, Unlock};
use crate::each::each;
use crate::engine::open;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::Output;

pub(crate) async fn run(
    global: &Global,
    arguments: &Unlock,
    output: &Output,
) -> Result<Exit, CliError> {
    output.words_only()?;
    let opened = open(global, output, Meanwhile::Nothing).await?;
    let access = opened.access(Stop::default());
    each(&opened, output, async |target| {
        Ok(match &arguments.reason {
            Some(reason) if arguments.terminate => {
                match administration::terminate(&access, target, reason).await? {
                    Terminated::Free(unlocked) => free(unlocked.previous),
                    Terminated::Ended { holder } => format!("free; {holder} held it and was ended"),
                    Terminated::TakenOver { holder, now } => {
                        format!("{holder} held it and was ended; {now} has it now")
                    }
                }
            }
            _ => free(administration::unlock(&access, target).await?),
        })
    })
    .await
}

fn free(previous: Option<String>) -> String {
    match previous {
        Some(holder) => format!("free; {holder} died holding it and is gone"),
        None => "free; nobody holds it".to_owned(),
    }
}
