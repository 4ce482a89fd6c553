//! Why a project can't be opened, its targets not be reached, or a plan not be made.

use std::path::PathBuf;

use whimbrel_config::Problems;
use whimbrel_core::environment::Environment;
use whimbrel_core::fault::{Fault, Retry};
use whimbrel_core::name::{DatabaseName, EnvironmentName, TargetName};
use whimbrel_core::plan::PrepareError;
use whimbrel_core::statement::Dialect;
use whimbrel_core::suggestion::instead;
use whimbrel_database::history::HistoryError;
use whimbrel_database::{DatabaseError, EndpointError, SqlError};
use whimbrel_git::{GitError, RemoteError, SignatureError};
use whimbrel_secrets::SecretError;

/// What can go wrong between a folder and a plan.
#[derive(Debug, thiserror::Error)]
pub enum ProjectError {
    /// There is no such folder.
    #[error("there is no folder {}", .0.display())]
    NoFolder(PathBuf),
    /// The folder can't be read.
    #[error("can't read the folder {}", .folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A repository elsewhere can't be fetched or pushed to.
    #[error(transparent)]
    Remote(#[from] RemoteError),
    /// What opens a repository elsewhere can't be read.
    #[error("what opens the repository can't be read: {0}")]
    Access(Box<Fault>),
    /// A revision was asked for, and there is no Git repository.
    #[error("{} is in no Git repository, so it has no revision `{reference}`", .folder.display())]
    NoRepository {
        /// The folder.
        folder: PathBuf,
        /// The revision.
        reference: String,
    },
    /// The definitions are wrong.
    #[error("{0}")]
    Definitions(#[source] Problems),
    /// The documents of the control ref are wrong.
    #[error("the documents of the control ref `{reference}` are wrong\n{source}")]
    ControlDefinitions {
        /// The ref.
        reference: String,
        /// What is wrong.
        #[source]
        source: Problems,
    },
    /// The clone doesn't have the control ref, or the project isn't there.
    #[error(
        "this clone has no project at the control ref `{0}`, which says what its environments are"
    )]
    NoControlRef(String),
    /// The repository can't be read.
    #[error(transparent)]
    Git(#[from] GitError),
    /// A commit isn't signed as it must be.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// Commits must be signed, and this is none.
    #[error("commits must be signed here, and what is in a folder is no commit")]
    Unverifiable,
    /// There is no such environment.
    #[error("there is no environment called `{name}`")]
    UnknownEnvironment {
        /// What was asked for.
        name: String,
        /// The ones that there are.
        known: Vec<EnvironmentName>,
    },
    /// There is no such database.
    #[error("the environment `{environment}` has no database called `{name}`")]
    UnknownDatabase {
        /// The environment.
        environment: EnvironmentName,
        /// What was asked for.
        name: DatabaseName,
        /// The ones that there are.
        known: Vec<DatabaseName>,
    },
    /// There is no such parameter.
    #[error("the environment `{environment}` has no parameter called `{name}`")]
    UnknownParameter {
        /// The environment.
        environment: EnvironmentName,
        /// What was said.
        name: String,
        /// The ones that there are.
        known: Vec<String>,
    },
    /// There is no such target.
    #[error("the environment `{environment}` has no target {target}")]
    UnknownTarget {
        /// The environment.
        environment: EnvironmentName,
        /// What was asked for.
        target: TargetName,
    },
    /// The list of targets of a database can't be had.
    #[error("the targets of `{database}` can't be listed: {problem}")]
    ForEach {
        /// The logical database.
        database: DatabaseName,
        /// Why.
        problem: String,
    },
    /// The query that lists the targets of a database is none that only reads.
    #[error("the targets of `{database}` can't be listed: {error}{}", error.hint.as_ref().map_or_else(String::new, |hint| format!("; {hint}")))]
    ForEachQuery {
        /// The logical database.
        database: DatabaseName,
        /// The dialect of the database that is asked.
        dialect: Dialect,
        /// What is wrong with it.
        error: SqlError,
    },
    /// The same of all such queries of an environment, where they stand.
    #[error("{}", queries(.0, true))]
    ForEachQueries(PrepareError),
    /// A target can't be connected to.
    #[error("{target}: {source}")]
    Connect {
        /// The target.
        target: TargetName,
        /// Why.
        #[source]
        source: Box<ConnectError>,
    },
    /// A parameter that a backend keeps can't be had.
    #[error("the parameter `{name}`: {source}")]
    Parameter {
        /// The parameter.
        name: String,
        /// Why.
        #[source]
        source: Box<SecretError>,
    },
    /// A target's history can't be read.
    #[error("{target}: {source}")]
    History {
        /// The target.
        target: TargetName,
        /// Why.
        #[source]
        source: Box<HistoryError>,
    },
    /// Work in the background ended without an answer.
    #[error("{0} ended without an answer")]
    Lost(&'static str),
}

impl ProjectError {
    /// A target's history can't be read.
    #[must_use]
    pub fn unreadable(target: &TargetName, source: HistoryError) -> Self {
        Self::History {
            target: target.clone(),
            source: Box::new(source),
        }
    }

    /// An environment has no such database.
    #[must_use]
    pub fn unknown_database(environment: &Environment, name: &DatabaseName) -> Self {
        Self::UnknownDatabase {
            environment: environment.name.clone(),
            name: name.clone(),
            known: environment.databases.keys().cloned().collect(),
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Remote(error) => error.hint(),
            Self::Access(fault) => fault.hint.clone(),
            Self::Signature(error) => error.hint(),
            Self::Unverifiable => {
                Some("commit it, and name the commit as in `--project DIR@HEAD`".to_owned())
            }
            Self::NoFolder(_) => Some(
                "`--project` takes a folder, a folder and a revision as `DIR@REF`, or a repository's URL as `URL@REF`"
                    .to_owned(),
            ),
            Self::NoRepository { .. } => {
                Some("leave the revision out, or run `git init` and commit".to_owned())
            }
            Self::UnknownEnvironment { name, known, .. } => {
                instead(name, known.iter().map(EnvironmentName::as_str))
                    .or_else(|| Some("the project defines none that isn't abstract".to_owned()))
            }
            Self::UnknownDatabase { name, known, .. } => {
                instead(name.as_str(), known.iter().map(DatabaseName::as_str))
            }
            Self::UnknownParameter { name, known, .. } => {
                instead(name, known.iter().map(String::as_str))
            }
            Self::ControlDefinitions { .. } => Some(
                "they are read from there, not from what is here; `--control-ref REF` reads them elsewhere"
                    .to_owned(),
            ),
            Self::NoControlRef(reference) => Some(format!(
                "`git fetch origin {reference}`, name another one as `controlRef` in whimbrel.yaml, or pass `--control-ref REF`"
            )),
            Self::Connect { source, .. } => source.hint(),
            Self::Parameter { source, .. } => source.hint(),
            _ => None,
        }
    }

    /// What it is, where no text of files can be shown.
    #[must_use]
    pub fn brief(&self) -> String {
        match self {
            Self::Definitions(problems)
            | Self::ControlDefinitions {
                source: problems, ..
            } => problems.brief(),
            Self::ForEachQueries(found) => queries(found, false),
            error => error.to_string(),
        }
    }

    /// Whether the same may work later without anybody changing anything.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Remote(error) => error.is_temporary(),
            Self::Access(fault) => fault.retry != Retry::Never,
            Self::Connect { source, .. } => source.is_temporary(),
            Self::Parameter { source, .. } => source.is_temporary(),
            Self::History { source, .. } => match source.as_ref() {
                HistoryError::Database(error) => error.is_connection_lost() || error.is_retryable(),
                _ => false,
            },
            _ => false,
        }
    }
}

