//! A thousand applied migrations, and nothing to do: what every deployment pays.

use std::process::Command;
use std::time::Duration;

use super::{Stage, bare, note, ratio};
use crate::failure::{Doing, Result};
use crate::measure::{TURNS, in_turns, processor_time, timed};
use crate::project::{Project, Shape, table};
use crate::report::Report;

const MIGRATIONS: usize = 1000;
const COMMANDS: [&str; 2] = ["apply", "status"];
/// How often each side takes its turn at plain SQL: both take so little that seven vary by a third.
const PLAIN_TURNS: usize = 21;
const DIALECTS: [&str; 2] = ["postgres", "sqlite"];

/// Plain SQL on both databases, against the other tool's no-op on the same set.
pub fn plain(stage: &Stage, report: &mut Report) -> Result {
    for dialect in DIALECTS {
        let (project, theirs) = plain_set(stage, dialect)?;
        project.run("apply")?;
        theirs()?;
        if dialect == "postgres" {
            // What two thousand new tables leave to be written is no part of a no-op, and falls on whoever is measured first.
            stage.cluster.sql("postgres", "CHECKPOINT")?;
        }
        for command in COMMANDS {
            let (ours, theirs) = in_turns(|| project.run(command), &theirs, PLAIN_TURNS)?;
            report.at_most(
                &format!("no-op {command}, 1,000 plain SQL, {dialect}"),
                ratio(ours, theirs),
                "×",
                1.2,
                note(ours, theirs, "sqlx migrate run"),
            );
        }
    }
    Ok(())
}

/// A project with plain SQL, and the other tool's run over the same statements on a database of its own.
fn plain_set<'a>(
    stage: &'a Stage,
    dialect: &str,
) -> Result<(Project, impl Fn() -> Result<Duration> + use<'a>)> {
    let (our_url, their_url) = if dialect == "postgres" {
        stage.cluster.create("noop_plain")?;
        stage.cluster.create("noop_sqlx")?;
        let host = stage
            .cluster
            .path()
            .display()
            .to_string()
            .replace('/', "%2F");
        (
            stage.cluster.url("noop_plain"),
            format!("postgres://postgres@{host}/noop_sqlx"),
        )
    } else {
        (
            "sqlite:db.sqlite".to_owned(),
            "sqlite:theirs.sqlite?mode=rwc".to_owned(),
        )
    };
    let project = Project::new(&stage.whimbrel, &[("db".to_owned(), our_url)], "")?;
    for number in 1..=MIGRATIONS {
        project.table(number, "db", Shape::Plain)?;
        project.write(
            &format!("theirs/{number:05}_t{number}.sql"),
            &format!("{};\n", table(number)),
        )?;
    }
    let folder = project.path().to_owned();
    let theirs = move || {
        timed(
            Command::new(&stage.sqlx)
                .args([
                    "migrate",
                    "run",
                    "--source",
                    "theirs",
                    "--database-url",
                    &their_url,
                ])
                .current_dir(&folder),
        )
    };
    Ok((project, theirs))
}

/// Documents on both databases, by their own processor time, and beyond a bare client process.
pub fn yaml(stage: &Stage, report: &mut Report) -> Result {
    for dialect in DIALECTS {
        let (project, bare) = yaml_set(stage, dialect)?;
        project.run("apply")?;
        for command in COMMANDS {
            let processor = processor_time(|| project.run(command))?;
            report.at_most(
                &format!("no-op {command}, 1,000 YAML, {dialect}, own processor time"),
                processor.as_secs_f64() * 1e3,
                "ms",
                60.0,
                "mean of 20 runs".to_owned(),
            );
            let (ours, theirs) = in_turns(|| project.run(command), &bare, TURNS)?;
            report.at_most(
                &format!("no-op {command}, 1,000 YAML, {dialect}, beyond a bare client"),
                ours.saturating_sub(theirs).as_secs_f64() * 1e3,
                "ms",
                100.0,
                note(ours, theirs, "a process that reads 1,000 rows"),
            );
        }
    }
    Ok(())
}

/// A project with documents, and the bare client's run over its history.
fn yaml_set(stage: &Stage, dialect: &str) -> Result<(Project, impl Fn() -> Result<Duration>)> {
    let url = if dialect == "postgres" {
        stage.cluster.create("noop_yaml")?;
        stage.cluster.url("noop_yaml")
    } else {
        "sqlite:db.sqlite".to_owned()
    };
    let project = Project::new(&stage.whimbrel, &[("db".to_owned(), url)], "")?;
    for number in 1..=MIGRATIONS {
        project.table(number, "db", Shape::Yaml)?;
    }
    let own = std::env::current_exe().doing("finding this program")?;
    let place = if dialect == "postgres" {
        vec![stage.cluster.path().to_owned(), "noop_yaml".into()]
    } else {
        vec![project.path().join("db.sqlite")]
    };
    let dialect = dialect.to_owned();
    let bare = move || timed(Command::new(&own).args([bare::WORD, &dialect]).args(&place));
    Ok((project, bare))
}
