//! What an environment allows, with defaults meant for production.

use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use crate::duration::Duration;
use crate::window::Window;

/// The resolved policy of one environment; every field has its value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Policy {
    /// Whether a plan may run without approval.
    pub apply: ApplyRule,
    /// Who may approve, such as `group:dba`; empty means anyone but the commit's author.
    pub approvers: Vec<String>,
    /// How long an approval holds.
    #[serde(rename = "approvalTTL")]
    pub approval_ttl: Duration,
    /// The most databases worked on at once.
    pub concurrency: NonZeroU32,
    /// The most databases of one server worked on at once; no bound of its own if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per_server: Option<NonZeroU32>,
    /// How long to wait for Whimbrel's own lock.
    pub lock_wait: Duration,
    /// The database's lock timeout for each statement.
    pub lock_timeout: Duration,
    /// The database's timeout for each statement.
    pub statement_timeout: Duration,
    /// Whether statements that lose data may run; holds for reverts as well.
    pub destructive: DestructiveRule,
    /// Whether a migration may be applied after one that comes later in order.
    pub out_of_order: OutOfOrderRule,
    /// What a `git revert` of an applied migration does.
    pub on_revert: RevertRule,
    /// More reverts than this in one plan need approval, whatever `on_revert` says.
    pub max_reverts: u32,
    /// When changes may be made; any time if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window: Option<Window>,
}

impl Default for Policy {
    fn default() -> Self {
        const CONCURRENCY: NonZeroU32 = NonZeroU32::MIN.saturating_add(7);
        Self {
            apply: ApplyRule::Approve,
            approvers: Vec::new(),
            approval_ttl: Duration::from_secs(24 * 60 * 60),
            concurrency: CONCURRENCY,
            per_server: None,
            lock_wait: Duration::from_secs(30),
            lock_timeout: Duration::from_secs(5),
            statement_timeout: Duration::from_secs(5 * 60),
            destructive: DestructiveRule::Forbid,
            out_of_order: OutOfOrderRule::Forbid,
            on_revert: RevertRule::Approve,
            max_reverts: 1,
            window: None,
        }
    }
}

/// Whether a plan may run without approval.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ApplyRule {
    /// A person approves the plan's digest first.
    Approve,
    /// It runs.
    Auto,
}

/// Whether statements that lose data may run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DestructiveRule {
    /// Never.
    Forbid,
    /// When a person confirms them for this run.
    Confirm,
    /// Always.
    Allow,
}

/// Whether a migration may be applied after one that comes later in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum OutOfOrderRule {
    /// Never.
    Forbid,
    /// Yes.
    Allow,
}

/// What a `git revert` of an applied migration does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RevertRule {
    /// Runs the stored down once a person approved the plan.
    Approve,
    /// Runs the stored down.
    Auto,
    /// Nothing: the plan is blocked.
    Refuse,
}

#[cfg(test)]
mod tests {
    use super::{ApplyRule, Policy, RevertRule};
    use serde_json::json;

    #[test]
    fn defaults_are_for_production() {
        let written = serde_json::to_value(Policy::default()).unwrap();
        assert_eq!(
            written,
            json!({
                "apply": "Approve", "approvers": [], "approvalTTL": "1d", "concurrency": 8, "lockWait": "30s",
                "lockTimeout": "5s", "statementTimeout": "5m", "destructive": "Forbid", "outOfOrder": "Forbid",
                "onRevert": "Approve", "maxReverts": 1,
            })
        );
        assert_eq!(
            serde_json::from_value::<Policy>(written).unwrap(),
            Policy::default()
        );
    }

    #[test]
    fn what_is_said_replaces_the_default() {
        let policy: Policy = serde_json::from_value(json!({
            "apply": "Auto", "onRevert": "Refuse", "perServer": 4, "window": "Mon 08:00-16:00 UTC",
        }))
        .unwrap();
        assert_eq!(
            (policy.apply, policy.on_revert),
            (ApplyRule::Auto, RevertRule::Refuse)
        );
        assert_eq!(policy.per_server.map(u32::from), Some(4));
        assert!(policy.window.is_some());
        assert!(serde_json::from_value::<Policy>(json!({"concurrency": 0})).is_err());
        assert!(serde_json::from_value::<Policy>(json!({"apply": "auto"})).is_err());
    }
}
