//! Whether the process lives, serves, and what an app needs is there. Without a token: probes have none, and learn no more
//! than yes or no.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use serde_json::json;

use crate::problem::Problem;
use crate::readiness::{self, Answer, Need};
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
    match readiness::ask(&server, &environment, need).await {
        Answer::Ready => Ok(ready_now()),
        Answer::Missing(why) => Err(Problem::unavailable(&*why)),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;
    use std::sync::Arc;
    use std::time::Duration;

    use axum::body::to_bytes;
    use axum::extract::State;
    use serde_json::{Value as Json, json};
    use tokio::sync::mpsc;
    use whimbrel_engine::Context;
    use whimbrel_report::metrics::Metrics;
    use whimbrel_run::Stop;
    use whimbrel_signal::Scrubber;

    use super::healthz;
    use crate::audience::Nobody;
    use crate::limits::Limits;
    use crate::server::Server;
    use crate::settings::Settings;
    use crate::tokens::Tokens;

    /// A server without sources whose loops may be late by nothing.
    async fn server() -> Arc<Server> {
        let settings = Settings {
            listen: Vec::new(),
            tls: None,
            tokens: Vec::new(),
            folder: ".".into(),
            sources: BTreeMap::new(),
            written: BTreeMap::new(),
            limits: Limits {
                stuck: Duration::ZERO,
                ..Limits::default()
            },
        };
        let scrubber = Scrubber::default();
        let tokens = Tokens::read(&[], Path::new("."), scrubber.clone()).await;
        let context = Context::new(Arc::new(Nobody(scrubber.clone())), scrubber);
        let (guard, _) = mpsc::channel(1);
        Arc::new(Server::new(
            &settings,
            tokens.unwrap(),
            context,
            Metrics::new(),
            Arc::new(Vec::new),
            Stop::default(),
            guard,
        ))
    }

    async fn told(server: &Arc<Server>) -> (u16, Json) {
        let response = healthz(State(Arc::clone(server))).await;
        let status = response.status().as_u16();
        let body = to_bytes(response.into_body(), 1_024).await.unwrap();
        (status, serde_json::from_slice(&body).unwrap())
    }

    #[tokio::test]
    async fn a_loop_without_progress_makes_it_say_no_until_there_is_some() {
        let server = server().await;
        assert_eq!(told(&server).await, (200, json!({"status": "alive"})));
        let loops = ["environment dev", "source shop"].map(|name| server.pulses.begin(name.into()));
        let [environment, source] = &loops;
        environment.beat(Duration::ZERO);
        source.beat(Duration::from_secs(60));
        tokio::time::sleep(Duration::from_millis(5)).await;
        let stuck = json!({"status": "stuck", "loops": ["environment dev"]});
        assert_eq!(told(&server).await, (503, stuck));
        // A run is progress.
        environment.run();
        assert_eq!(told(&server).await, (200, json!({"status": "alive"})));
    }
}
