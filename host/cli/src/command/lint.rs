//! `whimbrel lint`: everything that needs no database.

use whimbrel_core::finding::Severity;
use whimbrel_engine::plugins;
use whimbrel_project::LintOptions;
use whimbrel_report::findings;

use crate::arguments::{Format, Global, Lint};
use crate::engine::{context, project};
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::Output;

pub(crate) async fn run(
    arguments: &Lint,
    global: &Global,
    output: &Output,
) -> Result<Exit, CliError> {
    let format = output.format(&[Format::Text, Format::Json, Format::Junit, Format::Sarif])?;
    let project = project(global, output)?;
    let mut options = LintOptions {
        base: arguments.base.clone(),
        ..LintOptions::default()
    };
    if let Some(name) = &global.environment {
        options
            .environments
            .push(project.environment(name)?.name.clone());
    }
    let found =
        whimbrel_project::lint(&project, plugins(&project, &context(output))?, &options).await?;
    let names: Vec<String> = project
        .definitions()
        .migrations
        .iter()
        .map(|migration| migration.name.to_string())
        .collect();
    let render = |format| match format {
        Format::Json => findings::json(&found),
        Format::Junit => findings::junit("whimbrel lint", &names, &found),
        Format::Sarif => findings::sarif(env!("CARGO_PKG_VERSION"), &found),
        Format::Text | Format::Markdown => findings::text(&found, names.len(), output.notes()),
    };
    match format {
        Format::Text => output.answer(&render(format)),
        _ => output.data(&render(format)),
    }
    output.reports(render)?;
    Ok(match findings::number(&found, Severity::Error) {
        0 => Exit::Success,
        _ => Exit::Findings,
    })
}
