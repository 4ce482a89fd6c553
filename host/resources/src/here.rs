//! The engine in this process.

use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use serde_json::Value as Json;
use tempfile::TempDir;
use whimbrel_core::fault::Fault;
use whimbrel_core::history::History;
use whimbrel_core::name::MigrationName;
use whimbrel_core::plan::Goal;
use whimbrel_engine::{
    Closing, Context, EngineError, Meanwhile, Opened, Passing, Prepared, Selection, prepare_revert,
    publish,
};
use whimbrel_plugin::{EngineQuestion, ResourceEngine, StopFlag};
use whimbrel_project::{Control, Location, Opening, Verification};
use whimbrel_run::Stop;

use crate::answer::{self, Standing};
use crate::failure::{fault, of_project, of_run};
use crate::inline;
use crate::request::{ProjectRequest, Request};
use crate::sealed::{SEALED, Sealed};

/// Finds projects, as the surroundings say what opens them.
pub trait Places: Send + Sync {
    /// What a source, and a branch, tag or commit of it, mean.
    ///
    /// # Errors
    /// They mean nothing.
    fn selection(&self, source: &str, reference: Option<&str>) -> Result<Selection, Fault>;
}

/// The engine in this process, as one call asks it.
#[derive(Clone)]
pub struct Here {
    places: Arc<dyn Places>,
    context: Context,
    sealed: Sealed,
}

/// An environment that was opened for a request.
struct Asked {
    opened: Opened,
    closing: Closing,
    /// Where the project is written, if that is here.
    _folder: Option<TempDir>,
}

