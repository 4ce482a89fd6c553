//! A project that is open, with the environment that a command is about.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use tokio::task::JoinError;
use whimbrel_core::environment::Environment;
use whimbrel_core::history::History;
use whimbrel_core::name::{MigrationName, TargetName};
use whimbrel_core::plan::Goal;
use whimbrel_database::Session;
use whimbrel_database::history::{HistoryError, read_without_definitions};
use whimbrel_plugin::{Sandbox, Settings};
use whimbrel_project::{
    Control, Histories, OpenOptions, OpenProject, Opening, Planner, Plugins, ProjectError,
    Sessions, Survey, Targets, histories, survey_of,
};
use whimbrel_run::{Access, Stop};
use whimbrel_secrets::Resolver;

use crate::actor::actor;
use crate::arguments::Global;
use crate::error::CliError;
use crate::exit::Exit;
use crate::folder::locate;
use crate::output::Output;
use crate::surroundings::Connector;

/// Opens the project as it is at hand, which reads all of its definitions: for whoever looks at them and reaches no
/// database.
pub(crate) fn project(global: &Global, output: &Output) -> Result<OpenProject, CliError> {
    let project = opening(global, Control::AtHand)?.finish()?;
    tell(&project, output);
    Ok(project)
}

/// Opens the project as far as its environments, which are read from where they may be.
pub(crate) fn opening(global: &Global, control: Control) -> Result<Opening, CliError> {
    let location = locate(global.project.as_deref())?;
    let options = OpenOptions {
        control: global.control_ref.clone().map_or(control, Control::Ref),
    };
    Ok(Opening::begin(&location, &options)?)
}

/// Says what is worth knowing about the definitions.
fn tell(project: &OpenProject, output: &Output) {
    if let Some((reference, revision)) = project.control_ref()
        && project.revision() != Some(revision)
    {
        let revision = revision.short();
        output.notice(&format!(
            "note: the environment and the project file are read from `{reference}` ({revision})"
        ));
    }
    for notice in &project.definitions().notices {
        output.notice(&format!("note: {}: {}", notice.path, notice.message));
    }
}

/// The plugins of a project. Nothing of the sandbox starts before one is needed.
pub(crate) fn plugins(project: &OpenProject) -> Result<Arc<Plugins>, CliError> {
    Ok(Arc::new(Plugins::new(project, sandbox()?)))
}

/// The same of one that is being opened.
pub(crate) fn plugins_of(opening: &Opening) -> Result<Arc<Plugins>, CliError> {
    Ok(Arc::new(Plugins::of_opening(opening, sandbox()?)))
}

/// A sandbox that keeps native code in the user's cache.
pub(crate) fn sandbox() -> Result<Arc<Sandbox>, CliError> {
    let sandbox = Sandbox::new(Settings {
        cache_dir: cache_folder(),
        ..Settings::default()
    });
    let sandbox = sandbox.map_err(|error| CliError::new(Exit::Failed, error))?;
    Ok(Arc::new(sandbox))
}

fn cache_folder() -> Option<PathBuf> {
    let variable = |name: &str| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    variable("WHIMBREL_CACHE").or_else(|| {
        variable("XDG_CACHE_HOME")
            .or_else(|| Some(variable("HOME")?.join(".cache")))
            .map(|cache| cache.join("whimbrel/components"))
    })
}

/// What is asked of the targets while the definitions are read.
#[derive(Clone, Copy)]
enum Meanwhile {
    Nothing,
    Read,
    ReadToRun,
}

/// A project, an environment, and its targets.
pub(crate) struct Opened {
    pub(crate) project: OpenProject,
    pub(crate) targets: Arc<Targets>,
    pub(crate) plugins: Arc<Plugins>,
    pub(crate) output: Output,
    /// What the targets recorded while the definitions were read.
    histories: Mutex<Option<Histories>>,
    /// Connections that read and may go on to write.
    pub(crate) sessions: Arc<Sessions>,
}

impl Opened {
    /// Opens the project and lists the targets of the environment.
    pub(crate) async fn open(global: &Global, output: &Output) -> Result<Self, CliError> {
        Self::open_with(global, output, Meanwhile::Nothing).await
    }

    /// The same, and reads the history of every target meanwhile.
    pub(crate) async fn open_and_read(global: &Global, output: &Output) -> Result<Self, CliError> {
        Self::open_with(global, output, Meanwhile::Read).await
    }

    /// The same, over connections that the run goes on with.
    pub(crate) async fn open_to_run(global: &Global, output: &Output) -> Result<Self, CliError> {
        Self::open_with(global, output, Meanwhile::ReadToRun).await
    }

    async fn open_with(
        global: &Global,
        output: &Output,
        meanwhile: Meanwhile,
    ) -> Result<Self, CliError> {
        let control = Control::Environment(global.environment.clone());
        let opening = opening(global, control)?;
        let environment = match environment(&opening, global).cloned() {
            Ok(environment) => environment,
            Err(error) => {
                // What is wrong with the definitions is told first.
                opening.finish()?;
                return Err(error);
            }
        };
        let plugins = plugins_of(&opening)?;
        let resolver = resolver(&plugins, &environment, output);
        let (folder, only) = (opening.folder().to_path_buf(), global.databases.clone());
        let reading = tokio::task::spawn_blocking(move || opening.finish());
        let reaching = tokio::spawn(async move {
            let targets = Targets::list(&environment, &folder, resolver, &only).await?;
            let sessions = Sessions::new(&targets);
            let read = match meanwhile {
                Meanwhile::Nothing => None,
                Meanwhile::Read => Some(histories(&targets, None).await),
                Meanwhile::ReadToRun => Some(histories(&targets, Some(&sessions)).await),
            };
            Ok::<_, ProjectError>((targets, read, sessions))
        });
        let project = match ended(reading.await)? {
            Ok(project) => project,
            Err(error) => {
                reaching.abort();
                return Err(error.into());
            }
        };
        tell(&project, output);
        let (targets, histories, sessions) = ended(reaching.await)??;
        if targets.is_empty() {
            let name = &targets.environment().name;
            output.notice(&format!("note: `{name}` has no databases"));
        }
        Ok(Self {
            project,
            targets: Arc::new(targets),
            plugins,
            output: output.clone(),
            histories: Mutex::new(histories),
            sessions: Arc::new(sessions),
        })
    }

