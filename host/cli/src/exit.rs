//! Exit codes: a promise to scripts.

use std::process::ExitCode;

/// How the program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Nothing is wrong.
    Success,
    /// It failed.
    Failed,
    /// Changes are pending, and `--detailed-exitcode` asked.
    Pending,
    /// There are findings at error level.
    Findings,
    /// A checksum or the schema isn't what was applied.
    Drift,
    /// Somebody else holds the lock.
    Locked,
    /// A gate said no, or the plan is blocked or another one.
    Refused,
    /// Nobody can tell whether a statement took effect.
    Unknown,
    /// Some databases failed, and others are done.
    Partly,
    /// The command line makes no sense.
    Usage,
    /// The same may work later.
    Retry,
    /// Ctrl-C.
    Interrupted,
    /// SIGTERM.
    Terminated,
}

impl Exit {
    /// The number.
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Failed => 1,
            Self::Pending => 2,
            Self::Findings => 3,
            Self::Drift => 4,
            Self::Locked => 5,
            Self::Refused => 6,
            Self::Unknown => 7,
            Self::Partly => 8,
            Self::Usage => 64,
            Self::Retry => 75,
            Self::Interrupted => 130,
            Self::Terminated => 143,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
