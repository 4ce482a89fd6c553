//! From a push to what becomes of it, by a server that keeps an environment where its branch says.

use std::ffi::OsStr;
use std::path::Path;
use std::time::{Duration, Instant};

use super::{Stage, note, ratio};
use crate::failure::{Doing, Failure, Result};
use crate::measure::{in_turns, milliseconds};
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
/// For what a server does after it stands as it should.
const SETTLED: Duration = Duration::from_secs(10);
const TURNS: usize = 9;
const ENVIRONMENTS: usize = 12;
const DELIVERIES: usize = 1_000;
const SENDERS: usize = 50;

/// Measures them.
pub fn run(stage: &Stage, report: &mut Report) -> Result {
    report.suite("gitops");
    pushes(stage, report)?;
    burst(stage, report)?;
    rest(stage, report)?;
    syncs(stage, report)
}

/// How a repository is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Over {
    /// As a file.
    File,
    /// Over HTTP.
    Http,
}

/// A project in a repository, and a server that has applied all of it.
struct Scene {
    project: Project,
    repository: Repository,
    server: Server,
    _folder: tempfile::TempDir,
}

impl Scene {
    fn set(stage: &Stage, url: String, migrations: usize, over: Over) -> Result<Self> {
        let project = Project::new(&stage.whimbrel, &[("db".to_owned(), url)], "")?;
        for number in 1..=migrations {
            project.table(number, "db", Shape::Plain)?;
        }
        let folder = tempfile::tempdir().doing("making a folder")?;
        let mut repository = Repository::new(project.path(), folder.path().join("shop.git"))?;
        if over == Over::Http {
            repository.serve()?;
        }
        let url = repository.address();
        let server = Server::start(&stage.whimbrel, folder.path(), SOURCE, &url)?;
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

    /// Delivers it, and waits until this commit is what is wanted, and then until it is what is there.
    fn sync(&self, commit: &str) -> Result<(Duration, Duration)> {
        let begun = Instant::now();
        self.server.deliver(SOURCE, commit, commit)?;
        self.server.wait(|view| view["desiredRevision"] == commit)?;
        let known = begun.elapsed();
        self.server
            .wait(|view| view["revision"] == commit && view["phase"] == "current")?;
        Ok((known, begun.elapsed()))
    }
}

/// A push over HTTP, and the delivery that a Git host sends when it has it.
fn pushes(stage: &Stage, report: &mut Report) -> Result {
    stage.cluster.create("pushes")?;
    let scene = Scene::set(stage, stage.cluster.url("pushes"), MIGRATIONS, Over::Http)?;
    let folder = tempfile::tempdir().doing("making a folder")?;
    let mirror = folder.path().join("mirror.git");
    scene.repository.mirror(&mirror)?;
    let mut fetches = Vec::new();
    let (mut known, mut applied) = (Vec::new(), Vec::new());
    for number in 1..=PUSHES {
        let commit = scene.commit(MIGRATIONS + number)?;
        std::thread::sleep(REST);
        let begun = Instant::now();
        scene.repository.push()?;
        let pushed = begun.elapsed();
        let fetch = scene.repository.fetch(&mirror)?;
        let (wanted, there) = scene.sync(&commit)?;
        known.push(wanted.saturating_sub(fetch));
        fetches.push(fetch);
        applied.push(pushed + there);
    }
    let said = |times: &[Duration]| format!("{:.0} ms in the middle", milliseconds(times, 50));
    known.sort_unstable();
    applied.sort_unstable();
    fetches.sort_unstable();
    report.at_most(
        "webhook → desired state in memory beyond the fetch, 1,000 migrations, one more (p99)",
        milliseconds(&known, 99),
        "ms",
        200.0,
        format!(
            "{}; `git fetch` of the same takes {}, both over HTTP",
            said(&known),
            said(&fetches)
        ),
    );
    report.at_most(
        "push → applied on local PostgreSQL (p99)",
        milliseconds(&applied, 99),
        "ms",
        1_000.0,
        format!(
            "{}, from the start of `git push` over HTTP, with the webhook",
            said(&applied)
        ),
    );
    Ok(())
}

/// A thousand deliveries by fifty who send one after the other.
fn burst(stage: &Stage, report: &mut Report) -> Result {
    let folder = tempfile::tempdir().doing("making a folder")?;
    let url = format!("sqlite:{}", folder.path().join("burst.db").display());
    let scene = Scene::set(stage, url, 1, Over::File)?;
    let commit = scene.repository.head()?;
    let fetches = || {
        let kinds = ["changed", "unchanged", "failed"];
        kinds.iter().try_fold(0.0, |sum, kind| {
            let sample =
                format!("whimbrel_git_fetch_total{{result=\"{kind}\",source=\"{SOURCE}\"}}");
            Ok::<f64, Failure>(sum + scene.server.metric(&sample)?.unwrap_or_default())
        })
    };
    // The receiver is compiled.
    scene.server.deliver(SOURCE, "first", &commit)?;
    std::thread::sleep(REST * 2);
    let before = fetches()?;
    let mut times = Vec::new();
    std::thread::scope(|scope| {
        let senders: Vec<_> = (0..SENDERS)
            .map(|sender| {
                let (server, commit) = (&scene.server, &commit);
                scope.spawn(move || {
                    (0..DELIVERIES / SENDERS)
                        .map(|number| server.deliver(SOURCE, &format!("{sender}-{number}"), commit))
                        .collect::<Result<Vec<_>>>()
                })
            })
            .collect();
        for sender in senders {
            let sent = sender.join();
            times.extend(sent.map_err(|_| Failure::new("a sender is gone".to_owned()))??);
        }
        Ok::<(), Failure>(())
    })?;
    std::thread::sleep(REST * 3);
    times.sort_unstable();
    report.at_most(
        "a webhook's answer, 1,000 of them by 50 at once (p99)",
        milliseconds(&times, 99),
        "ms",
        200.0,
        format!("{:.1} ms in the middle", milliseconds(&times, 50)),
    );
    report.at_most(
        "fetches for 1,000 webhooks",
        fetches()? - before,
        "fetches",
        2.0,
        "one, and one more for those that came after it began".to_owned(),
    );
    Ok(())
}

fn syncs(stage: &Stage, report: &mut Report) -> Result {
    let folder = tempfile::tempdir().doing("making a folder")?;
    let url = format!("sqlite:{}", folder.path().join("many.db").display());
    let scene = Scene::set(stage, url, MANY, Over::File)?;
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

/// Twelve environments that are as they should be, looked at now and then; and the same where webhooks are let in, which is
/// what a plugin does.
fn rest(stage: &Stage, report: &mut Report) -> Result {
    let (memory, share) = resting(stage, Server::follow)?;
    let (with_webhooks, _) = resting(stage, Server::start)?;
    report.at_most(
        "memory of `serve` at rest, 12 environments × 1,000 migrations",
        memory,
        "MB",
        60.0,
        format!(
            "after it has applied all of them; {with_webhooks:.0} MB where it lets webhooks in"
        ),
    );
    report.at_most(
        "processor of `serve` at rest, 12 environments",
        share,
        "%",
        1.0,
        "of one, in 20 s".to_owned(),
    );
    Ok(())
}

/// Its memory in megabytes, and how much of a processor it uses, in hundredths.
fn resting(
    stage: &Stage,
    start: fn(&OsStr, &Path, &str, &str) -> Result<Server>,
) -> Result<(f64, f64)> {
    let folder = tempfile::tempdir().doing("making a folder")?;
    let project = Project::new(&stage.whimbrel, &[], "")?;
    let names: Vec<_> = (1..=ENVIRONMENTS)
        .map(|number| format!("environment-{number}"))
        .collect();
    for name in &names {
        let file = folder.path().join(name).display().to_string();
        project.environment(name, &[("db".to_owned(), format!("sqlite:{file}.db"))], "")?;
    }
    for number in 1..=MIGRATIONS {
        project.table(number, "db", Shape::Plain)?;
    }
    let repository = Repository::new(project.path(), folder.path().join("shop.git"))?;
    let server = start(
        &stage.whimbrel,
        folder.path(),
        SOURCE,
        &repository.address(),
    )?;
    for name in &names {
        server.wait_for(name, |view| view["phase"] == "current")?;
    }
    // What was applied is published after that.
    std::thread::sleep(SETTLED);
    let (begun, before) = (Instant::now(), server.processor()?);
    std::thread::sleep(Duration::from_secs(20));
    let share = 100.0 * (server.processor()? - before) / begun.elapsed().as_secs_f64();
    Ok((server.memory()? / 1e6, share))
}
