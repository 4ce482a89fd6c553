//! From a push to what becomes of it, by a server that keeps an environment where its branch says.

use std::time::{Duration, Instant};

use super::{Stage, note, ratio};
use crate::failure::{Doing, Result};
use crate::measure::in_turns;
use crate::project::{Project, Shape};
use crate::report::Report;
use crate::repository::Repository;
use crate::server::Server;

const SOURCE: &str = "shop";
const MIGRATIONS: usize = 1_000;
const MANY: usize = 10_000;
/// So that the ninety-ninth hundredth is one of them.
const PUSHES: usize = 100;
/// A source rests half a second between two looks: whoever rings sooner waits for that.
const REST: Duration = Duration::from_millis(600);
const TURNS: usize = 9;

/// Measures them.
pub fn run(stage: &Stage, report: &mut Report) -> Result {
    report.suite("gitops");
    pushes(stage, report)?;
    syncs(stage, report)
}

/// A project in a repository, and a server that has applied all of it.
struct Scene {
    project: Project,
    repository: Repository,
    server: Server,
    _folder: tempfile::TempDir,
}

impl Scene {
    fn set(stage: &Stage, url: String, migrations: usize) -> Result<Self> {
        let project = Project::new(&stage.whimbrel, &[("db".to_owned(), url)], "")?;
        for number in 1..=migrations {
            project.table(number, "db", Shape::Plain)?;
        }
        let folder = tempfile::tempdir().doing("making a folder")?;
        let repository = Repository::new(project.path(), folder.path().join("shop.git"))?;
        let source = format!("{SOURCE}={}@main", repository.address());
        let server = Server::start(&stage.whimbrel, folder.path(), &["--source", &source])?;
        server.wait(|view| view["phase"] == "current")?;
        Ok(Self {
            project,
            repository,
            server,
            _folder: folder,
        })
    }

    /// Commits the n-th migration.
    fn commit(&self, number: usize) -> Result<String> {
        self.project.table(number, "db", Shape::Plain)?;
        self.repository.commit()
    }

    /// Rings, and waits until this commit is what is wanted, and then until it is what is there.
    fn sync(&self, commit: &str) -> Result<(Duration, Duration)> {
        let begun = Instant::now();
        self.server.ring(SOURCE)?;
        self.server.wait(|view| view["revision"] == commit)?;
        let known = begun.elapsed();
        self.server
            .wait(|view| view["revision"] == commit && view["phase"] == "current")?;
        Ok((known, begun.elapsed()))
    }
}

fn pushes(stage: &Stage, report: &mut Report) -> Result {
    stage.cluster.create("pushes")?;
    let scene = Scene::set(stage, stage.cluster.url("pushes"), MIGRATIONS)?;
    let (mut known, mut applied) = (Vec::new(), Vec::new());
    for number in 1..=PUSHES {
        let commit = scene.commit(MIGRATIONS + number)?;
        std::thread::sleep(REST);
        let begun = Instant::now();
        scene.repository.push()?;
        let pushed = begun.elapsed();
        let (wanted, there) = scene.sync(&commit)?;
        known.push(wanted);
        applied.push(pushed + there);
    }
    let said = |times: &[Duration]| format!("{:.0} ms in the middle", milliseconds(times, 50));
    known.sort_unstable();
    applied.sort_unstable();
    report.at_most(
        "bell → desired state in memory, 1,000 migrations, one more (p99)",
        milliseconds(&known, 99),
        "ms",
        200.0,
        format!("{}, with the fetch", said(&known)),
    );
    report.at_most(
        "push → applied on local PostgreSQL (p99)",
        milliseconds(&applied, 99),
        "ms",
        1_000.0,
        format!("{}, from the start of `git push`", said(&applied)),
    );
    Ok(())
}

fn syncs(stage: &Stage, report: &mut Report) -> Result {
    let folder = tempfile::tempdir().doing("making a folder")?;
    let url = format!("sqlite:{}", folder.path().join("many.db").display());
    let scene = Scene::set(stage, url, MANY)?;
    let mirror = folder.path().join("mirror.git");
    scene.repository.mirror(&mirror)?;
    let mut number = MANY;
    // Both see the same commit, one after the other.
    let theirs = || {
        number += 1;
        scene.commit(number)?;
        scene.repository.push()?;
        std::thread::sleep(REST);
        scene.repository.fetch(&mirror)
    };
    let ours = || Ok(scene.sync(&scene.repository.head()?)?.0);
    let (ours, theirs) = in_turns(ours, theirs, TURNS)?;
    report.at_most(
        "sync of 10,000 migrations after a commit of one file",
        ratio(ours, theirs),
        "×",
        1.5,
        note(ours, theirs, "git fetch"),
    );
    Ok(())
}

/// What so many of a hundred times stay below.
fn milliseconds(sorted: &[Duration], hundredths: usize) -> f64 {
    let place = (sorted.len() * hundredths / 100).min(sorted.len().saturating_sub(1));
    sorted.get(place).copied().unwrap_or_default().as_secs_f64() * 1e3
}
