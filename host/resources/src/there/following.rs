//! Waiting for a server: until it has looked at its source, until it has done what it does by itself, until a run is over.

use std::time::{Duration, Instant};

use serde_json::Value as Json;
use whimbrel_core::fault::{Fault, FaultClass};
use whimbrel_server::client::escaped;

use super::server::Server;
use crate::failure::{Failed, of_class, of_failed};

/// How long a look at a source counts as new.
const NEW: Duration = Duration::from_secs(5);

/// How long what is waited for may take before what is there counts.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long a server may be away while its run goes on.
const AWAY: Duration = Duration::from_secs(60);

/// The shortest and the longest pause between two questions.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

/// Pauses that get longer.
struct Pauses(Duration);

impl Pauses {
    const fn new() -> Self {
        Self(PAUSES.0)
    }

    async fn pause(&mut self) {
        tokio::time::sleep(self.0).await;
        self.0 = (self.0 * 3 / 2).min(PAUSES.1);
    }
}

impl Server {
    /// How the environment is kept.
    ///
    /// # Errors
    /// It can't be asked, or keeps none of that name.
    pub async fn environment(&self) -> Result<Json, Fault> {
        let view = self.get(&self.path("")).await;
        view.map_err(|fault| match fault.class {
            FaultClass::NotFound => Fault {
                pointer: Some("/environment".to_owned()),
                ..fault
            },
            _ => fault,
        })
    }

    /// A source of the server.
    ///
    /// # Errors
    /// It can't be asked.
    pub async fn source(&self, name: &str) -> Result<Json, Fault> {
        let all = self.get("/v1/sources").await?;
        let mut all = all
            .get("sources")
            .and_then(Json::as_array)
            .into_iter()
            .flatten();
        let found = all.find(|source| text(source, "name") == Some(name));
        found.cloned().ok_or_else(|| {
            let message = format!("the server has no source `{name}` any more");
            Fault::new(FaultClass::Conflict, "endpoint.not-found", message)
        })
    }

    /// Has the server look at its source now, where that may be asked of it, and waits until the environment has followed.
    ///
    /// # Errors
    /// It can't be asked, or can't read its source.
    pub async fn look(&self, name: &str) -> Result<(), Fault> {
        let mut looked = self.looked.lock().await;
        looked.retain(|(_, at)| at.elapsed() < NEW);
        if looked.iter().any(|(known, _)| known == name) {
            return Ok(());
        }
        let before = (self.source(name).await?, self.environment().await?);
        let path = format!("/v1/sources/{}/sync", escaped(name));
        let rung = self.client.post(&path, None, None).await;
        let rung = rung.map_err(|error| self.lost(&error))?;
        // Who may only read gets what the server has seen by itself.
        if rung.status == 202 {
            self.followed(name, &before).await?;
            looked.push((name.to_owned(), Instant::now()));
        }
        Ok(())
    }

    async fn followed(
        &self,
        name: &str,
        (source, environment): &(Json, Json),
    ) -> Result<(), Fault> {
        let until = Instant::now() + PATIENCE;
        let mut pauses = Pauses::new();
        loop {
            pauses.pause().await;
            let now = self.source(name).await?;
            let is_over = Instant::now() >= until;
            if now.get("syncedAt") != source.get("syncedAt") {
                break;
            }
            let is_new = source.get("error").is_none();
            if let Some(error) = text(&now, "error").filter(|_| is_over || is_new) {
                let message = format!("the server can't read its source: {error}");
                return Err(of_class(
                    FaultClass::Unavailable,
                    "engine.unavailable",
                    message,
                ));
            }
            if is_over {
                break;
            }
        }
        while Instant::now() < until {
            let now = self.environment().await?;
            let is_stuck = text(&now, "phase") == Some("retrying");
            if is_stuck || now.get("checkedAt") != environment.get("checkedAt") {
                break;
            }
            pauses.pause().await;
        }
        Ok(())
    }

    /// Waits while the server does by itself what it found to do: for so long, or until it is over.
    ///
    /// # Errors
    /// It can't be asked.
    pub async fn settled(&self, patiently: bool) -> Result<(), Fault> {
        let until = Instant::now() + PATIENCE;
        let mut pauses = Pauses::new();
        loop {
            let now = self.environment().await?;
            let is_in_time = Instant::now() < until;
            match text(&now, "phase") {
                Some("applying") if patiently || is_in_time => {}
                Some("starting") if is_in_time => {}
                _ => return Ok(()),
            }
            pauses.pause().await;
        }
    }

    /// Follows a run to its end.
    ///
    /// # Errors
    /// It didn't come to its end on every target, or nobody knows.
    pub async fn followed_run(&self, run: &str) -> Result<(), Fault> {
        let path = format!("/v1/runs/{}", escaped(run));
        let mut pauses = Pauses::new();
        let mut heard = Instant::now();
        loop {
            match self.get(&path).await {
                Ok(view) => {
                    heard = Instant::now();
                    if let Some(outcome) = view.get("outcome") {
                        return ended(outcome);
                    }
                }
                Err(fault) if fault.class == FaultClass::Unavailable && heard.elapsed() < AWAY => {}
                Err(fault) => {
                    let message = format!(
                        "the run `{run}` began, and what became of it isn't known: {}",
                        fault.message
                    );
                    let lost = of_class(FaultClass::Unavailable, "endpoint.run-lost", message);
                    return Err(lost.with_hint("plan again: the databases know"));
                }
            }
            pauses.pause().await;
        }
    }
}

/// What became of a run, in the words of the engine in this process.
fn ended(outcome: &Json) -> Result<(), Fault> {
    if text(outcome, "result") != Some("failed") {
        return Ok(());
    }
    let targets = outcome.get("targets").and_then(Json::as_array);
    let failed = targets.into_iter().flatten().filter_map(|target| {
        Some(Failed {
            target: text(target, "target").unwrap_or_default().to_owned(),
            error: text(target, "error")?,
            committed: text(target, "committed"),
            hint: text(target, "hint"),
        })
    });
    Err(of_failed(failed))
}

/// A text of a document.
pub fn text<'a>(document: &'a Json, name: &str) -> Option<&'a str> {
    document.get(name).and_then(Json::as_str)
}
