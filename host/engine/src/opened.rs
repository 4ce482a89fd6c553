//! A project that is open, with the environment that a command is about.

use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value as Json;
use tokio::task::{JoinError, JoinSet};
use whimbrel_core::definition::Migration;
use whimbrel_core::environment::Environment;
use whimbrel_core::history::History;
use whimbrel_core::name::{MigrationName, TargetName};
use whimbrel_core::plan::Goal;
use whimbrel_core::suggestion::nearest;
use whimbrel_database::Session;
use whimbrel_database::history::{read_definition, read_without_definitions};
use whimbrel_project::{
    Control, Histories, Idle, OpenProject, Opening, Planner, Plugins, ProjectError, Sessions,
    Survey, Targets, histories, histories_but, histories_of, survey_of,
};
use whimbrel_run::{Access, Stop};

use crate::context::Context;
use crate::error::EngineError;
use crate::selection::{Selection, environment, opening, tell};
use crate::surroundings::Connector;

/// The plugins of a project. Nothing of the sandbox starts before one is needed.
///
/// # Errors
/// See [`Context::sandbox`].
pub fn plugins(project: &OpenProject, context: &Context) -> Result<Arc<Plugins>, EngineError> {
    Ok(Arc::new(Plugins::new(project, context.sandbox()?)))
}

/// The same of one that is being opened.
///
/// # Errors
/// See [`Context::sandbox`].
pub fn plugins_of(opening: &Opening, context: &Context) -> Result<Arc<Plugins>, EngineError> {
    Ok(Arc::new(Plugins::of_opening(opening, context.sandbox()?)))
}

/// What is asked of the targets while the definitions are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meanwhile {
    /// Nothing.
    Nothing,
    /// The history of every target.
    Read,
    /// The same, over connections that the run goes on with.
    ReadToRun,
}

/// A project, an environment, and its targets.
pub struct Opened {
    /// The project.
    pub project: OpenProject,
    /// The environment's targets.
    pub targets: Arc<Targets>,
    /// The project's plugins.
    pub plugins: Arc<Plugins>,
    /// What whoever opened it brought along.
    pub context: Context,
    /// What the targets record, asked while the definitions were read, and perhaps not answered yet; nobody waits for it any
    /// more once this is dropped.
    asked: Mutex<JoinSet<Histories>>,
    /// Connections that read and may go on to write.
    pub(crate) sessions: Arc<Sessions>,
}

impl Opened {
    /// Opens the project and lists the targets of the environment.
    ///
    /// # Errors
    /// The definitions are wrong, the environment isn't there, or its targets can't be listed.
    pub async fn open(
        selection: &Selection,
        context: &Context,
        meanwhile: Meanwhile,
    ) -> Result<Self, EngineError> {
        let control = Control::Environment(selection.environment.clone());
        let opening = opening(selection, control)?;
        Self::of(opening, selection, context, meanwhile).await
    }

    /// The same of a project that is being opened.
    ///
    /// # Errors
    /// As [`Opened::open`].
    pub async fn of(
        opening: Opening,
        selection: &Selection,
        context: &Context,
        meanwhile: Meanwhile,
    ) -> Result<Self, EngineError> {
        let environment = match environment(&opening, selection).cloned() {
            Ok(environment) => environment,
            Err(error) => {
                // What is wrong with the definitions is told first.
                opening.finish()?;
                return Err(error);
            }
        };
        let plugins = plugins_of(&opening, context)?;
        let resolver = context.resolver(&plugins, &environment);
        let name = environment.name.clone();
        let (folder, only) = (opening.folder().to_path_buf(), selection.databases.clone());
        let is_telling = context.is_telling();
        let reading = tokio::task::spawn_blocking(move || opening.finish());
        let reaching = tokio::spawn(async move {
            let targets = Targets::list(&environment, &folder, resolver, &only).await?;
            let targets = targets.telling(is_telling);
            let sessions = Arc::new(Sessions::new(&targets));
            let targets = Arc::new(targets);
            let asked = ask(&targets, &sessions, meanwhile);
            Ok::<_, ProjectError>((targets, asked, sessions))
        });
        let project = match ended(reading.await)? {
            Ok(project) => project,
            Err(error) => {
                reaching.abort();
                return Err(error.into());
            }
        };
        tell(&project, context);
        let reached = ended(reaching.await)?;
        let reached = reached.map_err(|error| project.located(&name, error));
        let (targets, asked, sessions) = reached?;
        if targets.is_empty() {
            let name = &targets.environment().name;
            context.notice(&format!("note: `{name}` has no databases"));
        }
        Ok(Self {
            project,
            targets,
            plugins,
            context: context.clone(),
            asked: Mutex::new(asked),
            sessions,
        })
    }

    /// Drops it at the end of a program: see [`OpenProject::leave`].
    pub fn leave(self) {
        self.project.leave();
    }

    /// The environment.
    pub fn environment(&self) -> &Environment {
        self.targets.environment()
    }

    /// The names of the targets.
    pub fn names(&self) -> Vec<TargetName> {
        self.targets
            .iter()
            .map(|target| target.name.clone())
            .collect()
    }

    /// A planner towards a goal.
    pub fn planner(&self, plugins: Arc<Plugins>, goal: Goal) -> Arc<Planner> {
        let targets = Arc::clone(&self.targets);
        Arc::new(Planner::new(&self.project, targets, plugins, goal))
    }

    /// Plans every target against these histories.
    pub(crate) async fn survey(&self, planner: &Planner, histories: Histories) -> Survey {
        survey_of(planner, &self.targets, self.project.revision(), histories).await
    }

