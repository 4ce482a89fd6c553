//! A hundred databases of one server at once, ten migrations each, against xargs and psql.

use std::fmt::Write as _;
use std::process::Command;

use super::{Stage, note, ratio};
use crate::failure::Result;
use crate::measure::{in_turns, timed};
use crate::project::{Project, Shape, table};
use crate::report::Report;

const DATABASES: usize = 100;
const MIGRATIONS: usize = 10;
const TURNS: usize = 3;
/// Both sides work on as many databases at once.
const AT_ONCE: usize = DATABASES;

/// Measures it. The history tables are there already: a migration before the measured ones made them.
pub fn run(stage: &Stage, report: &mut Report) -> Result {
    let names: Vec<String> = (0..DATABASES)
        .map(|number| format!("fan{number:03}"))
        .collect();
    let databases: Vec<(String, String)> = names
        .iter()
        .map(|name| (name.clone(), stage.cluster.url(name)))
        .collect();
    let policy = format!(", concurrency: {AT_ONCE}");
    let project = Project::new(&stage.whimbrel, &databases, &policy)?;
    let first = |number: usize| (number + 1) * 100;
    let mut script = String::new();
    for migration in 1..=MIGRATIONS {
        // Writing to a string can't fail.
        let _ = writeln!(script, "BEGIN;\n{};\nCOMMIT;", table(migration));
    }
    project.write("theirs.sql", &script)?;
    project.write("names", &names.join("\n"))?;
    let empty = |later: &str| -> Result {
        for name in &names {
            stage.cluster.create(&format!("{name}{later}"))?;
        }
        Ok(())
    };
    let ours = || {
        let migrations = project.path().join("migrations");
        let _ = std::fs::remove_dir_all(&migrations);
        empty("")?;
        for (number, name) in names.iter().enumerate() {
            project.table(first(number), name, Shape::Plain)?;
        }
        project.run("apply")?;
        for (number, name) in names.iter().enumerate() {
            for migration in 1..=MIGRATIONS {
                project.table(first(number) + migration, name, Shape::Plain)?;
            }
        }
        project.run("apply")
    };
    let theirs = || {
        empty("_theirs")?;
        let socket = stage.cluster.path().display();
        let line = format!(
            "xargs -P {AT_ONCE} -I NAME psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --username=postgres \
             --host={socket} --dbname=NAME_theirs --file=theirs.sql < names"
        );
        timed(
            Command::new("sh")
                .args(["-c", &line])
                .current_dir(project.path()),
        )
    };
    let (ours, theirs) = in_turns(ours, theirs, TURNS)?;
    report.at_most(
        "100 databases, 10 migrations each, PostgreSQL",
        ratio(ours, theirs),
        "×",
        1.0,
        note(ours, theirs, &format!("xargs -P {AT_ONCE} psql")),
    );
    Ok(())
}
