//! What is asked about migrations that are each the whole of their project: together where that can be, else one by one.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::select_all;
use serde_json::Value as Json;
use whimbrel_core::fault::Fault;
use whimbrel_core::history::History;
use whimbrel_core::name::{MigrationName, TargetName};
use whimbrel_core::plan::Goal;
use whimbrel_engine::{EngineError, Meanwhile, Prepared, prepare_revert};
use whimbrel_plugin::{EngineQuestion, StopFlag};
use whimbrel_project::Histories;

use crate::answer;
use crate::failure::{fault, of_project, of_unread};
use crate::gathering::Patience;
use crate::here::Here;
use crate::opened::Asked;
use crate::request::{MigrationRequest, Terms};

/// What can be answered together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// How migrations stand, and what adding them would come to.
    Look,
    /// Add them.
    Apply,
    /// Take them back.
    Revert,
}

impl Kind {
    /// The kind of a question.
    pub const fn of(question: EngineQuestion) -> Self {
        match question {
            EngineQuestion::Plan | EngineQuestion::Status => Self::Look,
            EngineQuestion::Apply => Self::Apply,
            EngineQuestion::Revert => Self::Revert,
        }
    }

    /// What opens a database to change it costs more than waiting for others; a look goes over what is open already.
    pub const fn patience(self) -> Patience {
        match self {
            Self::Look => Patience::Turn,
            Self::Apply | Self::Revert => Patience::Lull,
        }
    }

    /// A look reads the histories of the named alone, once it knows them.
    const fn meanwhile(self) -> Meanwhile {
        match self {
            Self::Look => Meanwhile::Nothing,
            Self::Apply | Self::Revert => Meanwhile::ReadToRun,
        }
    }
}

/// A migration, what is asked about it, and what asks to stop working on it.
pub struct Wanted {
    /// What is asked.
    pub question: EngineQuestion,
    /// The migration.
    pub migration: MigrationRequest,
    /// Raised when it should stop.
    pub stop: StopFlag,
}

impl Wanted {
    /// Whether this answers it, even though what all were asked about can't be done.
    fn is_answered_by(&self, answer: &Json) -> bool {
        match self.question {
            EngineQuestion::Apply => answer.get("state") == Some(&"applied".into()),
            EngineQuestion::Revert => answer.get("state") == Some(&"pending".into()),
            EngineQuestion::Plan => false,
            EngineQuestion::Status => true,
        }
    }
}

type Answer = Result<Json, Fault>;

/// Answers each, in order. What is wrong with one is nothing to the others.
pub async fn answers(here: &Here, kind: Kind, terms: &Terms, wanted: Vec<Wanted>) -> Vec<Answer> {
    let names: BTreeSet<_> = wanted.iter().map(|one| &one.migration.name).collect();
    let mut answers: Vec<Option<Answer>> = Vec::new();
    if wanted.len() > 1 && names.len() == wanted.len() {
        let all: Vec<&Wanted> = wanted.iter().collect();
        answers = together(here, kind, terms, &all).await;
    }
    answers.resize_with(wanted.len(), || None);
    let mut each = Vec::with_capacity(wanted.len());
    for (one, answer) in wanted.iter().zip(answers) {
        each.push(match answer {
            Some(answer) => answer,
            None => alone(here, kind, terms, one).await,
        });
    }
    each
}

async fn alone(here: &Here, kind: Kind, terms: &Terms, one: &Wanted) -> Answer {
    let asked = Asked::migrations(here, terms, &[&one.migration], kind.meanwhile()).await?;
    let done = deed(here, &asked, kind, terms, &[one]).await;
    let answer = match done {
        Ok(known) => told(here, &asked, &[one], known).await,
        Err(fault) => Err(fault),
    };
    asked.close().await;
    answer.map(|answers| answers.into_iter().next().unwrap_or_default())
}

