//! A project that is open, with the environment that a command is about.

use std::path::PathBuf;
use std::sync::Arc;

use whimbrel_core::environment::Environment;
use whimbrel_core::history::History;
use whimbrel_core::name::{MigrationName, TargetName};
use whimbrel_core::plan::Goal;
use whimbrel_database::Session;
use whimbrel_database::history::{HistoryError, read_without_definitions};
use whimbrel_plugin::{Sandbox, Settings};
use whimbrel_project::{
    Control, OpenOptions, OpenProject, Planner, Plugins, ProjectError, Survey, Targets,
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
    controlled(global, Control::AtHand, output)
}

/// Opens the project, its environments read from where they may be.
pub(crate) fn controlled(
    global: &Global,
    control: Control,
    output: &Output,
) -> Result<OpenProject, CliError> {
    let location = locate(global.project.as_deref())?;
    let options = OpenOptions {
        control: global.control_ref.clone().map_or(control, Control::Ref),
    };
    let project = OpenProject::open(&location, &options)?;
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
    Ok(project)
}

/// The plugins of a project. Nothing of the sandbox starts before one is needed.
pub(crate) fn plugins(project: &OpenProject) -> Result<Arc<Plugins>, CliError> {
    Ok(Arc::new(Plugins::new(project, sandbox()?)))
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

/// A project, an environment, and its targets.
pub(crate) struct Opened {
    pub(crate) project: OpenProject,
    pub(crate) targets: Arc<Targets>,
    pub(crate) plugins: Arc<Plugins>,
    pub(crate) output: Output,
}

impl Opened {
    /// Opens the project and lists the targets of the environment.
    pub(crate) async fn open(global: &Global, output: &Output) -> Result<Self, CliError> {
        let control = Control::Environment(global.environment.clone());
        let project = controlled(global, control, output)?;
        let environment = environment(&project, global)?.clone();
        let plugins = plugins(&project)?;
        let resolver = resolver(&project, &environment, &plugins, output);
        let targets =
            Targets::list(&environment, project.folder(), resolver, &global.databases).await?;
        if targets.is_empty() {
            output.notice(&format!("note: `{}` has no databases", environment.name));
        }
        Ok(Self {
            project,
            targets: Arc::new(targets),
            plugins,
            output: output.clone(),
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
    pub(crate) fn planner(
        &self,
        plugins: Arc<Plugins>,
        goal: Goal,
    ) -> Result<Arc<Planner>, CliError> {
        let targets = Arc::clone(&self.targets);
        Ok(Arc::new(Planner::new(
            &self.project,
            targets,
            plugins,
            goal,
        )?))
    }

    /// Reads and plans every target.
    pub(crate) async fn survey(&self, planner: &Planner) -> Survey {
        whimbrel_project::survey(planner, &self.targets, self.project.revision()).await
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
            connector: Arc::new(Connector(Arc::clone(&self.targets))),
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
    project: &OpenProject,
    environment: &Environment,
    plugins: &Arc<Plugins>,
    output: &Output,
) -> Resolver {
    let resolver = whimbrel_project::resolver(project, environment, plugins, output.scrubber());
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

/// The environment that is meant: the one that was said, or the only one.
pub(crate) fn environment<'a>(
    project: &'a OpenProject,
    global: &Global,
) -> Result<&'a Environment, CliError> {
    if let Some(name) = &global.environment {
        return Ok(project.environment(name)?);
    }
    let environments = &project.definitions().environments;
    let mut all = environments.values();
    match (all.next(), all.next()) {
        (Some(only), None) => Ok(only),
        (None, _) => Err(
            CliError::failed("the project defines no environment").hint(format!(
                "add one to the folder `{}`",
                project.project().environments
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
