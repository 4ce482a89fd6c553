//! `whimbrel verify`: what was applied against the definitions, and checks run again.

use std::fmt::Write as _;

use serde_json::json;
use whimbrel_engine::{Difference, Meanwhile, Opened};
use whimbrel_report::{bad, good, hint, plural};
use whimbrel_run::Stop;
use whimbrel_run::administration::{self, Accepted};

use crate::arguments::{Format, Global, Verify};
use crate::engine::open;
use crate::error::CliError;
use crate::exit::Exit;
use crate::metrics::{Deed, Measured};
use crate::output::Output;

pub(crate) async fn run(
    arguments: &Verify,
    global: &Global,
    output: &Output,
) -> Result<Exit, CliError> {
    let format = output.format(&[Format::Text, Format::Json])?;
    let mut measured = Measured::begin(&arguments.metrics, global, output);
    let result = compare(arguments, global, output, format, &mut measured).await;
    measured.end(&result, Deed::Look).await;
    result
}

async fn compare(
    arguments: &Verify,
    global: &Global,
    output: &Output,
    format: Format,
    measured: &mut Measured<'_>,
) -> Result<Exit, CliError> {
    let opened = open(global, output, Meanwhile::Nothing).await?;
    let environment = opened.environment().name.as_str();
    measured.about(environment, opened.targets.resolver());
    if let Some(reason) = &arguments.reason {
        accept(&opened, &arguments.accept, reason).await?;
    }
    let mut differences = Vec::new();
    let mut verified = 0;
    for target in opened.names() {
        let compared = whimbrel_engine::compare(&opened, &target).await?;
        if let Some(metrics) = output.metrics() {
            metrics.drifted(environment, &target, compared.differences.len());
        }
        verified += compared.compared;
        differences.extend(compared.differences);
    }
    let render = |format| match format {
        Format::Json => as_json(&differences, verified),
        _ => as_text(&differences, verified),
    };
    match format {
        Format::Text => output.answer(&render(format)),
        _ => output.data(&render(format)),
    }
    output.reports(render)?;
    Ok(if differences.is_empty() {
        Exit::Success
    } else {
        Exit::Drift
    })
}

async fn accept(opened: &Opened, texts: &[String], reason: &str) -> Result<(), CliError> {
    let access = opened.access(Stop::default());
    // All of them are known before anything is recorded.
    let names: Result<Vec<_>, _> = texts.iter().map(|text| opened.defined(text)).collect();
    for migration in names? {
        let name = &migration.name;
        let mut targets = opened.names().into_iter();
        if !targets.any(|target| target.database == migration.database) {
            return Err(CliError::usage(format!(
                "`{name}` is a migration of `{}`, which `--database` leaves out",
                migration.database
            )));
        }
        for target in opened.names() {
            let desired = opened.project.desired(&target.database);
            let Some(item) = desired.iter().find(|item| &item.migration.name == name) else {
                continue;
            };
            let accepted = administration::accept(&access, &target, item, reason).await?;
            opened.context.notice(&match accepted {
                Accepted::Definition { from, to } => {
                    format!(
                        "{target}: {name} was {}, and is accepted as {}",
                        from.short(),
                        to.short()
                    )
                }
                Accepted::Finished => format!("{target}: {name} counts as applied"),
                Accepted::Nothing => format!("{target}: {name} is as it was applied"),
            });
        }
    }
    Ok(())
}

fn as_json(differences: &[Difference], verified: usize) -> String {
    let items: Vec<_> = differences
        .iter()
        .map(|item| {
            json!({
                "target": item.target.to_string(),
                "migration": item.migration,
                "kind": item.kind,
                "message": item.message,
            })
        })
        .collect();
    format!(
        "{:#}\n",
        json!({"verified": verified, "differences": items})
    )
}

fn as_text(differences: &[Difference], verified: usize) -> String {
    let mut out = String::new();
    // Writing to a string can't fail.
    for item in differences {
        let _ = writeln!(
            out,
            "{} {}: {}: {}",
            bad(item.kind),
            item.target,
            item.migration,
            item.message
        );
    }
    let verified = plural(verified, "migration");
    if differences.is_empty() {
        let _ = writeln!(out, "{verified} verified, {}", good("no differences"));
        return out;
    }
    let _ = writeln!(
        out,
        "{verified} verified, {}\n\n{} `whimbrel verify --accept NAME --reason TEXT` records a definition as it is now",
        plural(differences.len(), "difference"),
        hint("hint:")
    );
    out
}
