//! Runs, and what happens in them as it happens.

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use futures::stream;
use serde_json::json;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use whimbrel_run::Stop;

use super::environments::find;
use crate::problem::Problem;
use crate::runs::{Numbered, Run};
use crate::server::Server;

/// The newest runs of an environment that this process remembers.
pub(super) async fn of(
    State(server): State<Arc<Server>>,
    Path(name): Path<String>,
) -> Result<Response, Problem> {
    find(&server, &name)?;
    Ok(super::json(
        json!({"runs": server.runs.of(&name)}).to_string(),
    ))
}

/// One run.
pub(super) async fn one(
    State(server): State<Arc<Server>>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let run = run(&server, &id)?;
    Ok(super::json(json!(run.view()).to_string()))
}

/// What happens in a run, as server-sent events: what is remembered, then what comes, until it is over. A reader that is
/// too slow is told so and dropped; `Last-Event-ID` goes on where it was.
pub(super) async fn events(
    State(server): State<Arc<Server>>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let run = run(&server, &id)?;
    let permit = Arc::clone(&server.streams).try_acquire_owned();
    let permit = permit.map_err(|_| Problem::busy("too many streams of events"))?;
    let after = headers
        .get("last-event-id")
        .and_then(|id| id.to_str().ok()?.parse().ok())
        .unwrap_or(0);
    let following = run.follow(after);
    let follower = Follower {
        past: following.past.into_iter(),
        live: following.live,
        stop: server.stop.clone(),
        pause: server.limits.stream_pause,
        _permit: permit,
    };
    let stream = stream::unfold(follower, async |mut follower| {
        let text = follower.next().await?;
        Some((Ok::<_, Infallible>(Bytes::from(text)), follower))
    });
    let mut response = Response::new(Body::from_stream(stream));
    let kind = HeaderValue::from_static("text/event-stream");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    Ok(response)
}

fn run(server: &Server, id: &str) -> Result<Arc<Run>, Problem> {
    server.runs.get(id).ok_or_else(|| {
        Problem::not_found(format!("this process remembers no run `{id}`"))
            .hint("`history` of its environment is in the databases")
    })
}

/// Somebody who reads a run's events.
struct Follower {
    past: std::vec::IntoIter<Numbered>,
    live: Option<Receiver<Numbered>>,
    stop: Stop,
    pause: std::time::Duration,
    _permit: OwnedSemaphorePermit,
}

impl Follower {
    async fn next(&mut self) -> Option<String> {
        if let Some(event) = self.past.next() {
            return Some(written(&event));
        }
        let live = self.live.as_mut()?;
        tokio::select! {
            received = live.recv() => match received {
                Ok(event) => {
                    if event.1.contains(r#""event":"runFinished""#) {
                        self.live = None;
                    }
                    Some(written(&event))
                }
                Err(RecvError::Lagged(missed)) => {
                    self.live = None;
                    Some(format!("event: dropped\ndata: {}\n\n", json!({"missed": missed})))
                }
                Err(RecvError::Closed) => None,
            },
            () = self.stop.insisted() => None,
            () = tokio::time::sleep(self.pause) => Some(": still there\n\n".to_owned()),
        }
    }
}

fn written((number, text): &Numbered) -> String {
    format!("id: {number}\ndata: {text}\n\n")
}
