//! `whimbrel baseline`: records migrations as applied without running them.

use whimbrel_core::plan::DesiredMigration;
use whimbrel_core::suggestion::nearest;
use whimbrel_engine::Meanwhile;
use whimbrel_run::{Stop, administration};

use crate::arguments::{Baseline, Global};
use crate::each::each;
use crate::engine::open;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::Output;

pub(crate) async fn run(
    arguments: &Baseline,
    global: &Global,
    output: &Output,
) -> Result<Exit, CliError> {
    output.words_only()?;
    let opened = open(global, output, Meanwhile::Nothing).await?;
    let migrations = &opened.project.definitions().migrations;
    if let Some(through) = &arguments.through
        && !migrations
            .iter()
            .any(|migration| &migration.name == through)
    {
        let names = migrations.iter().map(|migration| migration.name.as_str());
        let error = CliError::usage(format!("no migration is called `{through}`"));
        return Err(match nearest(through.as_str(), names) {
            Some(name) => error.hint(format!("did you mean `{name}`?")),
            None => error,
        });
    }
    let access = opened.access(Stop::default());
    each(&opened, output, async |target| {
        let desired = opened.project.desired(&target.database);
        // Names order the migrations of all databases, so `--through` cuts each of them at the same place.
        let chosen: Vec<DesiredMigration> = desired
            .iter()
            .filter(|item| {
                arguments
                    .through
                    .as_ref()
                    .is_none_or(|through| &item.migration.name <= through)
            })
            .cloned()
            .collect();
        let recorded = administration::baseline(&access, target, &chosen).await?;
        Ok(match recorded.last() {
            None => "everything is recorded already".to_owned(),
            Some(last) => format!("recorded {} up to {last}", recorded.len()),
        })
    })
    .await
}
