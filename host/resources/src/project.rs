//! What is asked about an environment of a project of its own.

use std::collections::BTreeMap;

use serde_json::Value as Json;
use whimbrel_core::fault::Fault;
use whimbrel_core::name::MigrationName;
use whimbrel_core::plan::Goal;
use whimbrel_engine::{
    EngineError, Meanwhile, Prepared, StatusSummary, plan_summary, prepare_revert,
};
use whimbrel_plugin::{EngineQuestion, StopFlag};

use crate::failure::{fault, of_project};
use crate::here::Here;
use crate::opened::{Asked, head};
use crate::request::{ProjectRequest, Terms};

/// Answers.
///
/// # Errors
/// It can't be answered, or what was ordered wasn't done.
pub async fn answer(
    here: &Here,
    question: EngineQuestion,
    terms: &Terms,
    request: &ProjectRequest,
    stop: &StopFlag,
) -> Result<Json, Fault> {
    let meanwhile = if question.changes() {
        Meanwhile::ReadToRun
    } else {
        Meanwhile::Read
    };
    let asked = Asked::project(here, terms, &request.source, meanwhile).await?;
    let answer = match question {
        EngineQuestion::Status => status(&asked).await,
        EngineQuestion::Plan => plan(&asked, terms).await,
        EngineQuestion::Apply => apply(&asked, terms, request, stop).await,
        EngineQuestion::Revert => revert(&asked, terms, request, stop).await,
    };
    asked.close().await;
    let mut answer = answer?;
    if let (EngineQuestion::Status, Some(fields)) = (question, answer.as_object_mut()) {
        let head = head(here, terms, &request.source).await?;
        fields.insert("head".to_owned(), head.into());
    }
    Ok(answer)
}

async fn plan(asked: &Asked, terms: &Terms) -> Result<Json, Fault> {
    let prepared = Prepared::new(&asked.opened, Goal::Apply, terms.passing()).await;
    let prepared = prepared.map_err(|error| fault(&error))?;
    Ok(plan_summary(&asked.opened, &prepared))
}

async fn apply(
    asked: &Asked,
    terms: &Terms,
    request: &ProjectRequest,
    stop: &StopFlag,
) -> Result<Json, Fault> {
    let prepared = Prepared::new(&asked.opened, Goal::Apply, terms.passing()).await;
    let prepared = prepared.map_err(|error| fault(&error))?;
    let plan = prepared.plan();
    let digest = plan.digest().to_string();
    // Whatever was planned, it is done.
    let is_done = plan.is_empty() && EngineError::blocked(plan).is_none();
    let named = request.plan.as_deref().filter(|_| !is_done);
    asked.run(prepared, named, stop).await?;
    let mut answer = status(asked).await?;
    if let Some(fields) = answer.as_object_mut() {
        fields.insert("digest".to_owned(), Json::String(digest));
    }
    Ok(answer)
}

/// Takes back everything that is applied, if everything is meant.
async fn revert(
    asked: &Asked,
    terms: &Terms,
    request: &ProjectRequest,
    stop: &StopFlag,
) -> Result<Json, Fault> {
    let mut names: Vec<MigrationName> = Vec::new();
    for (_, history) in asked.opened.histories().await {
        let records = history.map_err(of_project)?.records;
        names.extend(records.into_iter().map(|record| record.name));
    }
    names.sort();
    names.dedup();
    if request.all && !names.is_empty() {
        let prepared = prepare_revert(&asked.opened, names, terms.passing()).await;
        let prepared = prepared.map_err(|error| fault(&error))?;
        asked.run(prepared, None, stop).await?;
    }
    status(asked).await
}

async fn status(asked: &Asked) -> Result<Json, Fault> {
    let mut known = BTreeMap::new();
    for (target, history) in asked.opened.histories().await {
        known.insert(target, history.map_err(of_project)?);
    }
    let standing = StatusSummary::of(&asked.opened, &known).map_err(|error| fault(&error))?;
    Ok(standing.json())
}