    /// The environment.
    pub(crate) fn environment(&self) -> &Environment {
        self.targets.environment()
    }

    /// The names of the targets.
    pub(crate) fn names(&self) -> Vec<TargetName> {
        self.targets
            .iter()
            .map(|target| target.name.clone())
            .collect()
    }

    /// A planner towards a goal.
    pub(crate) fn planner(&self, plugins: Arc<Plugins>, goal: Goal) -> Arc<Planner> {
        let targets = Arc::clone(&self.targets);
        Arc::new(Planner::new(&self.project, targets, plugins, goal))
    }

    /// Reads and plans every target.
    pub(crate) async fn survey(&self, planner: &Planner) -> Survey {
        let histories = self.histories().await;
        survey_of(planner, &self.targets, self.project.revision(), histories).await
    }

    /// What every target records: as it was read while the project was opened, the first time this is asked.
    pub(crate) async fn histories(&self) -> Histories {
        let read = self.histories.lock().map(|mut read| read.take());
        match read {
            Ok(Some(histories)) => histories,
            _ => histories(&self.targets, None).await,
        }
    }

    /// A session that can't write.
    pub(crate) async fn read_only(
        &self,
        target: &TargetName,
    ) -> Result<Box<dyn Session>, ProjectError> {
        Ok(self.targets.connect_read_only(target).await?.1)
    }

    /// What a target records, without the definitions, which are by far its biggest part.
    pub(crate) async fn history(&self, target: &TargetName) -> Result<History, ProjectError> {
        let mut session = self.read_only(target).await?;
        let history = read_without_definitions(session.as_mut()).await;
        history.map_err(|source| unreadable(target, source))
    }

    /// What every deed on a target needs.
    pub(crate) fn access(&self, stop: Stop) -> Access {
        Access {
            connector: Arc::new(Connector {
                targets: Arc::clone(&self.targets),
                sessions: Arc::clone(&self.sessions),
            }),
            actor: actor(),
            owner: self.project.owner(self.environment()),
            revision: self.project.revision().cloned(),
            lock_wait: self.environment().policy.lock_wait.to_std(),
            bus: self.output.bus(),
            stop,
            settings: whimbrel_run::Settings::default(),
            heartbeats: whimbrel_database::Heartbeats::default(),
        }
    }

    /// The migration that a person means: its name, or its name without the number before it.
    pub(crate) fn meant(
        &self,
        text: &str,
        known: &[&MigrationName],
    ) -> Result<MigrationName, CliError> {
        let exact = known.iter().find(|name| name.as_str() == text);
        let without_number = |name: &&&MigrationName| {
            name.as_str()
                .trim_start_matches(|character: char| character.is_ascii_digit())
                .trim_start_matches(['-', '_'])
                == text
        };
        let mut similar = known.iter().filter(without_number);
        match (exact, similar.next(), similar.next()) {
            (Some(name), _, _) | (None, Some(name), None) => Ok((*name).clone()),
            (None, Some(one), Some(other)) => Err(CliError::usage(format!(
                "`{text}` may be `{one}` or `{other}`"
            ))
            .hint("give the whole name")),
            (None, None, _) => text.parse().map_err(|error| {
                CliError::usage(format!("`{text}` is no name of a migration: {error}"))
            }),
        }
    }
}

/// What resolves the secrets of an environment; what it borrows is given back when the program ends.
pub(crate) fn resolver(
    plugins: &Arc<Plugins>,
    environment: &Environment,
    output: &Output,
) -> Resolver {
    let resolver = whimbrel_project::resolver(plugins, environment, output.scrubber());
    output.closing().add(&resolver);
    resolver
}

/// A history that can't be read.
pub(crate) fn unreadable(target: &TargetName, source: HistoryError) -> ProjectError {
    ProjectError::History {
        target: target.clone(),
        source: Box::new(source),
    }
}

/// What a task gave; it only ends otherwise by a panic, which is passed on.
fn ended<T>(joined: Result<T, JoinError>) -> Result<T, CliError> {
    joined.map_err(|error| match error.try_into_panic() {
        Ok(panic) => std::panic::resume_unwind(panic),
        Err(error) => CliError::failed(error.to_string()),
    })
}

/// The environment that is meant: the one that was said, or the only one.
pub(crate) fn environment<'a>(
    opening: &'a Opening,
    global: &Global,
) -> Result<&'a Environment, CliError> {
    if let Some(name) = &global.environment {
        return Ok(opening.environment(name)?);
    }
    let environments = &opening.documents().environments;
    let mut all = environments.values();
    match (all.next(), all.next()) {
        (Some(only), None) => Ok(only),
        (None, _) => Err(
            CliError::failed("the project defines no environment").hint(format!(
                "add one to the folder `{}`",
                opening.documents().project.environments
            )),
        ),
        (Some(_), Some(_)) => {
            let names: Vec<_> = environments
                .keys()
                .map(|name| format!("`{name}`"))
                .collect();
            Err(
                CliError::usage("say which environment is meant").hint(format!(
                    "`--environment NAME` (or WHIMBREL_ENVIRONMENT) takes one of {}",
                    names.join(", ")
                )),
            )
        }
    }
}
