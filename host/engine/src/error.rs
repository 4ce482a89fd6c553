//! Why the engine doesn't do what was asked.

use std::fmt::Write as _;

use tokio::task::JoinError;
use whimbrel_core::digest::Digest;
use whimbrel_core::gate::Refusal;
use whimbrel_core::name::{EnvironmentName, MigrationName, NameError, TargetName};
use whimbrel_core::plan::{Blocker, BlockerCode, Plan};
use whimbrel_plugin::PluginError;
use whimbrel_project::ProjectError;
use whimbrel_run::RunError;

/// Why something wasn't done. Nothing was changed, unless it is a [`RunError`].
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The project can't be opened, its targets not be reached, or the plan not be made.
    #[error(transparent)]
    Project(#[from] ProjectError),
    /// A deed on a target failed.
    #[error(transparent)]
    Run(Box<RunError>),
    /// The sandbox can't be made.
    #[error(transparent)]
    Sandbox(PluginError),
    /// A task ended without an answer.
    #[error("{0}")]
    Task(JoinError),
    /// No environment is defined.
    #[error("the project defines no environment")]
    NoEnvironment {
        /// The folder that they belong into.
        folder: String,
    },
    /// There are several environments, and none was named.
    #[error("say which environment is meant")]
    WhichEnvironment {
        /// All of them.
        known: Vec<EnvironmentName>,
    },
    /// A migration's short name fits several.
    #[error("`{text}` may be `{one}` or `{other}`")]
    WhichMigration {
        /// What was said.
        text: String,
        /// One that fits.
        one: MigrationName,
        /// Another one.
        other: MigrationName,
    },
    /// No migration can be called that.
    #[error("`{text}` is no name of a migration: {source}")]
    NoName {
        /// What was said.
        text: String,
        /// Why not.
        source: NameError,
    },
    /// The project defines no such migration.
    #[error("no migration is called `{name}`")]
    UnknownMigration {
        /// What was said.
        name: MigrationName,
        /// One that is called almost so.
        similar: Option<MigrationName>,
    },
    /// A plan's digest was expected.
    #[error("`{0}` is no digest of a plan")]
    NoDigest(String),
    /// The plan isn't the one that was named.
    #[error("the plan changed: {asked} was asked for, and it is {found} now")]
    PlanChanged {
        /// What was named.
        asked: String,
        /// What it is now.
        found: Digest,
    },
    /// The plan can't be run at all.
    #[error("{}", blocked(.0, true))]
    Blocked(Vec<(TargetName, Blocker)>),
    /// Gates say no.
    #[error("{}", refused(.0))]
    Refused(Vec<Refusal>),
    /// What is planned depends on what isn't applied in a database that wasn't asked for.
    #[error("{migration} depends on {needed}, which is not applied on {target}")]
    Dependency {
        /// The migration.
        migration: MigrationName,
        /// What it depends on.
        needed: MigrationName,
        /// Where that is missing.
        target: TargetName,
    },
    /// Whoever approves may not.
    #[error("{approver} may not approve this plan")]
    MayNotApprove {
        /// Who tried.
        approver: String,
        /// Who may; anybody but the author of the commit if empty.
        approvers: Vec<String>,
    },
    /// Targets can't be read.
    #[error(transparent)]
    Unread(Box<Unread>),
}

/// Several targets can't be read: the first one's error, and the others' words.
#[derive(Debug, thiserror::Error)]
#[error("{first}")]
pub struct Unread {
    /// The first one's error.
    #[source]
    pub first: ProjectError,
    /// What is wrong with the others.
    pub more: Vec<String>,
}

impl From<RunError> for EngineError {
    fn from(error: RunError) -> Self {
        Self::Run(Box::new(error))
    }
}

impl EngineError {
    /// Why a plan can't be run at all; none when it can.
    #[must_use]
    pub fn blocked(plan: &Plan) -> Option<Self> {
        let all: Vec<_> = plan
            .blockers()
            .map(|(target, blocker)| (target.clone(), blocker.clone()))
            .collect();
        (!all.is_empty()).then_some(Self::Blocked(all))
    }

