//! What a request is about, opened.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use whimbrel_core::fault::Fault;
use whimbrel_engine::{
    Closing, Context, EngineError, Meanwhile, Opened, Prepared, Selection, publish,
};
use whimbrel_git::Repository;
use whimbrel_plugin::StopFlag;
use whimbrel_project::{Control, Opening, Override, Place};
use whimbrel_run::Stop;

use crate::failure::{fault, of_project, of_run};
use crate::here::Here;
use crate::inline;
use crate::request::{MigrationRequest, SourceRequest, Terms};
use crate::sealed::SEALED;
use crate::written;

/// An environment that was opened for a request.
pub struct Asked {
    /// The environment.
    pub opened: Opened,
    closing: Closing,
}

impl Asked {
    /// An environment of a project of its own.
    ///
    /// # Errors
    /// It can't be opened.
    pub async fn project(
        here: &Here,
        terms: &Terms,
        source: &SourceRequest,
        meanwhile: Meanwhile,
    ) -> Result<Self, Fault> {
        let said = terms.overriding(&here.sealed)?;
        let selection = here.places.selection(source.place()?, commit(source))?;
        Self::open(here, terms, selection, (&said, &[]), meanwhile).await
    }

    /// An environment that has only these migrations.
    ///
    /// # Errors
    /// It can't be opened.
    pub async fn migrations(
        here: &Here,
        terms: &Terms,
        migrations: &[&MigrationRequest],
        meanwhile: Meanwhile,
    ) -> Result<Self, Fault> {
        let mut said = terms.overriding(&here.sealed)?;
        let project = here.belonging.project()?;
        let (place, databases) = match &here.document {
            None => {
                let place = inline::write(project, &terms.environment, migrations, &mut said)?;
                (place, BTreeSet::new())
            }
            Some(document) => {
                let place = Place::Written {
                    tree: inline::with_document(project, document, migrations),
                    folder: document.folder.clone(),
                };
                let all = migrations.iter();
                (
                    place,
                    all.map(|migration| migration.database.clone()).collect(),
                )
            }
        };
        let selection = Selection {
            // Terraform asks about each more than once.
            cache: Some(here.cache.clone()),
            databases: databases.into_iter().collect(),
            ..written::selection(place)
        };
        Self::open(here, terms, selection, (&said, migrations), meanwhile).await
    }

    async fn open(
        here: &Here,
        terms: &Terms,
        mut selection: Selection,
        (said, migrations): (&Override, &[&MigrationRequest]),
        meanwhile: Meanwhile,
    ) -> Result<Self, Fault> {
        selection.environment = Some(terms.environment.to_string());
        let opening = begin(selection.clone()).await?;
        let name = terms.environment.as_str();
        if let Some(document) = &here.document {
            let environment = opening.environment(name).map_err(of_project)?;
            document.require(environment, here.grants, said, migrations)?;
        } else if migrations.is_empty() {
            require_known(&opening, name, said)?;
        }
        let opening = opening.with_override(name, said).map_err(of_project)?;
        let closing = Closing::default();
        let context = context(here, &closing);
        match Opened::of(opening, &selection, &context, meanwhile).await {
            Ok(opened) => Ok(Self { opened, closing }),
            Err(error) => {
                closing.close().await;
                Err(fault(&error))
            }
        }
    }

    /// Runs what was prepared, and nothing else if a plan is named. Passes on that it should stop.
    ///
    /// # Errors
    /// It may not be run, or didn't come to its end on every target.
    pub async fn run(
        &self,
        prepared: Prepared,
        named: Option<&str>,
        stop: &StopFlag,
    ) -> Result<(), Fault> {
        let opened = &self.opened;
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

    /// Gives back what was lent for it.
    pub async fn close(self) {
        self.closing.close().await;
    }
}

/// Refuses values of parameters that an environment of a project hasn't got.
fn require_known(opening: &Opening, name: &str, said: &Override) -> Result<(), Fault> {
    let environment = opening.environment(name).map_err(of_project)?;
    said.require_known(environment).map_err(|error| Fault {
        pointer: Some("/parameters".to_owned()),
        ..of_project(error)
    })
}

/// The commit that a source's ref means now; none of a work tree.
///
/// # Errors
/// It can't be found out.
pub async fn head(
    here: &Here,
    terms: &Terms,
    source: &SourceRequest,
) -> Result<Option<String>, Fault> {
    if is_work_tree(source) {
        return Ok(None);
    }
    let reference = source.reference.as_deref();
    let mut selection = here.places.selection(source.place()?, reference)?;
    selection.environment = Some(terms.environment.to_string());
    let opening = begin(selection).await?;
    Ok(opening.revision().map(|revision| revision.commit.clone()))
}

/// The commit that was planned, where the source says it by commits; a work tree is as it is.
fn commit(source: &SourceRequest) -> Option<&str> {
    let planned = source.revision.as_deref();
    let planned = planned.filter(|_| !is_work_tree(source));
    planned.or(source.reference.as_deref())
}

fn is_work_tree(source: &SourceRequest) -> bool {
    let folder = source.source.as_deref().map(Path::new);
    let folder = folder.filter(|folder| source.reference.is_none() && folder.is_dir());
    // A bare repository has commits only. One that can't be looked at is refused when it is opened.
    let is_bare = |folder: &Path| {
        let repository = Repository::discover(folder).ok().flatten();
        repository.is_some_and(|repository| repository.work_tree().is_none())
    };
    folder.is_some_and(|folder| !is_bare(folder))
}

fn context(here: &Here, closing: &Closing) -> Context {
    let context = here.context.clone().with_closing(closing.clone());
    context.with_backend(SEALED, Arc::new(here.sealed.clone()))
}

async fn begin(selection: Selection) -> Result<Opening, Fault> {
    let control = Control::Environment(selection.environment.clone());
    let opening =
        tokio::task::spawn_blocking(move || whimbrel_engine::opening(&selection, control)).await;
    let opening = opening.map_err(|error| fault(&EngineError::Task(error)))?;
    opening.map_err(|error| fault(&error))
}