impl Here {
    /// An engine that finds projects this way.
    #[must_use]
    pub fn new(places: Arc<dyn Places>, context: Context) -> Self {
        Self {
            places,
            context,
            sealed: Sealed::default(),
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

    async fn answer(
        &self,
        question: EngineQuestion,
        request: Json,
        stop: StopFlag,
    ) -> Result<Json, Fault> {
        let request = Request::read(request)?;
        let asked = self.open(&request, question).await?;
        let mut answer = answered(&asked.opened, question, &request, stop).await;
        asked.closing.close().await;
        if let (Ok(Json::Object(fields)), EngineQuestion::Status, Some(project)) =
            (&mut answer, question, &request.project)
        {
            let head = self.head(&request, project).await?;
            fields.insert("head".to_owned(), head.into());
        }
        answer
    }

    /// The commit that the source's ref means now.
    async fn head(
        &self,
        request: &Request,
        project: &ProjectRequest,
    ) -> Result<Option<String>, Fault> {
        if is_work_tree(project) {
            return Ok(None);
        }
        let reference = project.reference.as_deref();
        let selection = self.places.selection(&project.source, reference)?;
        let opening = begin(request, selection).await?;
        Ok(opening.revision().map(|revision| revision.commit.clone()))
    }

    async fn open(&self, request: &Request, question: EngineQuestion) -> Result<Asked, Fault> {
        let mut said = request.overriding(&self.sealed)?;
        let mut folder = None;
        let mut selection = match (&request.project, &request.migration) {
            (Some(project), _) => self.places.selection(&project.source, commit(project))?,
            (None, Some(migration)) => {
                let written = inline::write(request, migration, &mut said)?;
                let at = written.path().to_path_buf();
                folder = Some(written);
                Selection {
                    place: Location {
                        folder: at,
                        reference: None,
                    }
                    .into(),
                    control_ref: None,
                    verification: Verification::default(),
                    signing: None,
                    cache: None,
                    environment: None,
                    databases: Vec::new(),
                }
            }
            (None, None) => {
                return Err(fault(&EngineError::NoEnvironment {
                    folder: String::new(),
                }));
            }
        };
        let closing = Closing::default();
        let context = self
            .context
            .clone()
            .with_closing(closing.clone())
            .with_backend(SEALED, Arc::new(self.sealed.clone()));
        selection.environment = Some(request.environment.to_string());
        let opening = begin(request, selection.clone()).await?;
        let name = request.environment.as_str();
        let opening = opening.with_override(name, &said).map_err(of_project)?;
        let meanwhile = if question.changes() {
            Meanwhile::ReadToRun
        } else {
            Meanwhile::Read
        };
        let opened = Opened::of(opening, &selection, &context, meanwhile).await;
        match opened {
            Ok(opened) => Ok(Asked {
                opened,
                closing,
                _folder: folder,
            }),
            Err(error) => {
                closing.close().await;
                Err(fault(&error))
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
        let engine = self.clone();
        async move { engine.answer(question, request, stop).await }.boxed()
    }
}

/// The commit that was planned, where the source says it by commits; a work tree is as it is.
fn commit(project: &ProjectRequest) -> Option<&str> {
    let planned = project.revision.as_deref();
    let planned = planned.filter(|_| !is_work_tree(project));
    planned.or(project.reference.as_deref())
}

fn is_work_tree(project: &ProjectRequest) -> bool {
    project.reference.is_none() && std::path::Path::new(&project.source).is_dir()
}

async fn begin(request: &Request, mut selection: Selection) -> Result<Opening, Fault> {
    selection.environment = Some(request.environment.to_string());
    let control = Control::Environment(selection.environment.clone());
    let opening =
        tokio::task::spawn_blocking(move || whimbrel_engine::opening(&selection, control)).await;
    let opening = opening.map_err(|error| fault(&EngineError::Task(error)))?;
    opening.map_err(|error| fault(&error))
}

async fn answered(
    opened: &Opened,
    question: EngineQuestion,
    request: &Request,
    stop: StopFlag,
) -> Result<Json, Fault> {
    let passing = Passing {
        destructive_confirmed: request.allow_destructive,
        ..Passing::default()
    };
    match question {
        EngineQuestion::Status => status(opened, request).await,
        EngineQuestion::Plan => {
            let prepared = Prepared::new(opened, goal(request), passing).await;
            let prepared = prepared.map_err(|error| fault(&error))?;
            match &request.migration {
                Some(migration) => answer::planned_migration(opened, &prepared, migration),
                None => Ok(answer::planned(opened, &prepared)),
            }
        }
        EngineQuestion::Apply => {
            let prepared = Prepared::new(opened, goal(request), passing).await;
            let prepared = prepared.map_err(|error| fault(&error))?;
            let digest = prepared.plan().digest().to_string();
            // Whatever was planned, it is done.
            let is_done =
                prepared.plan().is_empty() && EngineError::blocked(prepared.plan()).is_none();
            let named = request.plan.as_deref().filter(|_| !is_done);
            run(opened, prepared, named, stop).await?;
            let mut answer = status(opened, request).await?;
            if let Some(fields) = answer.as_object_mut() {
                fields.insert("digest".to_owned(), Json::String(digest));
            }
            Ok(answer)
        }
        EngineQuestion::Revert => {
            let names = meant(opened, request).await?;
            if !names.is_empty() {
                let prepared = prepare_revert(opened, names, passing).await;
                let prepared = prepared.map_err(|error| fault(&error))?;
                run(opened, prepared, None, stop).await?;
            }
            status(opened, request).await
        }
    }
}

/// A migration that is the whole of its project says nothing of others.
const fn goal(request: &Request) -> Goal {
    if request.migration.is_some() {
        Goal::Add
    } else {
        Goal::Apply
    }
}

async fn run(
    opened: &Opened,
    prepared: Prepared,
    named: Option<&str>,
    stop: StopFlag,
) -> Result<(), Fault> {
    let admitted = prepared.admit(opened, named).await;
    let Some(admitted) = admitted.map_err(|error| fault(&error))? else {
        return Ok(());
    };
    let stopping = Stop::default();
    let outcome = {
        let running = admitted.run(opened, stopping.clone());
        tokio::pin!(running);
        tokio::select! {
            biased;
            outcome = &mut running => outcome,
            () = stop.stopped() => {
                stopping.request();
                running.await
            }
        }
    };
    if !outcome.is_success() {
        return Err(of_run(&outcome, opened.context.scrubber()));
    }
    publish(opened, outcome.unchanged()).await;
    Ok(())
}

/// What is to be reverted: the migration of the request, or everything. What isn't applied is reverted already.
async fn meant(opened: &Opened, request: &Request) -> Result<Vec<MigrationName>, Fault> {
    let histories = all(opened).await?;
    let records = histories.iter().flat_map(|history| &history.records);
    let named = request.migration.as_ref().map(|migration| &migration.name);
    let mut names: Vec<MigrationName> = records
        .filter(|record| match named {
            Some(name) => &record.name == name,
            None => request.all,
        })
        .map(|record| record.name.clone())
        .collect();
    names.sort();
    names.dedup();
    Ok(names)
}

async fn status(opened: &Opened, request: &Request) -> Result<Json, Fault> {
    let mut known = std::collections::BTreeMap::new();
    for (target, history) in opened.histories().await {
        let history = history.map_err(of_project)?;
        known.insert(target, history);
    }
    if let Some(migration) = &request.migration {
        return Ok(answer::migration(opened, migration, known.values()));
    }
    let standing = Standing::of(opened, &known).map_err(|error| fault(&error))?;
    Ok(standing.json())
}

async fn all(opened: &Opened) -> Result<Vec<History>, Fault> {
    let read = opened.histories().await;
    let read = read.into_iter().map(|(_, history)| history);
    read.collect::<Result<_, _>>().map_err(of_project)
}
