//! What a target records, as data. Reading and writing it is `whimbrel-database`'s.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::checksum::Checksum;
use crate::digest::Digest;
use crate::lineage::Revision;
use crate::name::{EnvironmentName, MigrationName, PluginName, ProjectName};

/// Where a migration stands on one target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MigrationState {
    /// Begun; the journal says how far.
    Applying,
    /// Done.
    Applied,
    /// Stopped by an error; the journal says how far.
    Failed,
    /// Its revert has begun; the journal says how far.
    Reverting,
    /// Adopted by `baseline`: counts as applied, and nothing was run.
    Baselined,
}

impl MigrationState {
    /// Whether its effect is complete.
    #[must_use]
    pub const fn is_complete(self) -> bool {
        matches!(self, Self::Applied | Self::Baselined)
    }

    /// The word that the history table keeps.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Applying => "applying",
            Self::Applied => "applied",
            Self::Failed => "failed",
            Self::Reverting => "reverting",
            Self::Baselined => "baselined",
        }
    }

    /// Reads [`MigrationState::as_str`].
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [
            Self::Applying,
            Self::Applied,
            Self::Failed,
            Self::Reverting,
            Self::Baselined,
        ]
        .into_iter()
        .find(|state| state.as_str() == text)
    }
}

/// One row of the table `migration`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// The migration.
    pub name: MigrationName,
    /// Its place in the order of first commits on this target.
    pub sequence: i64,
    /// Where it stands.
    pub state: MigrationState,
    /// Of the definition as it was applied.
    pub checksum: Checksum,
    /// The whole canonical definition as it was applied, placeholders kept.
    pub definition: Json,
    /// The resolved non-secret parameters that it was applied with.
    #[serde(default)]
    pub parameters: BTreeMap<String, String>,
    /// The digests of the plugins that its steps used.
    #[serde(default)]
    pub plugins: BTreeMap<PluginName, Digest>,
    /// The source revision that it came from; none when it came from no Git repository.
    pub revision: Option<Revision>,
    /// The run that wrote it last.
    pub run: String,
    /// Who ran it.
    pub actor: String,
    /// When it began: RFC 3339, by the target's clock.
    pub started: String,
    /// When it was done: RFC 3339, by the target's clock.
    pub finished: Option<String>,
    /// How long it took.
    pub duration_milliseconds: Option<i64>,
    /// Rows that its plugin steps reported.
    #[serde(default)]
    pub rows: i64,
    /// The error that stopped it.
    pub error: Option<String>,
    /// What its plugin steps need to be reverted, by position: base64.
    #[serde(default)]
    pub undo: BTreeMap<u32, String>,
}

/// Which way a journal entry goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// Applying.
    Apply,
    /// Reverting.
    Revert,
}

impl Direction {
    /// The word that the journal keeps.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Apply => "apply",
            Self::Revert => "revert",
        }
    }

    /// Reads [`Direction::as_str`].
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Apply, Self::Revert]
            .into_iter()
            .find(|direction| direction.as_str() == text)
    }
}

/// Whether a journalled statement is known to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum JournalState {
    /// It may have happened: probe.
    Intent,
    /// It happened.
    Done,
}

impl JournalState {
    /// The word that the journal keeps.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Intent => "intent",
            Self::Done => "done",
        }
    }

    /// Reads [`JournalState::as_str`].
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Intent, Self::Done]
            .into_iter()
            .find(|state| state.as_str() == text)
    }
}

/// One row of the table `journal`: a statement or a plugin step of an unfinished migration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JournalEntry {
    /// The migration.
    pub migration: MigrationName,
    /// Which way.
    pub direction: Direction,
    /// Its place among all statements and plugin steps of that direction, from 0.
    pub position: u32,
    /// Digest of the statement with its placeholders, or of the step's canonical form.
    pub hash: Digest,
    /// Whether it is known to be done.
    pub state: JournalState,
    /// How many batches a plugin step has committed; each commit must raise it by one.
    pub batch: i64,
    /// What the plugin step gave to its last commit.
    pub checkpoint: Option<Vec<u8>>,
    /// Rows done so far.
    pub rows_done: i64,
    /// Rows in all, if known.
    pub rows_total: Option<i64>,
    /// What the probe saw before the statement, as JSON.
    pub probe: Option<Json>,
    /// What a finished plugin step needs to be reverted.
    pub undo: Option<Vec<u8>>,
}

/// Who a target belongs to. Another one is refused until `whimbrel adopt`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// What manages it; `whimbrel` unless something else is said.
    pub manager: String,
    /// The project.
    pub project: ProjectName,
    /// The environment.
    pub environment: EnvironmentName,
}

/// What an audit event says happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum EventKind {
    Applied,
    Reverted,
    Failed,
    Baselined,
    Accepted,
    Approved,
    Unlocked,
    Adopted,
    Renamed,
    Overridden,
}

impl EventKind {
    const ALL: [Self; 10] = [
        Self::Applied,
        Self::Reverted,
        Self::Failed,
        Self::Baselined,
        Self::Accepted,
        Self::Approved,
        Self::Unlocked,
        Self::Adopted,
        Self::Renamed,
        Self::Overridden,
    ];

    /// The word that the event table keeps.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Reverted => "reverted",
            Self::Failed => "failed",
            Self::Baselined => "baselined",
            Self::Accepted => "accepted",
            Self::Approved => "approved",
            Self::Unlocked => "unlocked",
            Self::Adopted => "adopted",
            Self::Renamed => "renamed",
            Self::Overridden => "overridden",
        }
    }

    /// Reads [`EventKind::as_str`].
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// One row of the append-only table `event`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// Its number on this target.
    pub id: i64,
    /// What happened.
    pub kind: EventKind,
    /// The migration, unless it is about the whole target.
    pub migration: Option<MigrationName>,
    /// The run.
    pub run: String,
    /// Who ran it.
    pub actor: String,
    /// The source revision.
    pub revision: Option<Revision>,
    /// The digest of the plan.
    pub plan: Option<Digest>,
    /// When: RFC 3339, by the target's clock.
    pub at: String,
    /// Whatever else belongs to it: checksum, duration, expiry of an approval, reason of an override.
    #[serde(default)]
    pub details: Json,
}

/// What a history tells of a migration besides its record; also of one that was reverted, and has none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Told {
    /// How often it was tried: applied, or stopped by an error.
    pub attempts: i64,
    /// What happened last, in the history's own word: a view is no reason to refuse one that a later version wrote.
    pub last: String,
    /// When: RFC 3339, by the target's clock.
    pub at: String,
}

/// What a reader of a target's history found.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct History {
    /// The target's owner; none when nothing was recorded yet.
    pub owner: Option<Owner>,
    /// The fence's epoch; 0 when nothing was recorded yet.
    pub epoch: i64,
    /// All migrations, by sequence.
    pub records: Vec<Record>,
    /// Journal of the unfinished ones.
    pub journal: Vec<JournalEntry>,
    /// Approvals that were recorded here, oldest first.
    pub approvals: Vec<Event>,
    /// What is told of each migration, where somebody asked for it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub told: BTreeMap<MigrationName, Told>,
}

impl History {
    /// The record of a migration.
    #[must_use]
    pub fn record(&self, name: &MigrationName) -> Option<&Record> {
        self.records.iter().find(|record| &record.name == name)
    }

    /// The journal of one direction of a migration, by position.
    pub fn journal_of(
        &self,
        name: &MigrationName,
        direction: Direction,
    ) -> impl Iterator<Item = &JournalEntry> {
        self.journal
            .iter()
            .filter(move |entry| &entry.migration == name && entry.direction == direction)
    }
}
