//! Migrations that clients write, of environments that are there for that.

use std::sync::Arc;

use axum::Extension;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::Next;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use whimbrel_core::fault::Fault;
use whimbrel_plugin::EngineQuestion;

use super::environments::said as text;
use super::orders::{key, read};
use crate::problem::Problem;
use crate::said::{self, Databases, Parameters};
use crate::server::Server;
use crate::tokens::Caller;
use crate::written::Written;

/// One migration, as whoever asks has it.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Body {
    name: String,
    database: String,
    /// What the client takes it to belong to.
    #[serde(skip_serializing_if = "Option::is_none")]
    project: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    up: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    down: Option<String>,
    #[serde(default)]
    parameters: Parameters,
    /// How its database is reached, in place of what the document says.
    #[serde(default, skip_serializing_if = "Databases::is_empty")]
    databases: Databases,
    #[serde(default)]
    allow_destructive: bool,
}

impl Body {
    /// What the engine is asked.
    fn request(&self, environment: &str) -> Json {
        let mut migration = json!({ "name": self.name, "database": self.database });
        if let Some(fields) = migration.as_object_mut() {
            for (name, text) in [("up", &self.up), ("down", &self.down)] {
                if let Some(text) = text {
                    fields.insert(name.to_owned(), json!(text));
                }
            }
        }
        json!({
            "migration": migration,
            "environment": environment,
            "parameters": self.parameters,
            "databases": self.databases,
            "allowDestructive": self.allow_destructive,
        })
    }
}

/// Lets in only so many at once, whose texts are kept in memory.
pub(super) async fn in_turn(
    State(server): State<Arc<Server>>,
    request: Request,
    next: Next,
) -> Response {
    let _turn = server.writers.acquire().await;
    next.run(request).await
}

/// Answers what it would come to, or how it stands.
pub(super) async fn look(
    State(server): State<Arc<Server>>,
    Path(environment): Path<String>,
    Extension(caller): Extension<Caller>,
    Extension(question): Extension<EngineQuestion>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    let written = find(&server, &environment)?;
    let body = read::<Body>(&headers, body)?;
    require(&server, &written, &environment, &body, &caller)?;
    let request = body.request(&environment);
    let answer = written.look(&server, question, request, &caller).await;
    answered(&server, answer)
}

/// Applies it, or takes it back.
pub(super) async fn order(
    State(server): State<Arc<Server>>,
    Path(environment): Path<String>,
    Extension(caller): Extension<Caller>,
    Extension(question): Extension<EngineQuestion>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    let written = find(&server, &environment)?;
    let body = read::<Body>(&headers, body)?;
    require(&server, &written, &environment, &body, &caller)?;
    let key = key(&server, &headers, &caller)?;
    let key = key.ok_or_else(|| {
        Problem::bad("an order about a migration that is written here needs an `Idempotency-Key`")
            .hint("sent again with the same key, it is waited for and not begun again")
    })?;
    let request = body.request(&environment);
    let words = format!("{} {request}", question.as_str());
    let (by, name) = (&caller.name, body.name);
    let given = server
        .context
        .scrubber()
        .scrub(&json!(body.databases).to_string());
    tracing::info!(%environment, %by, migration = %name, order = question.as_str(), databases = %given, "a migration that a client writes");
    let work = written.order(Arc::clone(&server), question, request, caller);
    let going = server.written_orders.once(key, &words, work)?;
    match tokio::time::timeout(server.limits.written_patience, going).await {
        Ok(done) => answered(&server, done),
        Err(_) => {
            let goes_on = json!({ "environment": environment, "migration": name });
            let mut response = super::json(goes_on.to_string());
            *response.status_mut() = StatusCode::ACCEPTED;
            Ok(response)
        }
    }
}

fn find(server: &Server, name: &str) -> Result<Written, Problem> {
    let written = server.written.get(name).cloned();
    written.ok_or_else(|| {
        Problem::not_found(format!(
            "the server takes no migrations for `{name}` that are written by clients"
        ))
        .hint("whoever runs the server names such an environment to it by `--written`")
    })
}

fn require(
    server: &Server,
    written: &Written,
    environment: &str,
    body: &Body,
    caller: &Caller,
) -> Result<(), Problem> {
    let is_granted = caller.grants.databases || body.databases.is_empty();
    said::require(is_granted, "databases", &caller.name)
        .map_err(|fault| problem(server, &fault))?;
    let Some(said) = &body.project else {
        return Ok(());
    };
    let required = written.require(environment, said);
    required.map_err(|fault| problem(server, &fault))
}

fn answered(server: &Server, answer: Result<Json, Fault>) -> Result<Response, Problem> {
    let document = answer.map_err(|fault| problem(server, &fault))?;
    Ok(text(server, &document.to_string()))
}

fn problem(server: &Server, fault: &Fault) -> Problem {
    Problem::of_fault(fault).scrubbed(server.context.scrubber())
}
