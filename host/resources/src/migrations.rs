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

use crate::answer;
use crate::failure::{fault, of_project, of_unread};
use crate::here::Here;
use crate::opened::Asked;
use crate::request::{MigrationRequest, Terms};

/// A migration, and what asks to stop working on it.
pub struct Wanted {
    /// The migration.
    pub migration: MigrationRequest,
    /// Raised when it should stop.
    pub stop: StopFlag,
}

type Answer = Result<Json, Fault>;

/// Answers each, in order. What is wrong with one is nothing to the others.
pub async fn answers(
    here: &Here,
    question: EngineQuestion,
    terms: &Terms,
    wanted: Vec<Wanted>,
) -> Vec<Answer> {
    let names: BTreeSet<_> = wanted.iter().map(|one| &one.migration.name).collect();
    let mut answers: Vec<Option<Answer>> = Vec::new();
    if wanted.len() > 1 && names.len() == wanted.len() {
        let all: Vec<&Wanted> = wanted.iter().collect();
        answers = together(here, question, terms, &all).await;
    }
    answers.resize_with(wanted.len(), || None);
    let mut each = Vec::with_capacity(wanted.len());
    for (one, answer) in wanted.iter().zip(answers) {
        each.push(match answer {
            Some(answer) => answer,
            None => alone(here, question, terms, one).await,
        });
    }
    each
}

async fn alone(here: &Here, question: EngineQuestion, terms: &Terms, one: &Wanted) -> Answer {
    let asked = Asked::migrations(here, terms, &[&one.migration], meanwhile(question)).await?;
    let done = deed(&asked, question, terms, &[one]).await;
    let answer = match done {
        Ok(known) => told(&asked, &[one], known).await,
        Err(fault) => Err(fault),
    };
    asked.close().await;
    answer.map(|answers| answers.into_iter().next().unwrap_or_default())
}

/// The same for all; none of what one alone has to be asked about.
async fn together(
    here: &Here,
    question: EngineQuestion,
    terms: &Terms,
    all: &[&Wanted],
) -> Vec<Option<Answer>> {
    let migrations: Vec<_> = all.iter().map(|one| &one.migration).collect();
    let asked = Asked::migrations(here, terms, &migrations, meanwhile(question)).await;
    let Ok(asked) = asked else {
        return Vec::new();
    };
    let done = deed(&asked, question, terms, all).await;
    let is_done = done.is_ok();
    let answers = told(&asked, all, done.ok().flatten()).await;
    asked.close().await;
    let Ok(answers) = answers else {
        return Vec::new();
    };
    let is_so = |answer: &Json| match question {
        EngineQuestion::Apply => answer.get("state") == Some(&"applied".into()),
        EngineQuestion::Revert => answer.get("state") == Some(&"pending".into()),
        EngineQuestion::Plan | EngineQuestion::Status => false,
    };
    let answers = answers.into_iter();
    answers
        .map(|answer| (is_done || is_so(&answer)).then_some(Ok(answer)))
        .collect()
}

/// How migrations stand is read of them alone, once they are known by name; a plan is about everything that is there.
const fn meanwhile(question: EngineQuestion) -> Meanwhile {
    match question {
        EngineQuestion::Status => Meanwhile::Nothing,
        EngineQuestion::Plan => Meanwhile::Read,
        EngineQuestion::Apply | EngineQuestion::Revert => Meanwhile::ReadToRun,
    }
}

/// What targets record.
type Known = BTreeMap<TargetName, History>;

/// Does what is ordered, or finds out whether it could be done: then it gives what was read for it.
async fn deed(
    asked: &Asked,
    question: EngineQuestion,
    terms: &Terms,
    all: &[&Wanted],
) -> Result<Option<Known>, Fault> {
    let prepared = match question {
        EngineQuestion::Status => return Ok(None),
        EngineQuestion::Plan | EngineQuestion::Apply => {
            Prepared::new(&asked.opened, Goal::Add, terms.passing()).await
        }
        EngineQuestion::Revert => {
            let names = applied(asked, all).await?;
            if names.is_empty() {
                return Ok(None);
            }
            prepare_revert(&asked.opened, names, terms.passing()).await
        }
    };
    let mut prepared = prepared.map_err(|error| fault(&error))?;
    if question.changes() {
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
async fn applied(asked: &Asked, all: &[&Wanted]) -> Result<Vec<MigrationName>, Fault> {
    let known = records(asked, all).await?;
    let is_there = |name: &MigrationName| {
        let mut records = known.values().flat_map(|history| &history.records);
        records.any(|record| &record.name == name)
    };
    let names = all.iter().map(|one| &one.migration.name);
    Ok(names.filter(|name| is_there(name)).cloned().collect())
}

async fn told(asked: &Asked, all: &[&Wanted], known: Option<Known>) -> Result<Vec<Json>, Fault> {
    let known = match known {
        Some(known) => known,
        None => records(asked, all).await?,
    };
    let each = all.iter();
    let each = each.map(|one| answer::migration(&asked.opened, &one.migration, known.values()));
    Ok(each.collect())
}

/// What targets record of them, now.
async fn records(asked: &Asked, all: &[&Wanted]) -> Result<Known, Fault> {
    let names = all.iter().map(|one| one.migration.name.clone());
    let names: Vec<_> = names.collect();
    let mut known = Known::new();
    for target in asked.opened.names() {
        let history = asked.opened.history_of(&target, &names).await;
        known.insert(target, history.map_err(of_project)?);
    }
    Ok(known)
}
