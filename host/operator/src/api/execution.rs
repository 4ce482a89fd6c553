//! Where the plan of an `Environment` is run.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

/// Where a plan is run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Execution {
    /// In the operator's process.
    #[default]
    InProcess,
    /// By a Job, whose Pods run `whimbrel run`.
    Job,
}

impl Execution {
    #[allow(
        clippy::trivially_copy_pass_by_ref,
        reason = "serde calls it by reference"
    )]
    pub(super) const fn is_in_process(&self) -> bool {
        matches!(self, Self::InProcess)
    }
}

/// What an `Environment` says of its Jobs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct JobSpec {
    /// A part of a Pod's template.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub template: Map<String, Json>,
    /// How long a Job may take, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub active_deadline_seconds: Option<i64>,
    /// How long one that has ended is kept, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttl_seconds_after_finished: Option<i64>,
}