    /// What every target records: as it was read while the project was opened, the first time this is asked.
    pub async fn histories(&self) -> Histories {
        match self.take_asked().join_next().await {
            Some(Ok(histories)) => histories,
            // Nobody asked, or whoever did came to grief: asked again, that is said here.
            None | Some(Err(_)) => histories(&self.targets, None).await,
        }
    }

    /// The same, without those that needn't be asked, unless somebody asked them meanwhile.
    pub(crate) async fn histories_but(&self, is_known: impl Fn(&TargetName) -> bool) -> Histories {
        match self.take_asked().join_next().await {
            Some(Ok(histories)) => histories,
            None | Some(Err(_)) => histories_but(&self.targets, is_known).await,
        }
    }

    /// What every target records of these migrations alone, of all if there are none. It is asked now, over connections that
    /// are kept for whoever asks next.
    pub async fn histories_of(&self, only: &[MigrationName], idle: &Idle) -> Histories {
        histories_of(&self.targets, only, idle).await
    }

    fn take_asked(&self) -> JoinSet<Histories> {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut asked)
    }

    /// A session that can't write.
    pub async fn read_only(&self, target: &TargetName) -> Result<Box<dyn Session>, ProjectError> {
        Ok(self.targets.connect_read_only(target).await?.1)
    }

    /// What a target records, without the definitions, which are by far its biggest part.
    pub async fn history(&self, target: &TargetName) -> Result<History, ProjectError> {
        let mut session = self.read_only(target).await?;
        let history = read_without_definitions(session.as_mut()).await;
        history.map_err(|source| ProjectError::unreadable(target, source))
    }

    /// The definition that a migration was applied with, if it is recorded.
    pub async fn definition(
        &self,
        target: &TargetName,
        name: &MigrationName,
    ) -> Result<Option<Json>, ProjectError> {
        let mut session = self.read_only(target).await?;
        let definition = read_definition(session.as_mut(), name).await;
        definition.map_err(|source| ProjectError::unreadable(target, source))
    }

    /// What every deed on a target needs.
    #[must_use]
    pub fn access(&self, stop: Stop) -> Access {
        Access {
            connector: Arc::new(Connector {
                targets: Arc::clone(&self.targets),
                sessions: Arc::clone(&self.sessions),
            }),
            actor: self.context.actor(),
            owner: self.project.owner(self.environment()),
            revision: self.project.revision().cloned(),
            lock_wait: self.environment().policy.lock_wait.to_std(),
            bus: self.context.bus(self.environment()),
            stop,
            settings: whimbrel_run::Settings::default(),
            heartbeats: whimbrel_database::Heartbeats::default(),
        }
    }

    /// The defined migration that a person means: by its name, or by its name without the number before it.
    ///
    /// # Errors
    /// The project defines none of that name, or several.
    pub fn defined(&self, text: &str) -> Result<&Migration, EngineError> {
        let all = &self.project.definitions().migrations;
        let names: Vec<&MigrationName> = all.iter().map(|migration| &migration.name).collect();
        let name = self.meant(text, &names)?;
        all.iter()
            .find(|migration| migration.name == name)
            .map(Arc::as_ref)
            .ok_or_else(|| {
                let known = names
                    .iter()
                    .flat_map(|name| [name.as_str(), without_number(name)]);
                let similar = nearest(text, known);
                let similar = names.iter().find(|name| {
                    similar
                        .is_some_and(|known| [name.as_str(), without_number(name)].contains(&known))
                });
                EngineError::UnknownMigration {
                    name,
                    similar: similar.map(|name| (*name).clone()),
                }
            })
    }

    /// The migration that a person means: its name, or its name without the number before it.
    pub fn meant(
        &self,
        text: &str,
        known: &[&MigrationName],
    ) -> Result<MigrationName, EngineError> {
        let exact = known.iter().find(|name| name.as_str() == text);
        let mut similar = known.iter().filter(|name| without_number(name) == text);
        match (exact, similar.next(), similar.next()) {
            (Some(name), _, _) | (None, Some(name), None) => Ok((*name).clone()),
            (None, Some(one), Some(other)) => Err(EngineError::WhichMigration {
                text: text.to_owned(),
                one: (*one).clone(),
                other: (*other).clone(),
            }),
            (None, None, _) => text.parse().map_err(|source| EngineError::NoName {
                text: text.to_owned(),
                source,
            }),
        }
    }
}

/// A migration's name as people say it.
fn without_number(name: &MigrationName) -> &str {
    name.as_str()
        .trim_start_matches(|character: char| character.is_ascii_digit())
        .trim_start_matches(['-', '_'])
}

/// Asks the targets what they record; definitions needn't wait for their answers.
fn ask(
    targets: &Arc<Targets>,
    sessions: &Arc<Sessions>,
    meanwhile: Meanwhile,
) -> JoinSet<Histories> {
    let mut asked = JoinSet::new();
    let (targets, sessions) = (Arc::clone(targets), Arc::clone(sessions));
    let to_run = match meanwhile {
        Meanwhile::Nothing => return asked,
        Meanwhile::Read => None,
        Meanwhile::ReadToRun => Some(sessions),
    };
    asked.spawn(async move { histories(&targets, to_run.as_deref()).await });
    asked
}

/// What a task gave; it only ends otherwise by a panic, which is passed on.
fn ended<T>(joined: Result<T, JoinError>) -> Result<T, EngineError> {
    joined.map_err(|error| match error.try_into_panic() {
        Ok(panic) => std::panic::resume_unwind(panic),
        Err(error) => EngineError::Task(error),
    })
}
