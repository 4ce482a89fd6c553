//! `whimbrel baseline`: records migrations as applied without running them.

use whimbrel_core::plan::DesiredMigration;
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
    let through = match &arguments.through {
        Some(text) => Some(&opened.defined(text)?.name),
        None => None,
    };
    let access = opened.access(Stop::default());
    each(&opened, output, async |target| {
        let desired = opened.project.desired(&target.database);
        // Names order the migrations of all databases, so `--through` cuts each of them at the same place.
        let chosen: Vec<DesiredMigration> = desired
            .iter()
            .filter(|item| through.is_none_or(|through| &item.migration.name <= through))
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
