//! The API: paths, who may use them, and bounds on every request.

mod asked;
mod entry;
mod environments;
mod health;
mod hooks;
pub(crate) mod metrics;
mod orders;
mod runs;
mod summaries;
mod written;

use std::sync::Arc;

use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Extension, Router};
use whimbrel_plugin::EngineQuestion;

use crate::problem::Problem;
use crate::server::Server;

/// What the API says of itself.
const OPENAPI: &str = include_str!("openapi.json");

/// All paths.
pub(crate) fn router(server: Arc<Server>) -> Router {
    let open = Router::new()
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz))
        .route("/readyz/{environment}", get(health::ready))
        .route("/openapi.json", get(openapi))
        // A delivery brings its own proof.
        .route("/hooks/{source}", post(hooks::deliver));
    let of = |rest: &str| format!("/v1/environments/{{environment}}{rest}");
    let read = Router::new()
        .route("/metrics", get(metrics::metrics))
        .route("/v1/sources", get(environments::sources))
        .route("/v1/environments", get(environments::all))
        .route(&of(""), get(environments::one))
        .route(&of("/status"), get(environments::status))
        .route(&of("/status/summary"), get(summaries::status))
        .route(&of("/status"), post(environments::status_with))
        .route(&of("/status/summary"), post(summaries::status_with))
        .route(&of("/plan"), get(environments::plan))
        .route(&of("/plan/summary"), get(summaries::plan))
        .route(&of("/plan"), post(environments::plan_with))
        .route(&of("/plan/summary"), post(summaries::plan_with))
        .route(&of("/history"), get(environments::history))
        .route(&of("/runs"), get(runs::of))
        .route("/v1/runs/{run}", get(runs::one))
        .route("/v1/runs/{run}/events", get(runs::events))
        .layer(from_fn_with_state(Arc::clone(&server), entry::may_read));
    let apply = Router::new()
        .route("/v1/sources/{source}/sync", post(environments::sync))
        .route(&of("/apply"), post(orders::apply))
        .route(&of("/revert"), post(orders::revert))
        .layer(from_fn_with_state(Arc::clone(&server), entry::may_apply));
    let turn = || from_fn_with_state(Arc::clone(&server), written::in_turn);
    let room = || DefaultBodyLimit::max(server.limits.written_bytes);
    let about = Extension::<EngineQuestion>;
    let look = Router::new()
        .route(
            "/v1/written/{environment}/plan",
            post(written::look).layer(about(EngineQuestion::Plan)),
        )
        .route(
            "/v1/written/{environment}/status",
            post(written::look).layer(about(EngineQuestion::Status)),
        )
        .layer(room())
        .layer(turn())
        .layer(from_fn_with_state(Arc::clone(&server), entry::may_read));
    let write = Router::new()
        .route(
            "/v1/written/{environment}/apply",
            post(written::order).layer(about(EngineQuestion::Apply)),
        )
        .route(
            "/v1/written/{environment}/revert",
            post(written::order).layer(about(EngineQuestion::Revert)),
        )
        .layer(room())
        .layer(turn())
        .layer(from_fn_with_state(Arc::clone(&server), entry::may_write));
    open.merge(read)
        .merge(apply)
        .merge(look)
        .merge(write)
        .fallback(async || Problem::not_found("there is nothing at this path"))
        .method_not_allowed_fallback(async || {
            Problem::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "bad-request",
                "the request makes no sense",
                "this path has no such method",
            )
        })
        .layer(DefaultBodyLimit::max(server.limits.body_bytes))
        .layer(from_fn_with_state(Arc::clone(&server), entry::bounded))
        .with_state(server)
}

async fn openapi() -> Response {
    json(OPENAPI.to_owned())
}

/// JSON that is text already.
pub(crate) fn json(text: String) -> Response {
    let mut response = text.into_response();
    let kind = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value as Json;

    use super::OPENAPI;

    /// A router doesn't say what is in it, so this reads how it is made.
    fn served() -> BTreeSet<(String, String)> {
        let text = include_str!("mod.rs").split("#[cfg(test)]").next();
        let routes = text.unwrap().split(".route(").skip(1);
        routes
            .map(|route| {
                let (before, rest) = route.split_once('"').unwrap();
                let (path, rest) = rest.split_once('"').unwrap();
                let method = rest.trim_start_matches(|c: char| !c.is_alphabetic());
                let method = method.split_once('(').unwrap().0;
                let prefix = match before.trim() {
                    "" => "",
                    "&of(" => "/v1/environments/{environment}",
                    other => panic!("a route is made by `{other}`"),
                };
                (method.to_owned(), format!("{prefix}{path}"))
            })
            .collect()
    }

    #[test]
    fn what_is_served_is_described_and_nothing_else() {
        let document: Json = serde_json::from_str(OPENAPI).unwrap();
        let paths = document["paths"].as_object().unwrap();
        let described: BTreeSet<_> = paths
            .iter()
            .flat_map(|(path, operations)| {
                let methods = operations.as_object().unwrap().keys();
                methods.map(|method| (method.clone(), path.clone()))
            })
            .collect();
        assert_eq!(served(), described);
    }
}
