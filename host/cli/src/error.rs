//! The one error of the command line: what kind it is, what went wrong, and what to do about it.

use std::error::Error;
use std::fmt::Write as _;

use whimbrel_core::plan::{Blocker, BlockerCode};
use whimbrel_database::history::HistoryError;
use whimbrel_database::{DatabaseError, LockError};
use whimbrel_engine::EngineError;
use whimbrel_project::ProjectError;
use whimbrel_report::{bad, hint};
use whimbrel_run::{ConnectError, RunError};

use crate::exit::Exit;

/// A failed command.
#[derive(Debug)]
pub(crate) struct CliError {
    kind: Exit,
    source: Box<dyn Error + Send + Sync>,
    hints: Vec<String>,
    /// Definitions bring their own rendering, with lines and carets.
    rendered: Option<String>,
}

/// A message without a cause.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Message(String);

impl CliError {
    /// An error of some kind.
    pub(crate) fn new(kind: Exit, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            kind,
            source: source.into(),
            hints: Vec::new(),
            rendered: None,
        }
    }

    /// A failure in words.
    pub(crate) fn failed(message: impl Into<String>) -> Self {
        Self::new(Exit::Failed, Message(message.into()))
    }

    /// The command line makes no sense.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, Message(message.into()))
    }

    /// The same of another kind.
    pub(crate) const fn kind(mut self, kind: Exit) -> Self {
        self.kind = kind;
        self
    }

    /// The same with one more thing to do.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// How the program ends.
    pub(crate) const fn exit(&self) -> Exit {
        self.kind
    }

    /// As a person reads it, with styles.
    pub(crate) fn render(&self) -> String {
        if let Some(rendered) = &self.rendered {
            return self.with_hints(rendered.trim_end().to_owned());
        }
        let mut said = self.source.to_string();
        let mut text = format!("{} {said}", bad("error:"));
        let mut cause = self.source.source();
        while let Some(error) = cause {
            let words = error.to_string();
            // Many messages end with their cause's own words.
            if !said.contains(&words) {
                let _ = write!(text, "\n  caused by: {words}");
            }
            said = words;
            cause = error.source();
        }
        self.with_hints(text)
    }

    fn with_hints(&self, mut text: String) -> String {
        text.push('\n');
        for words in &self.hints {
            let _ = write!(text, "\n{} {words}", hint("hint:"));
        }
        if !self.hints.is_empty() {
            text.push('\n');
        }
        text
    }
}

/// How a plan that can't be run ends the program.
fn of_blockers(blockers: &[Blocker]) -> Exit {
    if blockers
        .iter()
        .any(|blocker| blocker.code == BlockerCode::Edited)
    {
        Exit::Drift
    } else {
        Exit::Refused
    }
}

fn of_database(error: &DatabaseError) -> Exit {
    if error.is_connection_lost() || error.is_retryable() {
        Exit::Retry
    } else {
        Exit::Failed
    }
}

/// How a target's error ends the program; `interrupted` says by which signal.
pub(crate) fn of_run(error: &RunError, interrupted: Exit) -> Exit {
    match error {
        RunError::Blocked(blockers) => of_blockers(blockers),
        RunError::PlanChanged { .. } | RunError::Refused(_) => Exit::Refused,
        RunError::Lock(LockError::Held { .. }) | RunError::Fenced => Exit::Locked,
        RunError::Interrupted { .. } => interrupted,
        RunError::Unknown { .. } => Exit::Unknown,
        RunError::Lock(LockError::Database(error))
        | RunError::Database(error)
        | RunError::Connect(ConnectError::Database(error))
        | RunError::History(HistoryError::Database(error)) => of_database(error),
        RunError::Connect(ConnectError::Credentials {
            is_temporary: true, ..
        })
        | RunError::CredentialsEnded => Exit::Retry,
        _ => Exit::Failed,
    }
}

impl From<RunError> for CliError {
    fn from(error: RunError) -> Self {
        let kind = of_run(&error, Exit::Interrupted);
        let hint = error.hint();
        let mut error = Self::new(kind, error);
        error.hints.extend(hint);
        error
    }
}

