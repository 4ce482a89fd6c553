//! How environments and their sources stand.

use std::sync::Arc;

use axum::extract::{Path, Query, RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use serde_json::json;
use whimbrel_core::plan::Goal;
use whimbrel_engine::{EngineError, Passing, Prepared, named, prepare_revert};
use whimbrel_report::PlanView;
use whimbrel_report::findings::Notes;

use super::asked::Question;
use crate::desired::Desired;
use crate::environment::{Environment, Reach};
use crate::look::{Look, looking};
use crate::problem::Problem;
use crate::server::Server;

/// How many events `history` gives of each target if it isn't said.
const EVENTS: u32 = 50;

/// All sources.
pub(super) async fn sources(State(server): State<Arc<Server>>) -> Response {
    let views: Vec<_> = server
        .sources
        .values()
        .map(|source| source.view())
        .collect();
    super::json(json!({"sources": views}).to_string())
}

/// Rings a source's bell.
pub(super) async fn sync(
    State(server): State<Arc<Server>>,
    Path(name): Path<String>,
) -> Result<Response, Problem> {
    let Some(source) = server.sources.get(&name) else {
        return Err(Problem::not_found(format!("there is no source `{name}`")));
    };
    source.ring(Reach::Everything);
    let mut response = super::json(json!({"source": name}).to_string());
    *response.status_mut() = StatusCode::ACCEPTED;
    Ok(response)
}

/// All environments.
pub(super) async fn all(State(server): State<Arc<Server>>) -> Response {
    let all = server.environments();
    let views: Vec<_> = all.iter().map(|environment| environment.view()).collect();
    super::json(json!({"environments": views}).to_string())
}

/// One environment.
pub(super) async fn one(
    State(server): State<Arc<Server>>,
    Path(name): Path<String>,
) -> Result<Response, Problem> {
    let view = find(&server, &name)?.view();
    Ok(super::json(json!(view).to_string()))
}

/// Where every migration stands, as `whimbrel status --format json` says it.
pub(super) async fn status(
    State(server): State<Arc<Server>>,
    Path(name): Path<String>,
) -> Result<Response, Problem> {
    let desired = desired(&server, &name)?;
    stands(&server, &desired).await
}

/// The same with what is said of it.
pub(super) async fn status_with(
    State(server): State<Arc<Server>>,
    question: Question,
) -> Result<Response, Problem> {
    let look = look(&server, &question).await?;
    stands(&server, &look.desired).await
}

async fn stands(server: &Server, desired: &Desired) -> Result<Response, Problem> {
    let _turn = server.readers.acquire().await;
    let status = whimbrel_engine::status(&desired.opened).await;
    let status = status.map_err(|error| told(server, &error))?;
    Ok(said(server, &status.view.json()))
}

/// What would run now, as `whimbrel plan --format json` says it; with `revert=NAME`, what a revert of these would.
pub(super) async fn plan(
    State(server): State<Arc<Server>>,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let reverts = reverts(query.as_deref().unwrap_or_default())?;
    let desired = desired(&server, &name)?;
    planned(&server, &desired, &reverts, false).await
}

/// The same with what is said of it.
pub(super) async fn plan_with(
    State(server): State<Arc<Server>>,
    question: Question,
) -> Result<Response, Problem> {
    let look = look(&server, &question).await?;
    let asked = &question.asked;
    let is_confirmed = asked.allow_destructive;
    planned(&server, &look.desired, &asked.revert, is_confirmed).await
}

async fn look(server: &Server, question: &Question) -> Result<Look, Problem> {
    let environment = find(server, &question.environment)?;
    let commit = question.asked.revision.as_deref();
    let commit = commit.map(str::parse).transpose()?;
    let said = question.said.as_ref();
    Look::at(server, &environment, commit, said, &looking(server)).await
}

async fn planned(
    server: &Server,
    desired: &Desired,
    reverts: &[String],
    is_confirmed: bool,
) -> Result<Response, Problem> {
    let _turn = server.readers.acquire().await;
    let opened = &desired.opened;
    let passing = Passing {
        destructive_confirmed: is_confirmed,
        is_unmeasured: true,
        ..Passing::default()
    };
    let prepared = async {
        if reverts.is_empty() {
            return Prepared::new(opened, Goal::Apply, passing).await;
        }
        let names = named(opened, reverts).await?;
        prepare_revert(opened, names, passing).await
    };
    let mut prepared = prepared.await.map_err(|error| told(server, &error))?;
    prepared
        .require_all()
        .map_err(|error| told(server, &error))?;
    let refusals = prepared.refusals();
    let view = PlanView {
        plan: prepared.plan(),
        refusals: &refusals,
        estimates: &[],
        notes: Notes::Shown,
    };
    Ok(said(server, &view.json()))
}

/// How much of the history.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Extent {
    limit: Option<u32>,
}

/// What happened, newest first, as `whimbrel history --format json` says it.
pub(super) async fn history(
    State(server): State<Arc<Server>>,
    Path(name): Path<String>,
    Query(extent): Query<Extent>,
) -> Result<Response, Problem> {
    let desired = desired(&server, &name)?;
    let _turn = server.readers.acquire().await;
    let limit = extent.limit.unwrap_or(EVENTS).min(server.limits.history);
    let history = whimbrel_engine::history(&desired.opened, limit).await;
    let history = history.map_err(|error| told(&server, &error))?;
    Ok(said(&server, &history.json()))
}

pub(super) fn find(server: &Server, name: &str) -> Result<Arc<Environment>, Problem> {
    server
        .environment(name)
        .ok_or_else(|| Problem::not_found(format!("there is no environment `{name}`")))
}

fn desired(server: &Server, name: &str) -> Result<Arc<Desired>, Problem> {
    let desired = find(server, name)?.desired();
    desired.ok_or_else(|| Problem::unavailable("the definitions haven't been read yet"))
}

pub(super) fn told(server: &Server, error: &EngineError) -> Problem {
    Problem::of(error).scrubbed(server.context.scrubber())
}

pub(super) fn said(server: &Server, text: &str) -> Response {
    super::json(server.context.scrubber().scrub(text))
}

/// `revert=NAME`, again and again.
fn reverts(query: &str) -> Result<Vec<String>, Problem> {
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| match pair.split_once('=') {
            // Names of migrations have no character that a URL would write differently.
            Some(("revert", name)) if !name.is_empty() => Ok(name.to_owned()),
            _ => Err(Problem::bad(format!("`{pair}` isn't understood")).hint("`revert=NAME`")),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::reverts;

    #[test]
    fn names_to_revert_are_read_from_the_query() {
        assert_eq!(reverts("").unwrap(), Vec::<String>::new());
        assert_eq!(reverts("revert=a&revert=b").unwrap(), ["a", "b"]);
        assert!(reverts("limit=3").is_err() && reverts("revert=").is_err());
    }
}
