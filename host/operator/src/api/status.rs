//! What the operator says of an object. Always a view of the database's history, never the truth: it may be lost.

use serde::{Deserialize, Serialize};

use super::Conditions;
use super::condition::own_conditions;

/// How an `Environment` stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct EnvironmentStatus {
    /// The generation that everything below is about.
    pub observed_generation: i64,
    /// `Ready`, `Reconciling`, `Stalled`.
    #[serde(deserialize_with = "own_conditions")]
    pub conditions: Conditions,
    /// The commit that it was planned from; none where the migrations are objects.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// The digest of the plan that is pending; none when nothing is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan: Option<String>,
    /// How many migrations are applied, over all databases.
    pub applied: u32,
    /// How many are missing.
    pub pending: u32,
    /// How many stopped by an error.
    pub failed: u32,
    /// Each database; no more than the first hundred.
    pub databases: Vec<DatabaseStatus>,
    /// The value of the annotation `whimbrel.dev/requestedAt` that was answered last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_handled_request: Option<String>,
}

/// How one database stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DatabaseStatus {
    /// Its name.
    pub name: String,
    /// The commit that its last migration came from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// How many migrations are applied.
    pub applied: u32,
    /// How many are missing.
    pub pending: u32,
    /// How many stopped by an error.
    pub failed: u32,
    /// Why it couldn't be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// How a `Migration` stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct MigrationStatus {
    /// The generation that everything below is about.
    pub observed_generation: i64,
    /// `Succeeded`, `Reconciling`, `Stalled`.
    #[serde(deserialize_with = "own_conditions")]
    pub conditions: Conditions,
    /// Of the definition as it was applied, else as it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checksum: Option<String>,
    /// When the last database was done, by its own clock: RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub applied_at: Option<String>,
    /// How long it took where it took longest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_milliseconds: Option<i64>,
    /// The commit that it was applied from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// On how many databases it is applied.
    pub applied: u32,
    /// Of how many.
    pub databases: u32,
    /// Rows that its plugin steps have changed, over all databases.
    pub rows: i64,
    /// How often it was tried, applied or stopped by an error, where that was most often.
    pub attempts: i64,
    /// What happened to it last, on whichever database.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_event: Option<LastEvent>,
}

/// What a history tells of a migration last.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LastEvent {
    /// `applied`, `failed`, `reverted` or another word of the history.
    pub kind: String,
    /// When, by the database's own clock: RFC 3339.
    pub at: String,
}

/// How a `GitSource` stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GitSourceStatus {
    /// The generation that everything below is about.
    pub observed_generation: i64,
    /// `Ready`, `Reconciling`, `Stalled`.
    #[serde(deserialize_with = "own_conditions")]
    pub conditions: Conditions,
    /// The commit that its control documents are from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// The environments that it defines.
    pub environments: Vec<String>,
    /// The value of the annotation `whimbrel.dev/requestedAt` that was answered last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_handled_request: Option<String>,
}

/// What became of an `Approval`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ApprovalStatus {
    /// The generation that everything below is about.
    pub observed_generation: i64,
    /// `Succeeded`: it is recorded in every database of the plan.
    #[serde(deserialize_with = "own_conditions")]
    pub conditions: Conditions,
    /// Until when it counts: RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
}
