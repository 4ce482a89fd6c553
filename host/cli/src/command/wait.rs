//! `whimbrel wait`: until a migration, or all that a revision defines, is applied. For init containers.

use std::time::{Duration, Instant};

use whimbrel_engine::{Meanwhile, Opened, Wanted};

use crate::arguments::{Global, Wait};
use crate::engine::open;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::Output;

/// How often to look at first, and the longest pause between two looks: a hundred waiting containers must not become a
/// load of their own.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

pub(crate) async fn run(
    arguments: &Wait,
    global: &Global,
    output: &Output,
) -> Result<Exit, CliError> {
    let opened = open(global, output, Meanwhile::Nothing).await?;
    let wanted = wanted(&opened, arguments)?;
    let begun = Instant::now();
    let mut pause = FIRST_PAUSE;
    let mut told = String::new();
    loop {
        let missing = match wanted.missing(&opened).await {
            Ok(None) => return Ok(Exit::Success),
            Ok(Some(missing)) => missing,
            Err(error) if error.is_temporary() => error.to_string(),
            Err(error) => return Err(error.into()),
        };
        if missing != told {
            output.notice(&format!("waiting: {missing}"));
            told = missing;
        }
        let left = arguments.timeout.saturating_sub(begun.elapsed());
        if left.is_zero() {
            return Err(
                CliError::failed(format!("still waiting after the time-out: {told}"))
                    .kind(Exit::Retry),
            );
        }
        tokio::time::sleep(pause.min(left)).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

fn wanted(opened: &Opened, arguments: &Wait) -> Result<Wanted, CliError> {
    Ok(match (&arguments.revision, &arguments.migration) {
        (Some(revision), _) => Wanted::revision(opened, revision)?,
        (None, Some(name)) => Wanted::migration(opened, name)?,
        // The arguments ask for one of both.
        (None, None) => return Err(CliError::usage("say what to wait for")),
    })
}