/// The same for all; none of what one alone has to be asked about.
async fn together(here: &Here, kind: Kind, terms: &Terms, all: &[&Wanted]) -> Vec<Option<Answer>> {
    let migrations: Vec<_> = all.iter().map(|one| &one.migration).collect();
    let asked = Asked::migrations(here, terms, &migrations, kind.meanwhile()).await;
    let Ok(asked) = asked else {
        return Vec::new();
    };
    let done = deed(here, &asked, kind, terms, all).await;
    let is_done = done.is_ok();
    let answers = told(here, &asked, all, done.ok().flatten()).await;
    asked.close().await;
    let Ok(answers) = answers else {
        return Vec::new();
    };
    let answers = all.iter().zip(answers);
    answers
        .map(|(one, answer)| (is_done || one.is_answered_by(&answer)).then_some(Ok(answer)))
        .collect()
}

/// What targets record.
type Known = BTreeMap<TargetName, History>;

/// Does what is ordered, or finds out whether it could be done: then it gives what was read for it.
async fn deed(
    here: &Here,
    asked: &Asked,
    kind: Kind,
    terms: &Terms,
    all: &[&Wanted],
) -> Result<Option<Known>, Fault> {
    let is_planned = |one: &&Wanted| one.question == EngineQuestion::Plan;
    let prepared = match kind {
        Kind::Look if !all.iter().any(is_planned) => return Ok(None),
        Kind::Look => {
            let histories = histories(here, asked, all).await;
            Prepared::to_add(&asked.opened, terms.passing(), histories).await
        }
        Kind::Apply => Prepared::new(&asked.opened, Goal::Add, terms.passing()).await,
        Kind::Revert => {
            let names = applied(here, asked, all).await?;
            if names.is_empty() {
                return Ok(None);
            }
            prepare_revert(&asked.opened, names, terms.passing()).await
        }
    };
    let mut prepared = prepared.map_err(|error| fault(&error))?;
    if kind != Kind::Look {
        let stop = any(all);
        let done = asked.run(prepared, None, &stop.0).await;
        stop.1.abort();
        return done.map(|()| None);
    }
    if let Some(blocked) = EngineError::blocked(prepared.plan()) {
        return Err(fault(&blocked));
    }
    let refusals = prepared.refusals();
    if !prepared.plan().is_empty() && !refusals.is_empty() {
        return Err(fault(&EngineError::Refused(refusals)));
    }
    match prepared.survey.failures.values().next() {
        Some(error) => Err(of_unread(error)),
        None => Ok(Some(std::mem::take(&mut prepared.survey.histories))),
    }
}

/// Stops all when any of them should.
fn any(all: &[&Wanted]) -> (StopFlag, tokio::task::JoinHandle<()>) {
    let stop = StopFlag::new();
    let asked: Vec<StopFlag> = all.iter().map(|one| one.stop.clone()).collect();
    let stopping = stop.clone();
    let watching = tokio::spawn(async move {
        let each = asked.iter().map(|stop| Box::pin(stop.stopped()));
        select_all(each).await;
        stopping.stop();
    });
    (stop, watching)
}

/// Those that are there; what isn't is reverted already.
async fn applied(here: &Here, asked: &Asked, all: &[&Wanted]) -> Result<Vec<MigrationName>, Fault> {
    let known = records(here, asked, all).await?;
    let is_there = |name: &MigrationName| {
        let mut records = known.values().flat_map(|history| &history.records);
        records.any(|record| &record.name == name)
    };
    let names = all.iter().map(|one| &one.migration.name);
    Ok(names.filter(|name| is_there(name)).cloned().collect())
}

async fn told(
    here: &Here,
    asked: &Asked,
    all: &[&Wanted],
    known: Option<Known>,
) -> Result<Vec<Json>, Fault> {
    let known = match known {
        Some(known) => known,
        None => records(here, asked, all).await?,
    };
    let each = all.iter();
    let each = each.map(|one| answer::migration(&asked.opened, &one.migration, known.values()));
    Ok(each.collect())
}

/// What targets record of them, now.
async fn records(here: &Here, asked: &Asked, all: &[&Wanted]) -> Result<Known, Fault> {
    let read = histories(here, asked, all).await.into_iter();
    read.map(|(target, history)| Ok((target, history.map_err(of_project)?)))
        .collect()
}

async fn histories(here: &Here, asked: &Asked, all: &[&Wanted]) -> Histories {
    let names = all.iter().map(|one| one.migration.name.clone());
    let names: Vec<_> = names.collect();
    asked.opened.histories_of(&names, &here.idle).await
}
