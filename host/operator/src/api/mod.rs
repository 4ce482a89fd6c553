//! The objects of the cluster, as the operator reads and writes them.
//!
//! What of them defines something is kept as it is written and read by `config`, which holds it to the same tables as a
//! document of a repository. What is typed here is only what belongs to the object and not to the definition.

mod condition;
mod execution;
mod status;

use kube::core::object::Object;
use kube::discovery::ApiResource;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};
use whimbrel_config::Kind;

pub use condition::{
    Condition, ConditionStatus, ConditionType, Conditions, Said, conditions, transition,
};
pub use execution::{Execution, JobSpec};
pub use status::{
    ApprovalStatus, DatabaseStatus, EnvironmentStatus, GitSourceStatus, LastEvent, MigrationStatus,
};

/// The group of all kinds.
pub const GROUP: &str = "whimbrel.dev";
/// Their version.
pub const VERSION: &str = "v1alpha1";
/// The field manager of everything that the operator writes, and the name that its events are from.
pub const MANAGER: &str = "whimbrel-operator";
/// Asks for a reconcile whenever its value changes.
pub const REQUESTED_AT: &str = "whimbrel.dev/requestedAt";
/// Keeps an `Environment` until a run of it has ended and what was lent is given back.
pub const FINALIZER: &str = "whimbrel.dev/release";
/// Keeps a `Migration` that asks to be reverted until it is, or won't be.
pub const REVERT_FINALIZER: &str = "whimbrel.dev/revert";
/// The field manager of that finalizer, and of nothing else: it is applied and taken away by itself.
pub const REVERT_MANAGER: &str = "whimbrel-operator-revert";
/// The environment that a `Migration` was written for.
pub const ENVIRONMENT_LABEL: &str = "whimbrel.dev/environment";
/// The `GitSource` that a `Migration` was written from.
pub const SOURCE_LABEL: &str = "whimbrel.dev/source";
/// The name that a migration has in Git, where an object's name may differ.
pub const MIGRATION_ANNOTATION: &str = "whimbrel.dev/migration";
/// The checksum of the definition that an object was written from.
pub const CHECKSUM_ANNOTATION: &str = "whimbrel.dev/checksum";

/// The plan that a Job runs.
pub const PLAN_ANNOTATION: &str = "whimbrel.dev/plan";
/// The plan that one left when it had failed.
pub const LEFT_ANNOTATION: &str = "whimbrel.dev/left";
/// Which state of its environment's object a Job was made for.
pub const ASKED_ANNOTATION: &str = "whimbrel.dev/asked";
/// The how-manieth Job of a plan it is.
pub const ATTEMPT_ANNOTATION: &str = "whimbrel.dev/attempt";

/// An environment.
pub type Environment = Object<EnvironmentSpec, EnvironmentStatus>;
/// A migration.
pub type Migration = Object<MigrationSpec, MigrationStatus>;
/// A Git source.
pub type GitSource = Object<GitSourceSpec, GitSourceStatus>;
/// An approval.
pub type Approval = Object<ApprovalSpec, ApprovalStatus>;

/// The name of another object of the same namespace.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub struct ObjectName {
    /// The name.
    pub name: String,
}

/// What an `Environment` says.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EnvironmentSpec {
    /// Where it is defined; here if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_ref: Option<ObjectName>,
    /// Whether nothing new is begun.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub suspend: bool,
    /// Where a plan is run.
    #[serde(default, skip_serializing_if = "Execution::is_in_process")]
    pub execution: Execution,
    /// The Jobs that run it, where they do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<JobSpec>,
    /// The definition, as in a repository.
    #[serde(flatten)]
    pub definition: Map<String, Json>,
}

/// What a `Migration` says.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MigrationSpec {
    /// The environment that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment_ref: Option<ObjectName>,
    /// What deleting the object does to the databases.
    #[serde(default, skip_serializing_if = "DeletionPolicy::is_keep")]
    pub deletion_policy: DeletionPolicy,
    /// The definition, as in a repository.
    #[serde(flatten)]
    pub definition: Map<String, Json>,
}

/// What deleting a `Migration` does to the databases.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum DeletionPolicy {
    /// Nothing: what is applied stays.
    #[default]
    Keep,
    /// It is reverted.
    Revert,
}

impl DeletionPolicy {
    #[allow(
        clippy::trivially_copy_pass_by_ref,
        reason = "serde calls it by reference"
    )]
    const fn is_keep(&self) -> bool {
        matches!(self, Self::Keep)
    }
}

/// What a `GitSource` says.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct GitSourceSpec {
    /// Whether it isn't looked at any more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub suspend: bool,
    /// The definition, as in a file of `whimbrel serve --config`.
    #[serde(flatten)]
    pub definition: Map<String, Json>,
}

/// What an `Approval` says.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ApprovalSpec {
    /// Whose plan it is.
    pub environment_ref: ObjectName,
    /// The plan's digest.
    pub plan: String,
    /// Who approves.
    pub approver: String,
    /// Groups in which they approve.
    #[serde(default)]
    pub groups: Vec<String>,
    /// Whether destructive statements were looked at.
    #[serde(default)]
    pub confirm_destructive: bool,
}

/// How a kind is called in the API.
#[must_use]
pub fn resource(kind: Kind) -> ApiResource {
    ApiResource {
        group: GROUP.to_owned(),
        version: VERSION.to_owned(),
        api_version: format!("{GROUP}/{VERSION}"),
        kind: kind.as_str().to_owned(),
        plural: format!("{}s", kind.as_str().to_lowercase()),
    }
}

impl ApprovalSpec {
    /// The approver with their groups, as the history keeps them: `ann (group:dba)`.
    #[must_use]
    pub fn recorded(&self) -> String {
        let groups = self.groups.iter().map(|group| format!(" (group:{group})"));
        groups.fold(self.approver.clone(), |name, group| name + &group)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{ApprovalSpec, EnvironmentSpec};

    #[test]
    fn what_belongs_to_the_object_is_apart_from_the_definition() {
        let spec: EnvironmentSpec = serde_json::from_value(json!({
            "suspend": true, "databases": {"shop": {"url": "sqlite:shop.db"}},
        }))
        .unwrap();
        assert!(spec.suspend && spec.source_ref.is_none());
        assert_eq!(spec.definition.keys().collect::<Vec<_>>(), ["databases"]);
    }

    #[test]
    fn groups_stand_beside_the_name() {
        let spec: ApprovalSpec = serde_json::from_value(json!({
            "environmentRef": {"name": "dev"}, "plan": "sha256:00", "approver": "ann", "groups": ["dba", "ops"],
        }))
        .unwrap();
        assert_eq!(spec.recorded(), "ann (group:dba) (group:ops)");
    }
}
