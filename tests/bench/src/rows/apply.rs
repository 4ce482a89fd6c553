//! A thousand small migrations from nothing, one transaction each, against psql with the same files in one process.

use std::fmt::Write as _;

use super::{Stage, note, ratio};
use crate::failure::Result;
use crate::measure::{in_turns, timed};
use crate::project::{Project, Shape, table};
use crate::report::Report;

const MIGRATIONS: usize = 1000;
/// Each turn takes seconds.
const TURNS: usize = 3;

/// Measures it.
pub fn run(stage: &Stage, report: &mut Report) -> Result {
    let url = stage.cluster.url("apply_ours");
    let project = Project::new(&stage.whimbrel, &[("db".to_owned(), url)], "")?;
    let mut script = String::new();
    for number in 1..=MIGRATIONS {
        project.table(number, "db", Shape::Plain)?;
        project.write(
            &format!("theirs/{number:05}.sql"),
            &format!("{};\n", table(number)),
        )?;
        // Writing to a string can't fail.
        let _ = writeln!(script, "BEGIN;\n\\ir theirs/{number:05}.sql\nCOMMIT;");
    }
    project.write("theirs.sql", &script)?;
    let ours = || {
        stage.cluster.create("apply_ours")?;
        project.run("apply")
    };
    let theirs = || {
        stage.cluster.create("apply_theirs")?;
        timed(
            stage
                .cluster
                .psql("apply_theirs")
                .args(["--file", "theirs.sql"])
                .current_dir(project.path()),
        )
    };
    let (ours, theirs) = in_turns(ours, theirs, TURNS)?;
    report.at_most(
        "apply 1,000 small migrations, PostgreSQL",
        ratio(ours, theirs),
        "×",
        1.2,
        note(ours, theirs, "psql -f"),
    );
    Ok(())
}
