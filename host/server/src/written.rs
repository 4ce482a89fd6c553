//! Environments of no source: clients write the migrations themselves, where whoever started the server lets them. How such a
//! one is planned and run, the engine behind [`Writing`] knows.

mod orders;

use std::sync::Arc;

use serde_json::Value as Json;
use whimbrel_core::fault::{Fault, FaultClass};
use whimbrel_core::name::ProjectName;
use whimbrel_engine::Audience;
use whimbrel_plugin::{EngineQuestion, ResourceEngine, StopFlag};
use whimbrel_signal::{Bus, Scrubber};

pub(crate) use orders::Orders;

use crate::audience::Listeners;
use crate::server::Server;
use crate::settings::Grants;
use crate::tokens::Caller;

/// What is asked about migrations that clients write, as the provider of Terraform asks it of the engine in its own process.
pub trait Writing: Send + Sync {
    /// The engine on behalf of somebody who is granted this much, before whoever hears of its deeds.
    fn engine(
        &self,
        by: &str,
        grants: Grants,
        audience: Arc<dyn Audience>,
    ) -> Arc<dyn ResourceEngine>;
}

/// An environment whose migrations clients write.
#[derive(Clone)]
pub struct Written {
    project: ProjectName,
    writing: Arc<dyn Writing>,
}

impl Written {
    /// One of this project with this engine.
    #[must_use]
    pub fn new(project: ProjectName, writing: Arc<dyn Writing>) -> Self {
        Self { project, writing }
    }

    /// Refuses who means another project.
    pub(crate) fn require(&self, environment: &str, said: &str) -> Result<(), Fault> {
        let project = &self.project;
        if project.as_str() == said {
            return Ok(());
        }
        let message = format!(
            "what clients write for `{environment}` belongs to project `{project}` of the server, not to `{said}`"
        );
        Err(
            Fault::new(FaultClass::Denied, "written.project", message).with_hint(format!(
                "leave `project` out, or write `project = \"{project}\"`"
            )),
        )
    }

    /// Answers a question on behalf of somebody.
    pub(crate) async fn look(
        &self,
        server: &Server,
        question: EngineQuestion,
        request: Json,
        by: &Caller,
    ) -> Result<Json, Fault> {
        let engine = self.engine(server, by, &request);
        engine.ask(question, request, StopFlag::new()).await
    }

    /// Does what is ordered on behalf of somebody, also when nobody waits for it any more. A server that ends has it come to a
    /// safe point.
    pub(crate) async fn order(
        self,
        server: Arc<Server>,
        question: EngineQuestion,
        request: Json,
        by: Caller,
    ) -> Result<Json, Fault> {
        let ending = || Fault::new(FaultClass::Unavailable, "serve.ending", "this process ends");
        // It is waited for as long as this is held.
        let guard = server.guard().ok_or_else(ending)?;
        let (flag, stop) = (StopFlag::new(), server.stop.clone());
        let engine = self.engine(&server, &by, &request);
        let asking = engine.ask(question, request, flag.clone());
        let stopping = async move {
            stop.requested().await;
            flag.stop();
            stop.insisted().await;
        };
        let done = tokio::select! {
            biased;
            done = asking => done,
            () = stopping => Err(ending()),
        };
        drop(guard);
        done
    }

    fn engine(&self, server: &Server, by: &Caller, request: &Json) -> Arc<dyn ResourceEngine> {
        let environment = request.get("environment").and_then(Json::as_str);
        let hearing = Hearing {
            environment: environment.unwrap_or_default().to_owned(),
            listeners: Arc::clone(&server.listeners),
            scrubber: server.context.scrubber().clone(),
        };
        self.writing.engine(&by.name, by.grants, Arc::new(hearing))
    }
}

impl std::fmt::Debug for Written {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Written").finish_non_exhaustive()
    }
}

/// Who hears of what is done: those who hear of everything.
struct Hearing {
    environment: String,
    listeners: Listeners,
    scrubber: Scrubber,
}

impl Audience for Hearing {
    fn notice(&self, text: &str) {
        tracing::info!(environment = %self.environment, "{text}");
    }

    fn bus(&self) -> Bus {
        Bus::new((self.listeners)(), self.scrubber.clone())
    }
}