    /// Whether the same may work later.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Project(error) => error.is_temporary(),
            Self::Unread(unread) => unread.first.is_temporary(),
            Self::Run(error) => error.is_temporary(),
            _ => false,
        }
    }

    /// Whether targets couldn't be connected to: nothing of a plan was tried then, and what has to change isn't in it.
    #[must_use]
    pub fn is_unconnected(&self) -> bool {
        match self {
            Self::Project(error) => matches!(error, ProjectError::Connect { .. }),
            Self::Unread(unread) => matches!(unread.first, ProjectError::Connect { .. }),
            Self::Run(error) => matches!(**error, RunError::Connect(_)),
            _ => false,
        }
    }

    /// What it is, where no text of files can be shown.
    #[must_use]
    pub fn brief(&self) -> String {
        match self {
            Self::Project(error) => error.brief(),
            Self::Blocked(blockers) => blocked(blockers, false),
            error => error.to_string(),
        }
    }

    /// Whether what the project says is wrong, so that only another commit or document helps.
    #[must_use]
    pub const fn is_definition(&self) -> bool {
        matches!(
            self,
            Self::Project(
                ProjectError::Definitions(_)
                    | ProjectError::ControlDefinitions { .. }
                    | ProjectError::UnknownEnvironment { .. },
            )
        )
    }

    /// Whether what is applied was edited.
    #[must_use]
    pub fn is_drift(&self) -> bool {
        matches!(self, Self::Blocked(blockers)
            if blockers.iter().any(|(_, blocker)| blocker.code == BlockerCode::Edited))
    }

    /// What to do about it.
    #[must_use]
    pub fn hints(&self) -> Vec<String> {
        match self {
            Self::Project(error) => error.hint().into_iter().collect(),
            Self::Run(error) => error.hint().into_iter().collect(),
            Self::Sandbox(_) | Self::Task(_) | Self::NoName { .. } => Vec::new(),
            Self::UnknownMigration { similar, .. } => {
                let meant = similar.iter().map(|name| format!("did you mean `{name}`?"));
                meant.collect()
            }
            Self::NoEnvironment { folder } => vec![format!("add one to the folder `{folder}`")],
            Self::WhichEnvironment { known } => {
                let names: Vec<_> = known.iter().map(|name| format!("`{name}`")).collect();
                vec![format!(
                    "`--environment NAME` (or WHIMBREL_ENVIRONMENT) takes one of {}",
                    names.join(", ")
                )]
            }
            Self::WhichMigration { .. } => vec!["give the whole name".to_owned()],
            Self::NoDigest(_) => vec!["`whimbrel plan` shows it on its last line".to_owned()],
            Self::PlanChanged { .. } => {
                vec!["look at the plan again with `whimbrel plan`, then name that one".to_owned()]
            }
            Self::Blocked(blockers) => {
                let mut hints = Vec::new();
                for (_, blocker) in blockers {
                    if !blocker.hint.is_empty() && !hints.contains(&blocker.hint) {
                        hints.push(blocker.hint.clone());
                    }
                }
                hints
            }
            Self::Refused(refusals) => {
                let mut hints: Vec<_> = refusals
                    .iter()
                    .map(|refusal| refusal.hint.clone())
                    .collect();
                hints.dedup();
                hints
            }
            Self::Dependency { target, .. } => vec![format!(
                "apply to `{}` first, or leave `--database` out",
                target.database
            )],
            Self::MayNotApprove { approvers, .. } => {
                let who = if approvers.is_empty() {
                    "anybody but the author of the commit".to_owned()
                } else {
                    approvers.join(", ")
                };
                vec![format!("who may: {who}; `--as WHO` says who approves")]
            }
            Self::Unread(unread) => {
                let others = unread.more.iter().map(|other| format!("also: {other}"));
                unread.first.hint().into_iter().chain(others).collect()
            }
        }
    }
}

/// Everything that blocks a plan, with the lines of files that it is about or without them.
fn blocked(blockers: &[(TargetName, Blocker)], with_lines: bool) -> String {
    let mut message = String::from("the plan is blocked, and nothing was changed");
    for (target, blocker) in blockers {
        let about = blocker
            .migration
            .as_ref()
            .map_or_else(String::new, |name| format!("{name}: "));
        let lines = blocker.to_string().replace('\n', "\n    ");
        // Writing to a string can't fail.
        let _ = write!(message, "\n  {target}: {about}{lines}");
        for line in blocker
            .excerpt()
            .filter(|_| with_lines)
            .into_iter()
            .flat_map(str::lines)
        {
            let _ = write!(message, "\n   {line}");
        }
    }
    message
}

fn refused(refusals: &[Refusal]) -> String {
    let mut message = String::from("the gates say no, and nothing was changed");
    for refusal in refusals {
        // Writing to a string can't fail.
        let _ = write!(message, "\n  {}: {}", refusal.gate, refusal.message);
    }
    message
}

#[cfg(test)]
mod tests {
    use whimbrel_core::name::TargetName;
    use whimbrel_core::place::Place;
    use whimbrel_core::plan::{Blocker, BlockerCode};

    use super::EngineError;

    #[test]
    fn what_blocks_a_plan_is_told_with_the_lines_of_files_or_without() {
        let blocker = Blocker {
            code: BlockerCode::Unrunnable,
            migration: Some("1-a".parse().unwrap()),
            place: Some(Place {
                path: "migrations/1-a.sql".to_owned(),
                line: 3,
                column: 5,
                excerpt: Some(" 3 │ x; COMMIT\n   ·    ^^^^^^".to_owned()),
            }),
            message: "no".to_owned(),
            hint: String::new(),
        };
        let target = TargetName::single("shop".parse().unwrap());
        let error = EngineError::Blocked(vec![(target, blocker)]);
        let said =
            "the plan is blocked, and nothing was changed\n  shop: 1-a: migrations/1-a.sql:3:5: no";
        assert_eq!(error.brief(), said);
        let lines = "\n    3 │ x; COMMIT\n      ·    ^^^^^^";
        assert_eq!(error.to_string(), format!("{said}{lines}"));
    }
}
