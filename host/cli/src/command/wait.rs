//! `whimbrel wait`: until a migration, or all that a revision defines, is applied. For init containers.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use whimbrel_core::checksum::Checksum;
use whimbrel_core::name::{MigrationName, TargetName};
use whimbrel_project::{Location, OpenOptions, OpenProject, ProjectError};

use crate::arguments::{Global, Wait};
use crate::error::CliError;
use crate::exit::Exit;
use crate::opened::Opened;
use crate::output::Output;

/// How often to look at first, and the longest pause between two looks: a hundred waiting containers must not become a
/// load of their own.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// What must be applied; a checksum where the content counts as well.
type Wanted = BTreeMap<MigrationName, Option<Checksum>>;

pub(crate) async fn run(
    arguments: &Wait,
    global: &Global,
    output: &Output,
) -> Result<Exit, CliError> {
    let opened = Opened::open(global, output).await?;
    let wanted = wanted(&opened, arguments)?;
    let begun = Instant::now();
    let mut pause = FIRST_PAUSE;
    let mut told = String::new();
    loop {
        let missing = match look(&opened, &wanted).await {
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

/// By database, what must be applied.
fn wanted(
    opened: &Opened,
    arguments: &Wait,
) -> Result<BTreeMap<whimbrel_core::name::DatabaseName, Wanted>, CliError> {
    let mut all = BTreeMap::new();
    if let Some(revision) = &arguments.revision {
        let location = Location {
            folder: opened.project.folder().to_path_buf(),
            reference: Some(revision.clone()),
        };
        let then = OpenProject::open(&location, &OpenOptions::default())?;
        for database in opened.environment().databases.keys() {
            let of = then.desired(database);
            let of = of
                .iter()
                .map(|item| (item.migration.name.clone(), Some(item.checksum.clone())));
            all.insert(database.clone(), of.collect());
        }
    } else if let Some(name) = &arguments.migration {
        let mut migrations = opened.project.definitions().migrations.iter();
        let Some(migration) = migrations.find(|migration| &migration.name == name) else {
            return Err(CliError::usage(format!("no migration is called `{name}`")));
        };
        all.insert(
            migration.database.clone(),
            Wanted::from([(name.clone(), None)]),
        );
    }
    Ok(all)
}

/// What is still missing somewhere; none when nothing is.
async fn look(
    opened: &Opened,
    wanted: &BTreeMap<whimbrel_core::name::DatabaseName, Wanted>,
) -> Result<Option<String>, ProjectError> {
    for target in opened.names() {
        let Some(wanted) = wanted.get(&target.database) else {
            continue;
        };
        if let Some(missing) = missing(opened, &target, wanted).await? {
            return Ok(Some(missing));
        }
    }
    Ok(None)
}

async fn missing(
    opened: &Opened,
    target: &TargetName,
    wanted: &Wanted,
) -> Result<Option<String>, ProjectError> {
    let history = opened.history(target).await?;
    let is_there = |name: &MigrationName, checksum: &Option<Checksum>| {
        history.record(name).is_some_and(|record| {
            record.state.is_complete()
                && checksum
                    .as_ref()
                    .is_none_or(|wanted| *wanted == record.checksum)
        })
    };
    let first = wanted
        .iter()
        .find(|(name, checksum)| !is_there(name, checksum));
    Ok(first.map(|(name, _)| format!("{name} is not applied on {target}")))
}
