//! Deliveries of Git hosts. Without a token: each is proved by a secret of its source.

use std::sync::Arc;

use axum::body::to_bytes;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde_json::json;

use crate::hooks::Refused;
use crate::problem::Problem;
use crate::server::Server;

/// Takes a delivery.
pub(super) async fn deliver(
    State(server): State<Arc<Server>>,
    Path(name): Path<String>,
    request: Request,
) -> Response {
    match take(&server, &name, request).await {
        Ok(answer) => answer,
        Err(Refused { problem, again }) => {
            let mut response = problem.into_response();
            if let Some(seconds) = again {
                response
                    .headers_mut()
                    .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
            }
            response
        }
    }
}

async fn take(server: &Arc<Server>, name: &str, request: Request) -> Result<Response, Refused> {
    let hooks = &server.hooks;
    let hosted = server.sources.get(name).and_then(|source| {
        let receiver = source.hosted()?.receiver.as_ref()?;
        Some((source, receiver))
    });
    let Some((source, receiver)) = hosted else {
        let detail = format!("there is no source `{name}` that takes deliveries");
        return Err(Problem::not_found(detail).into());
    };
    // Before anything is read: what doesn't fit takes no memory.
    let _room = hooks.room(server, source)?;
    let (head, body) = request.into_parts();
    let body = to_bytes(body, server.limits.delivery_bytes);
    let body = match tokio::time::timeout(server.limits.delivery_time, body).await {
        Ok(Ok(body)) => body,
        Ok(Err(error)) => return Err(hooks.unreadable(server, &error)),
        Err(_) => return Err(Problem::bad("the body didn't come").into()),
    };
    let headers: Vec<_> = head
        .headers
        .iter()
        .map(|(name, value)| {
            let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
            (name.as_str().to_owned(), value)
        })
        .collect();
    let taken = hooks
        .take(server, source, receiver, &headers, &body)
        .await?;
    let mut response = super::json(json!({"source": name, "result": taken.as_str()}).to_string());
    *response.status_mut() = if taken.rings() {
        StatusCode::ACCEPTED
    } else {
        StatusCode::OK
    };
    Ok(response)
}
