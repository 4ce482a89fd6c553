//! `whimbrel wait`: until a migration, or all that a revision defines, is applied. For init containers.

use std::time::{Duration, Instant};

use whimbrel_engine::{Meanwhile, Opened, Wanted};
use whimbrel_server::client::{AskError, Awaited, Place, ask};

use crate::arguments::{Global, Wait};
use crate::engine::open;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::Output;

/// How often to look at first, and the longest pause between two looks: a hundred waiting containers must not become a
/// load of their own.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Who is asked.
enum Asked<'a> {
    Databases(Box<(Opened, Wanted)>),
    Server {
        place: &'a Place,
        environment: &'a str,
        awaited: Awaited<'a>,
    },
}

pub(crate) async fn run(
    arguments: &Wait,
    global: &Global,
    output: &Output,
) -> Result<Exit, CliError> {
    output.words_only()?;
    let asked = asked(arguments, global, output).await?;
    let begun = Instant::now();
    let mut pause = FIRST_PAUSE;
    let mut told = String::new();
    loop {
        let Some(missing) = asked.missing().await? else {
            return Ok(Exit::Success);
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

async fn asked<'a>(
    arguments: &'a Wait,
    global: &'a Global,
    output: &Output,
) -> Result<Asked<'a>, CliError> {
    let awaited = match (&arguments.revision, &arguments.migration) {
        (Some(revision), _) => Awaited::Revision(revision),
        (None, Some(name)) => Awaited::Migration(name),
        // The arguments ask for one of both.
        (None, None) => return Err(CliError::usage("say what to wait for")),
    };
    if let Some(place) = &arguments.server {
        let environment = global.environment.as_deref().ok_or_else(|| {
            CliError::usage("say which environment is meant")
                .hint("`--environment NAME`, or WHIMBREL_ENVIRONMENT")
        })?;
        return Ok(Asked::Server {
            place,
            environment,
            awaited,
        });
    }
    let opened = open(global, output, Meanwhile::Nothing).await?;
    let wanted = match awaited {
        Awaited::Migration(text) => Wanted::migration(&opened, text)?,
        Awaited::Revision(text) => Wanted::revision(&opened, text)?,
    };
    Ok(Asked::Databases(Box::new((opened, wanted))))
}

impl Asked<'_> {
    /// What is still missing, in words; none when nothing is.
    async fn missing(&self) -> Result<Option<String>, CliError> {
        match self {
            Self::Databases(both) => {
                let (opened, wanted) = both.as_ref();
                match wanted.missing(opened).await {
                    Ok(missing) => Ok(missing),
                    Err(error) if error.is_temporary() => Ok(Some(error.to_string())),
                    Err(error) => Err(error.into()),
                }
            }
            Self::Server {
                place,
                environment,
                awaited,
            } => match ask(place, environment, *awaited).await {
                Ok(missing) => Ok(missing),
                Err(error @ AskError::Unreachable(_)) => Ok(Some(error.to_string())),
                Err(error @ AskError::Refused(_)) => Err(CliError::new(Exit::Failed, error)),
            },
        }
    }
}