impl From<ProjectError> for CliError {
    fn from(error: ProjectError) -> Self {
        let kind = match &error {
            ProjectError::UnknownEnvironment { .. }
            | ProjectError::UnknownDatabase { .. }
            | ProjectError::UnknownParameter { .. }
            | ProjectError::Remote(whimbrel_git::RemoteError::Address { .. }) => Exit::Usage,
            ProjectError::Signature(_) | ProjectError::Unverifiable => Exit::Refused,
            other if other.is_temporary() => Exit::Retry,
            _ => Exit::Failed,
        };
        let rendered = match &error {
            ProjectError::Definitions(problems) => {
                Some(problems.render(crate::output::Output::is_coloured()))
            }
            ProjectError::ControlDefinitions { source, .. } => {
                Some(source.render(crate::output::Output::is_coloured()))
            }
            _ => None,
        };
        let hint = error.hint();
        let mut error = Self::new(kind, error);
        error.hints.extend(hint);
        error.rendered = rendered;
        error
    }
}

impl From<EngineError> for CliError {
    fn from(error: EngineError) -> Self {
        let kind = match error {
            EngineError::Project(error) => return error.into(),
            EngineError::Run(error) => return (*error).into(),
            EngineError::Unread(unread) => {
                let others = unread.more.into_iter();
                return others.fold(Self::from(unread.first), |error, other| {
                    error.hint(format!("also: {other}"))
                });
            }
            _ if error.is_drift() => Exit::Drift,
            EngineError::Sandbox(_) | EngineError::Task(_) | EngineError::NoEnvironment { .. } => {
                Exit::Failed
            }
            EngineError::WhichEnvironment { .. }
            | EngineError::WhichMigration { .. }
            | EngineError::NoName { .. }
            | EngineError::UnknownMigration { .. }
            | EngineError::NoDigest(_) => Exit::Usage,
            EngineError::PlanChanged { .. }
            | EngineError::Blocked(_)
            | EngineError::Refused(_)
            | EngineError::Dependency { .. }
            | EngineError::MayNotApprove { .. } => Exit::Refused,
        };
        let hints = error.hints();
        // The message says its cause already.
        hints
            .into_iter()
            .fold(Self::new(kind, error), CliError::hint)
    }
}

#[cfg(test)]
mod tests {
    use super::{CliError, of_run};
    use crate::exit::Exit;
    use whimbrel_core::gate::{Gate, Refusal};
    use whimbrel_database::session::ErrorKind;
    use whimbrel_database::{DatabaseError, LockError};
    use whimbrel_engine::EngineError;
    use whimbrel_run::{ConnectError, RunError};

    #[derive(Debug, thiserror::Error)]
    #[error("reading the file")]
    struct Outer(#[source] std::io::Error);

    fn plain(error: &CliError) -> String {
        anstream::adapter::strip_str(&error.render()).to_string()
    }

    #[test]
    fn shows_message_cause_and_hints() {
        let cause = std::io::Error::other("the disk is gone");
        let error = CliError::new(Exit::Failed, Outer(cause)).hint("buy one");
        assert_eq!(
            plain(&error),
            "error: reading the file\n  caused by: the disk is gone\n\nhint: buy one\n"
        );
        assert!(error.render().contains('\u{1b}'));
        assert_eq!(plain(&CliError::failed("no")), "error: no\n");
    }

    #[test]
    fn every_refusal_is_shown() {
        let refusal = |gate, hint: &str| Refusal {
            gate,
            message: "not now".to_owned(),
            hint: hint.to_owned(),
        };
        let error = CliError::from(EngineError::Refused(vec![
            refusal(Gate::Window, "wait"),
            refusal(Gate::Lint, "mend"),
        ]));
        assert_eq!(error.exit(), Exit::Refused);
        let text = plain(&error);
        assert!(
            text.contains("window: not now") && text.contains("hint: mend"),
            "{text}"
        );
    }

    #[test]
    fn ends_of_a_run_have_their_codes() {
        let gone = || DatabaseError::new(ErrorKind::Connection, "", "gone");
        let broken = || DatabaseError::new(ErrorKind::Database, "42601", "syntax");
        let held = LockError::Held {
            holder: "ann".to_owned(),
            hint: "wait".to_owned(),
        };
        for (error, exit) in [
            (RunError::Lock(held), Exit::Locked),
            (RunError::Fenced, Exit::Locked),
            (RunError::Interrupted { committed: None }, Exit::Terminated),
            (RunError::Database(gone()), Exit::Retry),
            (RunError::Database(broken()), Exit::Failed),
            (
                RunError::Connect(ConnectError::Database(gone())),
                Exit::Retry,
            ),
            (RunError::Refused(Vec::new()), Exit::Refused),
            (RunError::Blocked(Vec::new()), Exit::Refused),
        ] {
            assert_eq!(of_run(&error, Exit::Terminated), exit, "{error}");
        }
    }
}
