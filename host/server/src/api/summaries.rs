//! A plan and a status in short: what a program keeps of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value as Json, json};
use whimbrel_core::plan::Goal;
use whimbrel_engine::{EngineError, Passing, Prepared, StatusSummary, plan_summary};

use super::asked::Question;
use super::environments::{find, said as text, told};
use crate::look::{Look, looking, withdrawn};
use crate::problem::Problem;
use crate::said::Said;
use crate::server::Server;

/// What a status is asked about.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StatusQuery {
    revision: Option<String>,
}

/// What a plan is asked about.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct PlanQuery {
    revision: Option<String>,
    #[serde(default)]
    allow_destructive: bool,
}

/// Where an environment stands.
pub(super) async fn status(
    State(server): State<Arc<Server>>,
    Path(name): Path<String>,
    query: Result<Query<StatusQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    let Query(query) = query.map_err(|rejection| Problem::bad(rejection.body_text()))?;
    stands(&server, &name, query.revision.as_deref(), None).await
}

/// The same with what is said of it.
pub(super) async fn status_with(
    State(server): State<Arc<Server>>,
    question: Question,
) -> Result<Response, Problem> {
    let Question {
        environment,
        asked,
        said,
    } = question;
    let revision = asked.revision.as_deref();
    stands(&server, &environment, revision, said.as_ref()).await
}

async fn stands(
    server: &Server,
    name: &str,
    revision: Option<&str>,
    said: Option<&Said>,
) -> Result<Response, Problem> {
    let _turn = server.readers.acquire().await;
    let look = look(server, name, revision, said).await?;
    let opened = &look.desired.opened;
    let mut known = BTreeMap::new();
    for (target, history) in opened.histories().await {
        let history = history.map_err(|error| told(server, &EngineError::from(error)))?;
        known.insert(target, history);
    }
    let summary = StatusSummary::of(opened, &known).map_err(|error| told(server, &error))?;
    Ok(shown(server, &look, summary.json()))
}

/// What would run now.
pub(super) async fn plan(
    State(server): State<Arc<Server>>,
    Path(name): Path<String>,
    query: Result<Query<PlanQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    let Query(query) = query.map_err(|rejection| Problem::bad(rejection.body_text()))?;
    let (revision, is_confirmed) = (query.revision.as_deref(), query.allow_destructive);
    planned(&server, &name, revision, is_confirmed, None).await
}

/// The same with what is said of it.
pub(super) async fn plan_with(
    State(server): State<Arc<Server>>,
    question: Question,
) -> Result<Response, Problem> {
    let Question {
        environment,
        asked,
        said,
    } = question;
    let (revision, is_confirmed) = (asked.revision.as_deref(), asked.allow_destructive);
    planned(&server, &environment, revision, is_confirmed, said.as_ref()).await
}

async fn planned(
    server: &Server,
    name: &str,
    revision: Option<&str>,
    is_confirmed: bool,
    said: Option<&Said>,
) -> Result<Response, Problem> {
    let _turn = server.readers.acquire().await;
    let look = look(server, name, revision, said).await?;
    let opened = &look.desired.opened;
    if let Some(said) = said {
        said.require_waiting(opened.environment())?;
    }
    let passing = Passing {
        destructive_confirmed: is_confirmed,
        is_unmeasured: true,
        ..Passing::default()
    };
    let prepared = Prepared::new(opened, Goal::Apply, passing).await;
    let prepared = prepared.map_err(|error| told(server, &error))?;
    let mut summary = plan_summary(opened, &prepared);
    if let Some(fields) = summary.as_object_mut() {
        let policy = &opened.environment().policy;
        fields.insert("apply".to_owned(), json!(policy.apply));
        let newest = find(server, name)?.desired();
        let withdrawn = newest.map(|newest| withdrawn(prepared.plan(), &newest.opened));
        if let Some(names) = withdrawn.filter(|names| !names.is_empty()) {
            fields.insert("withdrawn".to_owned(), json!(names));
        }
    }
    Ok(shown(server, &look, summary))
}

async fn look(
    server: &Server,
    name: &str,
    revision: Option<&str>,
    said: Option<&Said>,
) -> Result<Look, Problem> {
    let environment = find(server, name)?;
    let commit = revision.map(str::parse).transpose()?;
    Look::at(server, &environment, commit, said, &looking(server)).await
}

/// With what is followed, and where that is now.
fn shown(server: &Server, look: &Look, mut summary: Json) -> Response {
    if let Some(fields) = summary.as_object_mut() {
        fields.insert("head".to_owned(), look.head.clone().into());
        fields.insert("ref".to_owned(), look.reference.clone().into());
    }
    text(server, &summary.to_string())
}
