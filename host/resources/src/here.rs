//! The engine in this process.

use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use serde_json::Value as Json;
use whimbrel_core::fault::{Fault, FaultClass};
use whimbrel_engine::{Audience, Context, Selection};
use whimbrel_plugin::{EngineQuestion, ResourceEngine, StopFlag};
use whimbrel_project::{DefinitionCache, Idle};
use whimbrel_server::Grants;

use crate::belonging::Belonging;
use crate::gathering::Gathering;
use crate::migrations::{self, Kind, Wanted};
use crate::project;
use crate::recorded;
use crate::request::Request;
use crate::sealed::Sealed;
use crate::written::EnvironmentDocument;

/// Finds projects, as the surroundings say what opens them.
pub trait Places: Send + Sync {
    /// What a source, and a branch, tag or commit of it, mean.
    ///
    /// # Errors
    /// They mean nothing.
    fn selection(&self, source: &str, reference: Option<&str>) -> Result<Selection, Fault>;
}

/// The engine in this process, as one call asks it. Clones share what they gather.
#[derive(Clone)]
pub struct Here {
    pub(crate) places: Arc<dyn Places>,
    pub(crate) context: Context,
    pub(crate) sealed: Sealed,
    pub(crate) belonging: Belonging,
    /// What says of an environment where its databases are and what is allowed; else requests say it.
    pub(crate) document: Option<Arc<EnvironmentDocument>>,
    /// What whoever asks may say in place of the document.
    pub(crate) grants: Grants,
    /// On whose behalf it is asked, where that isn't whoever runs it.
    pub(crate) by: String,
    /// Connections between two questions: Terraform asks about each resource by itself.
    pub(crate) idle: Idle,
    /// Migrations that are written in requests, as they were read before.
    pub(crate) cache: DefinitionCache,
    gathering: Gathering<Wanted, Result<Json, Fault>>,
}

impl Here {
    /// An engine that finds projects this way.
    #[must_use]
    pub fn new(places: Arc<dyn Places>, context: Context) -> Self {
        Self {
            places,
            context,
            sealed: Sealed::default(),
            belonging: Belonging::default(),
            document: None,
            grants: Grants::default(),
            by: String::new(),
            idle: Idle::default(),
            cache: DefinitionCache::default(),
            gathering: Gathering::default(),
        }
    }

    /// The same for a call with these sealed values.
    #[must_use]
    pub fn with_sealed(&self, sealed: Sealed) -> Self {
        Self {
            sealed,
            ..self.clone()
        }
    }

    /// The same for migrations that belong to another project.
    pub(crate) fn with_belonging(self, belonging: Belonging) -> Self {
        Self { belonging, ..self }
    }

    /// The same where a document says what the environment is.
    pub(crate) fn with_document(self, document: EnvironmentDocument) -> Self {
        let document = Some(Arc::new(document));
        Self { document, ..self }
    }

    /// The same on behalf of somebody who is granted this much, before whoever hears of its deeds.
    pub(crate) fn on_behalf_of(
        &self,
        by: &str,
        grants: Grants,
        audience: Arc<dyn Audience>,
    ) -> Self {
        let context = self.context.clone().with_actor(by.to_owned());
        Self {
            context: context.with_audience(audience),
            by: by.to_owned(),
            grants,
            ..self.clone()
        }
    }

    async fn answer(
        self,
        question: EngineQuestion,
        request: Json,
        stop: StopFlag,
    ) -> Result<Json, Fault> {
        match Request::read(request)? {
            Request::Project(terms, asked) => {
                project::answer(&self, question, &terms, &asked, &stop).await
            }
            Request::Recorded(terms, name, database) if question == EngineQuestion::Status => {
                recorded::answer(&self, &terms, name, database).await
            }
            Request::Recorded(..) => {
                let message =
                    "`up` of a migration is missing: only how it stands can be asked without";
                Err(Fault::new(FaultClass::Invalid, "engine.request", message))
            }
            // Terraform asks about ten at a time, and opening a database costs more than a question.
            Request::Migration(terms, migration) => {
                let kind = Kind::of(question);
                let project = self.belonging.project()?;
                // What is run together is run on one's behalf.
                let (by, grants) = (&self.by, self.grants);
                let together = format!("{kind:?} {project} {terms:?} {by} {grants:?}");
                let engine = self.clone();
                let answering = move |all: Vec<Wanted>| {
                    async move { migrations::answers(&engine, kind, &terms, all).await }.boxed()
                };
                let wanted = Wanted {
                    question,
                    migration,
                    stop,
                };
                let patience = kind.patience();
                let gathered = self.gathering.ask(together, patience, wanted, answering);
                gathered.await.unwrap_or_else(|| Err(lost()))
            }
        }
    }
}

impl ResourceEngine for Here {
    fn ask(
        &self,
        question: EngineQuestion,
        request: Json,
        stop: StopFlag,
    ) -> BoxFuture<'static, Result<Json, Fault>> {
        let answering = self.clone().answer(question, request, stop.clone());
        if question.changes() {
            // It ends at its own safe points.
            return answering.boxed();
        }
        async move {
            // Who looks may go away: what was asked comes to its end by itself and gives back what was lent for it.
            let answering = tokio::spawn(answering);
            tokio::select! {
                biased;
                answer = answering => answer.unwrap_or_else(|_| Err(lost())),
                () = stop.stopped() => {
                    let message = "it was asked to stop while it looked";
                    Err(Fault::new(FaultClass::Cancelled, "engine.stopped", message))
                }
            }
        }
        .boxed()
    }
}

fn lost() -> Fault {
    let message = "whoever was to answer ended before";
    Fault::new(FaultClass::Internal, "engine.lost", message)
}
