//! Whether the process lives, serves, and what an app needs is there. Without a token: probes have none, and learn no more
//! than yes or no.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use serde_json::json;

use crate::problem::Problem;
use crate::readiness::{Answer, Need};
use crate::server::Server;

/// Whether every loop makes progress.
pub(super) async fn healthz(State(server): State<Arc<Server>>) -> Response {
    let stuck = server.pulses.stuck(server.limits.stuck);
    if stuck.is_empty() {
        return super::json(json!({"status": "alive"}).to_string());
    }
    let mut response = super::json(json!({"status": "stuck", "loops": stuck}).to_string());
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    response
}

/// Whether this process serves: it knows its environments, and isn't about to end.
pub(super) async fn readyz(State(server): State<Arc<Server>>) -> Response {
    if server.stop.is_requested() {
        return Problem::unavailable("this process ends").into_response();
    }
    match server.sources.values().find(|source| !source.is_known()) {
        Some(source) => {
            let why = format!("the source `{}` hasn't been read yet", source.name);
            Problem::unavailable(why).into_response()
        }
        None => ready_now(),
    }
}

fn ready_now() -> Response {
    super::json(json!({"status": "ready"}).to_string())
}

/// What somebody needs.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    migration: Option<String>,
    revision: Option<String>,
}

/// Whether it is there.
pub(super) async fn ready(
    State(server): State<Arc<Server>>,
    Path(name): Path<String>,
    Query(asked): Query<Asked>,
) -> Result<Response, Problem> {
    let need = match (asked.migration, asked.revision) {
        (None, None) => Need::Nothing,
        (Some(migration), None) => {
            let name = migration.parse();
            Need::Migration(name.map_err(|error| Problem::bad(format!("`migration`: {error}")))?)
        }
        (None, Some(revision)) => Need::Revision(revision),
        (Some(_), Some(_)) => return Err(Problem::bad("either `migration` or `revision`")),
    };
    let Some(environment) = server.environment(&name) else {
        // It may still come, so this is no error of whoever waits for it.
        let why = format!("there is no environment `{name}` yet");
        return Err(Problem::unavailable(why));
    };
    // Few at once: each opens connections.
    let _turn = server.readers.acquire().await;
    let desired = environment.desired();
    match environment.readiness.ask(need, desired.as_deref()).await {
        Answer::Ready => Ok(ready_now()),
        Answer::Missing(why) => Err(Problem::unavailable(why)),
    }
}
