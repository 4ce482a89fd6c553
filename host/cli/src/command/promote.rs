//! `whimbrel promote`: what one environment may take over from another.

use std::collections::BTreeSet;

use whimbrel_core::plan::{Goal, TargetPlan};
use whimbrel_core::promotion::{Candidate, unpromoted};
use whimbrel_engine::{Meanwhile, Passing, Prepared};
use whimbrel_report::{Promotable, PromotionView};

use crate::arguments::{Format, Global, Promote};
use crate::engine::open;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::Output;

pub(crate) async fn run(
    arguments: &Promote,
    global: &Global,
    output: &Output,
) -> Result<Exit, CliError> {
    output.format(&[Format::Text, Format::Json])?;
    let global = Global {
        environment: Some(arguments.to.to_string()),
        ..global.clone()
    };
    let opened = open(&global, output, Meanwhile::Nothing).await?;
    let from = opened.project.environment(arguments.from.as_str())?;
    let to = opened.environment();
    if to.after.as_ref() != Some(&arguments.from) {
        let after = to.after.as_ref().map_or_else(
            || format!("`{}` comes after no other environment", to.name),
            |after| format!("`{}` comes after `{after}`", to.name),
        );
        return Err(CliError::usage(after).hint("`after:` in the environment's document says so"));
    }
    if opened.project.repository().is_none() {
        let error =
            CliError::failed("promotion records are kept in a Git repository, and there is none");
        return Err(error.hint("`git init`, commit, and apply again"));
    }
    let published = opened.project.promotions(&arguments.from)?;
    let records = &published.records;
    let mut prepared = Prepared::new(&opened, Goal::Apply, Passing::default()).await?;
    prepared.require_all()?;
    let mut view = PromotionView {
        from: from.name.clone(),
        to: to.name.clone(),
        signer: published.signer,
        distrusted: published.distrusted.map(|distrust| distrust.problem),
        migrations: Vec::new(),
        parameters: differences(&from.written_parameters(), &to.written_parameters()),
    };
    let mut seen = BTreeSet::new();
    let changes = prepared.plan().targets.iter().flat_map(TargetPlan::applies);
    for change in changes.filter(|change| seen.insert(&change.migration)) {
        let missing = unpromoted(
            Candidate {
                migration: &change.migration,
                checksum: &change.checksum,
                plugins: &change.prepared.plugins,
            },
            records,
        );
        let record = records
            .iter()
            .find(|record| record.migration == change.migration);
        view.migrations.push(Promotable {
            migration: change.migration.clone(),
            checksum: change.checksum.clone(),
            missing: missing.map(|reason| reason.to_string()),
            applied_at: record.map(|record| record.applied_at.clone()),
        });
    }
    output.show(|format| match format {
        Format::Json => view.json(),
        _ => view.text(),
    })?;
    Ok(if view.is_complete() {
        Exit::Success
    } else {
        Exit::Refused
    })
}

type Parameters = std::collections::BTreeMap<String, String>;

fn differences(
    from: &Parameters,
    to: &Parameters,
) -> Vec<(String, Option<String>, Option<String>)> {
    let names: BTreeSet<&String> = from.keys().chain(to.keys()).collect();
    names
        .into_iter()
        .map(|name| (name.clone(), from.get(name).cloned(), to.get(name).cloned()))
        .filter(|(_, before, after)| before != after)
        .collect()
}
