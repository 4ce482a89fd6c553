//! The engine of a `whimbrel serve` elsewhere, asked over HTTP for the same answers.

mod following;
mod migration;
mod project;
mod said;
mod server;

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use serde_json::Value as Json;
use tokio::sync::Mutex;
use whimbrel_core::environment::SecretReference;
use whimbrel_core::fault::{Fault, FaultClass};
use whimbrel_plugin::{EngineQuestion, ResourceEngine, StopFlag};
use whimbrel_secrets::Resolver;
use whimbrel_server::client::{Client, Place};
use whimbrel_signal::Scrubber;

use crate::belonging::Belonging;
use crate::endpoint::Endpoint;
use crate::failure::of_class;
use crate::request::Request;
use crate::sealed::Sealed;
use migration::Said;
use server::Server;

/// A server, as calls ask it. Clones share when its sources were looked at last.
#[derive(Clone)]
pub struct There {
    at: Option<(Place, Option<SecretReference>)>,
    /// What migrations that are written in Terraform belong to, where that is said.
    belonging: Option<Belonging>,
    /// The sealed values of the call that asks.
    sealed: Sealed,
    resolver: Resolver,
    looked: Arc<Mutex<Vec<(String, Instant)>>>,
}

impl There {
    /// The server that is meant; none if this process does the work.
    #[must_use]
    pub fn new(
        endpoint: Endpoint,
        belonging: Option<Belonging>,
        scrubber: Scrubber,
    ) -> Option<Self> {
        let at = match endpoint {
            Endpoint::Here => return None,
            Endpoint::Unknown => None,
            Endpoint::There { place, token } => Some((place, token)),
        };
        Some(Self {
            at,
            belonging,
            sealed: Sealed::default(),
            resolver: Resolver::new(Path::new("."), scrubber),
            looked: Arc::default(),
        })
    }

    /// The same for a call with these sealed values.
    #[must_use]
    pub fn with_sealed(self, sealed: Sealed) -> Self {
        Self { sealed, ..self }
    }

    async fn answer(
        self,
        question: EngineQuestion,
        request: Json,
        stop: StopFlag,
    ) -> Result<Json, Fault> {
        let request = Request::read(request)?;
        tokio::select! {
            answer = self.ask(question, &request) => answer,
            () = stop.stopped() => {
                let message = "it was asked to stop; what the server has begun goes on there";
                Err(Fault::new(FaultClass::Cancelled, "endpoint.cancelled", message))
            }
        }
    }

    async fn ask(&self, question: EngineQuestion, request: &Request) -> Result<Json, Fault> {
        let Some((place, token)) = &self.at else {
            let message = "the server that is to do it isn't known yet";
            return Err(of_class(
                FaultClass::Unavailable,
                "endpoint.unknown",
                message,
            ));
        };
        let over = said::said(request.terms(), &self.sealed);
        let over = over.map_err(|fault| at_its_attribute(fault, request))?;
        let token = match token {
            None => None,
            Some(reference) => Some(self.token(reference).await?),
        };
        let server = Server {
            client: Client::new(place.clone(), token),
            place: place.to_string(),
            environment: request.terms().environment.to_string(),
            looked: Arc::clone(&self.looked),
        };
        let (terms, said) = match request {
            Request::Project(terms, asked) => {
                let answer = project::answer(&server, question, terms, asked, over).await;
                return answer.map_err(|fault| at_its_attribute(fault, request));
            }
            Request::Migration(terms, migration) => (terms, Said::Whole(migration)),
            Request::Recorded(terms, name, database) => (terms, Said::Name(name, database)),
        };
        let project = self.belonging.as_ref().map(Belonging::project);
        let answer = migration::answer(&server, question, terms, project.transpose()?, said, over);
        answer
            .await
            .map_err(|fault| at_its_attribute(fault, request))
    }

    async fn token(&self, reference: &SecretReference) -> Result<secrecy::SecretString, Fault> {
        let read = self.resolver.resolve(reference).await;
        read.map_err(|error| Fault {
            hint: error.hint(),
            ..Fault::new(
                FaultClass::Invalid,
                "endpoint.token",
                format!("the `token` of the provider can't be read: {error}"),
            )
        })
    }
}

/// What is wrong with how a database is reached, at the attribute whose line Terraform shows.
fn at_its_attribute(fault: Fault, request: &Request) -> Fault {
    let database = match request {
        Request::Project(..) => {
            let pointer = fault.pointer.as_deref();
            let is_part = pointer.is_some_and(|it| it.starts_with("/databases/"));
            return Fault {
                pointer: if is_part {
                    Some("/databases".to_owned())
                } else {
                    fault.pointer
                },
                ..fault
            };
        }
        Request::Migration(_, migration) => &migration.database,
        Request::Recorded(_, _, database) => database,
    };
    migration::at_its_attribute(fault, request.terms(), database)
}

impl ResourceEngine for There {
    fn ask(
        &self,
        question: EngineQuestion,
        request: Json,
        stop: StopFlag,
    ) -> BoxFuture<'static, Result<Json, Fault>> {
        self.clone().answer(question, request, stop).boxed()
    }
}
