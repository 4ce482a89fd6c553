//! Orders: apply a plan that was looked at, or revert.

use std::sync::Arc;

use axum::Extension;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::oneshot;

use super::environments::find;
use crate::answers::Answer;
use crate::environment::{Goal, Order};
use crate::look::Commit;
use crate::problem::Problem;
use crate::said::{Databases, Parameters, Said};
use crate::server::Server;
use crate::tokens::Caller;

/// The header that makes a repetition harmless.
const KEY: &str = "idempotency-key";

/// Which plan to apply.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ApplyBody {
    plan: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    revision: Option<String>,
    #[serde(default)]
    allow_destructive: bool,
    #[serde(default, skip_serializing_if = "Parameters::is_empty")]
    parameters: Parameters,
    #[serde(default, skip_serializing_if = "Databases::is_empty")]
    databases: Databases,
}

/// What to revert, by which plan.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct RevertBody {
    migrations: Vec<String>,
    plan: String,
    #[serde(default)]
    allow_destructive: bool,
    #[serde(default, skip_serializing_if = "Parameters::is_empty")]
    parameters: Parameters,
    #[serde(default, skip_serializing_if = "Databases::is_empty")]
    databases: Databases,
}

/// What is ordered, without who hears of it.
struct Wish {
    environment: String,
    goal: Goal,
    plan: String,
    destructive_confirmed: bool,
    revision: Option<Commit>,
    said: Option<Said>,
}

/// Approves a plan on behalf of the caller, if it needs that, and runs it.
pub(super) async fn apply(
    State(server): State<Arc<Server>>,
    Path(environment): Path<String>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    let body: ApplyBody = read(&headers, body)?;
    let said = Said::new(&body.parameters, &body.databases, &caller)?;
    let words = json!({"apply": body, "environment": environment}).to_string();
    let revision = body.revision.as_deref().map(str::parse).transpose()?;
    let wish = Wish {
        environment,
        goal: Goal::Apply,
        revision,
        said,
        plan: body.plan,
        destructive_confirmed: body.allow_destructive,
    };
    answer(&server, &headers, caller, words, wish).await
}

/// Runs the stored down of migrations.
pub(super) async fn revert(
    State(server): State<Arc<Server>>,
    Path(environment): Path<String>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    let body: RevertBody = read(&headers, body)?;
    if body.migrations.is_empty() {
        return Err(Problem::bad("`migrations` names none"));
    }
    let said = Said::new(&body.parameters, &body.databases, &caller)?;
    let words = json!({"revert": body, "environment": environment}).to_string();
    let wish = Wish {
        environment,
        goal: Goal::Revert(body.migrations),
        revision: None,
        said,
        plan: body.plan,
        destructive_confirmed: body.allow_destructive,
    };
    answer(&server, &headers, caller, words, wish).await
}

async fn answer(
    server: &Arc<Server>,
    headers: &HeaderMap,
    caller: Caller,
    words: String,
    wish: Wish,
) -> Result<Response, Problem> {
    let key = key(server, headers, &caller)?;
    let ordered = Arc::clone(server);
    // Goes on when the client doesn't.
    let work = async move {
        tokio::spawn(give(ordered, wish, caller.name))
            .await
            .unwrap_or_else(|error| {
                Err(Problem::unavailable(format!(
                    "it ended abnormally: {error}"
                )))
            })
    };
    let (status, body) = match key {
        Some(key) => server.answers.once(key, words, work).await?,
        None => work.await?,
    };
    let run = serde_json::from_str::<serde_json::Value>(&body).ok();
    let run = run.as_ref().and_then(|body| body.get("run")?.as_str());
    let place = run.and_then(|run| HeaderValue::from_str(&format!("/v1/runs/{run}")).ok());
    let mut response = super::json(body);
    *response.status_mut() = status;
    if let Some(place) = place {
        response.headers_mut().insert(header::LOCATION, place);
    }
    Ok(response)
}

/// Gives the order and waits until it is taken: until its run begins, or why it doesn't.
async fn give(server: Arc<Server>, wish: Wish, by: String) -> Answer {
    let (answer, hears) = oneshot::channel();
    find(&server, &wish.environment)?.order(Order {
        goal: wish.goal,
        plan: wish.plan,
        destructive_confirmed: wish.destructive_confirmed,
        revision: wish.revision,
        said: wish.said,
        by,
        answer,
    })?;
    let accepted = hears
        .await
        .map_err(|_| Problem::unavailable("this process ends"))??;
    let status = match accepted.run {
        Some(_) => StatusCode::ACCEPTED,
        None => StatusCode::OK,
    };
    Ok((status, json!(accepted).to_string()))
}

/// The caller's idempotency key.
pub(super) fn key(
    server: &Server,
    headers: &HeaderMap,
    caller: &Caller,
) -> Result<Option<String>, Problem> {
    let Some(key) = headers.get(KEY) else {
        return Ok(None);
    };
    match key.to_str() {
        Ok(key) if !key.is_empty() && key.len() <= server.limits.key_length => {
            Ok(Some(format!("{}\n{key}", caller.name)))
        }
        _ => Err(Problem::bad(format!(
            "an idempotency key has 1 to {} visible characters",
            server.limits.key_length
        ))),
    }
}

/// Reads a body. A page in a browser can't send this type to another site without asking first, and nobody answers that.
pub(super) fn read<T: DeserializeOwned>(
    headers: &HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<T, Problem> {
    const TITLE: &str = "the request makes no sense";
    let body = body.map_err(|rejection| {
        Problem::new(
            rejection.status(),
            "bad-request",
            TITLE,
            rejection.body_text(),
        )
    })?;
    let kind = headers.get(header::CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case("application/json") {
        return Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "bad-request",
            TITLE,
            "the body must be JSON, and `Content-Type: application/json` must say so",
        ));
    }
    serde_json::from_slice(&body).map_err(|error| Problem::bad(error.to_string()))
}
