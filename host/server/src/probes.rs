//! What any process that keeps loops tells of itself, to whoever asks: `/healthz`, `/readyz` and `/metrics`. Nothing else, so
//! that it may be open where the API would ask for a token.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use tokio::sync::{Semaphore, mpsc};
use whimbrel_report::metrics::{Metrics, OPENMETRICS, TEXT};
use whimbrel_run::Stop;

use crate::api::metrics::prefers_openmetrics;
use crate::error::ServeError;
use crate::limits::Limits;
use crate::listen::Listener;
use crate::pulse::Pulses;
use crate::settings::Listen;

/// What is told.
#[derive(Clone)]
pub struct Probed {
    /// The process's loops: alive while each makes progress.
    pub pulses: Pulses,
    /// Whether it does its work.
    pub is_ready: Arc<AtomicBool>,
    /// What it measures.
    pub metrics: Metrics,
    /// Brings up to date what is read off when somebody asks.
    pub measure: Arc<dyn Fn() + Send + Sync>,
    /// When a loop counts as dead.
    pub limits: Arc<Limits>,
}

/// Answers until it is asked to stop; where it listens.
///
/// # Errors
/// The place can't be had.
pub async fn answer(listen: &Listen, probed: Probed, stop: Stop) -> Result<Listen, ServeError> {
    let listener = Listener::bind(listen, None).await?;
    let place = listener.listen.clone();
    let limits = Arc::clone(&probed.limits);
    let connections = Arc::new(Semaphore::new(limits.connections));
    // Nobody waits for the answers that are under way when the process ends.
    let (guard, _) = mpsc::channel(1);
    let router = Router::new()
        .route("/healthz", get(health))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(probed);
    tokio::spawn(listener.serve(router, limits, connections, stop, guard));
    Ok(place)
}

async fn health(State(probed): State<Probed>) -> Response {
    let stuck = probed.pulses.stuck(probed.limits.stuck);
    if stuck.is_empty() {
        return "ok\n".into_response();
    }
    let text = format!("no progress: {}\n", stuck.join(", "));
    (StatusCode::SERVICE_UNAVAILABLE, text).into_response()
}

async fn ready(State(probed): State<Probed>) -> Response {
    if probed.is_ready.load(Ordering::Relaxed) {
        return "ok\n".into_response();
    }
    (StatusCode::SERVICE_UNAVAILABLE, "not ready yet\n").into_response()
}

async fn metrics(State(probed): State<Probed>, headers: HeaderMap) -> Response {
    let accepted = headers
        .get(header::ACCEPT)
        .and_then(|value| value.to_str().ok());
    let as_openmetrics = accepted.is_some_and(prefers_openmetrics);
    let shown = tokio::task::spawn_blocking(move || {
        (probed.measure)();
        if as_openmetrics {
            probed.metrics.render_openmetrics()
        } else {
            probed.metrics.render().to_string()
        }
    });
    let Ok(shown) = shown.await else {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    let kind = if as_openmetrics { OPENMETRICS } else { TEXT };
    let mut response = shown.into_response();
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}
