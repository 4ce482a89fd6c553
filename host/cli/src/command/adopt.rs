//! `whimbrel adopt`: makes databases this environment's own.

use whimbrel_engine::Meanwhile;
use whimbrel_run::{Stop, administration};

use crate::arguments::{Adopt, Global};
use crate::each::each;
use crate::engine::open;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::Output;

pub(crate) async fn run(
    arguments: &Adopt,
    global: &Global,
    output: &Output,
) -> Result<Exit, CliError> {
    output.words_only()?;
    let opened = open(global, output, Meanwhile::Nothing).await?;
    let access = opened.access(Stop::default());
    each(&opened, output, async |target| {
        let before = administration::adopt(&access, target, &arguments.reason).await?;
        let now = &access.owner;
        Ok(match before {
            Some(before) if before == *now => "belongs to this environment already".to_owned(),
            Some(before) => format!(
                "taken over from environment `{}` of project `{}`",
                before.environment, before.project
            ),
            None => "belongs to this environment now".to_owned(),
        })
    })
    .await
}