/// Why a target can't be connected to.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// Its credentials can't be had.
    #[error("credentials: {0}")]
    Secret(#[from] SecretError),
    /// Its URL is none.
    #[error("{0}")]
    Endpoint(#[from] EndpointError),
    /// Its URL can't be put together.
    #[error("its URL can't be put together: {0}")]
    Url(String),
    /// The database refused, or can't be reached.
    #[error("{0}")]
    Database(#[from] DatabaseError),
}

impl ConnectError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Secret(error) => error.hint(),
            Self::Endpoint(error) => error.hint.clone(),
            Self::Url(_) => None,
            Self::Database(error) => error.hint.clone(),
        }
    }

    /// Whether the same may work later without anybody changing anything.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Secret(error) => error.is_temporary(),
            Self::Database(error) => error.is_connection_lost() || error.is_retryable(),
            Self::Endpoint(_) | Self::Url(_) => false,
        }
    }
}

/// What is wrong with queries that list targets, with the lines that they are in or without them.
fn queries(found: &PrepareError, with_lines: bool) -> String {
    let told = found.mistakes().iter().map(|mistake| {
        let hint = match mistake.hint.as_str() {
            "" => String::new(),
            hint => format!("; {hint}"),
        };
        let lines = mistake.at.excerpt().filter(|_| with_lines);
        let lines = lines.map_or_else(String::new, |lines| format!("\n{lines}"));
        format!("{mistake}{hint}{lines}")
    });
    told.collect::<Vec<_>>().join("\n")
}
