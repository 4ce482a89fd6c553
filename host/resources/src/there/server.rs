//! One question to a server, and what its refusals mean.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value as Json;
use tokio::sync::Mutex;
use whimbrel_core::fault::{Fault, FaultClass};
use whimbrel_server::client::{Answered, AskError, Client, escaped};

use crate::failure::{joined, of_class};

/// How often an order is sent that may not have been heard.
const SENDINGS: u32 = 4;

/// The pause before the first repetition.
const PAUSE: Duration = Duration::from_millis(200);

/// The status of what isn't over yet.
const GOES_ON: u16 = 202;

/// A server that keeps the environment that is meant.
pub struct Server {
    pub(super) client: Client,
    pub(super) place: String,
    pub(super) environment: String,
    /// When each source was looked at last for this provider.
    pub(super) looked: Arc<Mutex<Vec<(String, Instant)>>>,
}

impl Server {
    /// A path of the environment.
    pub fn path(&self, rest: &str) -> String {
        format!("/v1/environments/{}{rest}", escaped(&self.environment))
    }

    /// Gets a document.
    ///
    /// # Errors
    /// The server can't be reached, or says no.
    pub async fn get(&self, path: &str) -> Result<Json, Fault> {
        let answered = self.client.get(path).await;
        self.document(&answered.map_err(|error| self.lost(&error))?)
    }

    /// Asks something that needs a body.
    ///
    /// # Errors
    /// As [`Server::get`].
    pub async fn ask(&self, path: &str, body: &Json) -> Result<Json, Fault> {
        let answered = self.client.post(path, Some(body), None).await;
        self.document(&answered.map_err(|error| self.lost(&error))?)
    }

    /// Gives an order, once however often it has to be sent.
    ///
    /// # Errors
    /// As [`Server::get`].
    pub async fn order(&self, path: &str, body: &Json) -> Result<Json, Fault> {
        self.document(&self.sent(path, body, &key()).await?)
    }

    /// Gives an order that is waited for by sending it again, until it is over.
    ///
    /// # Errors
    /// As [`Server::get`].
    pub async fn order_done(&self, path: &str, body: &Json) -> Result<Json, Fault> {
        let key = key();
        loop {
            let answered = self.sent(path, body, &key).await?;
            if answered.status != GOES_ON {
                return self.document(&answered);
            }
        }
    }

    async fn sent(&self, path: &str, body: &Json, key: &str) -> Result<Answered, Fault> {
        let mut sent = 1;
        loop {
            match self.client.post(path, Some(body), Some(key)).await {
                Ok(answered) => return Ok(answered),
                Err(error) if sent >= SENDINGS => return Err(self.lost(&error)),
                Err(_) => tokio::time::sleep(PAUSE * sent).await,
            }
            sent += 1;
        }
    }

    fn document(&self, answered: &Answered) -> Result<Json, Fault> {
        match (answered.status, &answered.body) {
            (200..=299, Json::Null) => {
                let message = format!("what answers at {} is no `whimbrel serve`", self.place);
                Err(Fault::new(
                    FaultClass::Invalid,
                    "endpoint.stranger",
                    message,
                ))
            }
            (200..=299, body) => Ok(body.clone()),
            // The engine there said it in the words of the one in this process.
            (_, body) if body.get("fault").is_some_and(Json::is_object) => {
                let fault = body.get("fault").cloned().unwrap_or_default();
                Err(serde_json::from_value(fault).unwrap_or_else(|_| self.refusal(answered)))
            }
            _ => Err(self.refusal(answered)),
        }
    }

    /// That it can't be reached.
    pub fn lost(&self, error: &AskError) -> Fault {
        let message = format!("the server at {}: {error}", self.place);
        of_class(FaultClass::Unavailable, "endpoint.unreachable", message)
            .with_hint("`endpoint` of the provider's configuration says where it is")
    }

    fn refusal(&self, answered: &Answered) -> Fault {
        let kind = answered.body.get("type").and_then(Json::as_str);
        let detail = answered.detail();
        let hints = answered.body.get("hints").and_then(Json::as_array);
        let hints = hints.into_iter().flatten().filter_map(Json::as_str);
        let hint = joined(hints.map(str::to_owned).collect());
        let (class, code) = match (answered.status, kind) {
            (_, Some("may-not-approve" | "refused")) => (FaultClass::Denied, "engine.refused"),
            (401 | 403, _) => {
                let message = format!("the server at {} doesn't allow it: {detail}", self.place);
                return Fault::new(FaultClass::Denied, "endpoint.denied", message).with_hint(
                    "`token` of the provider's configuration is a reference to a token that the server knows",
                );
            }
            (_, Some("plan-changed")) => (FaultClass::Conflict, "engine.plan-changed"),
            (_, Some("blocked" | "dependency")) => (FaultClass::Conflict, "engine.blocked"),
            (_, Some("running")) => (FaultClass::Conflict, "endpoint.running"),
            (_, Some("still-defined")) => (FaultClass::Conflict, "endpoint.still-defined"),
            (404, _) => (FaultClass::NotFound, "endpoint.not-found"),
            (429 | 502 | 503 | 504, _) => (FaultClass::Unavailable, "engine.unavailable"),
            _ => (FaultClass::Invalid, "engine.failed"),
        };
        Fault {
            hint,
            ..of_class(class, code, detail)
        }
    }
}

/// What makes an order that is sent again the same.
fn key() -> String {
    format!("{:032x}", fastrand::u128(..))
}
