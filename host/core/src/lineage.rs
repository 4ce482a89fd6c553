//! How the revision at hand relates to the revisions that a target has seen, as data gathered beforehand.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::name::MigrationName;

/// A Git commit, by its full object id, and whether the files at hand differed from it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Revision {
    /// The commit's object id in hexadecimal digits.
    pub commit: String,
    /// Whether the work tree held changes that no commit has.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dirty: bool,
}

impl Revision {
    /// A clean commit.
    #[must_use]
    pub fn commit(commit: impl Into<String>) -> Self {
        Self {
            commit: commit.into(),
            dirty: false,
        }
    }

    /// Reads what `Display` wrote.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        match text.strip_suffix("-dirty") {
            Some(commit) => Self {
                commit: commit.to_owned(),
                dirty: true,
            },
            None => Self::commit(text),
        }
    }

    /// The first twelve digits, with `-dirty` where it applies.
    #[must_use]
    pub fn short(&self) -> String {
        let digits: String = self.commit.chars().take(12).collect();
        if self.dirty {
            format!("{digits}-dirty")
        } else {
            digits
        }
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.commit)?;
        if self.dirty {
            formatter.write_str("-dirty")
        } else {
            Ok(())
        }
    }
}

/// What the Git history says about a migration that a target has and the definitions at hand lack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Absence {
    /// The revision at hand descends from the applied one, and a commit between them removed the definition.
    Removed {
        /// The commit that removed it, where it was found.
        by: Option<Revision>,
    },
    /// The revision at hand is older than, or has diverged from, the one that the migration came from.
    NotDescendant,
    /// It descends, but the definition never was in a commit between them, so none removed it.
    NeverCommitted,
    /// The definition is gone from the work tree only.
    Uncommitted,
    /// There is no Git history to ask.
    NoHistory,
    /// Nobody asked Git: what isn't defined any more stays applied.
    Kept,
}

/// What becomes of a migration that a target has and the definitions lack.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AbsentRule {
    /// Git says: a commit that removed it has it reverted, and anything else stops the plan.
    #[default]
    AskGit,
    /// It stays applied: definitions come and go one by one, and one that is gone asks for nothing.
    Keep,
}

/// What is known about every migration that is applied and absent; a pure plan reads it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lineage {
    /// By the migration's name.
    pub absences: BTreeMap<MigrationName, Absence>,
}

/// Why what is at hand isn't on the branch that an environment follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OffBranch {
    /// It is no commit of a Git repository.
    NoCommit,
    /// The clone has no such branch, and no tag that matches.
    NoBranch,
    /// The commit isn't on the branch, or has none of the tags.
    Elsewhere,
    /// The work tree has changes that no commit has.
    Uncommitted,
    /// A commit that was applied is no longer on the branch: somebody pushed it away.
    Rewritten {
        /// The commit.
        applied: Revision,
    },
    /// The environment itself names no branch, and a commit that was applied isn't on the one that is read: somebody pushed
    /// it away, or it was on another one.
    Apart {
        /// The commit.
        applied: Revision,
    },
}
