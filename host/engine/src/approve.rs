//! A person's yes to one plan, kept in every database that the plan touches.

use jiff::{SignedDuration, Timestamp};
use whimbrel_core::gate::may_approve;
use whimbrel_core::name::TargetName;
use whimbrel_run::{Stop, administration};

use crate::error::EngineError;
use crate::opened::Opened;
use crate::prepared::Prepared;

/// An approval that was given.
#[derive(Clone, Debug)]
pub struct Approved {
    /// The databases that keep it.
    pub targets: Vec<TargetName>,
    /// Until when it holds.
    pub expires: Timestamp,
}

/// Records that somebody approves a plan.
///
/// # Errors
/// The policy doesn't let them, or a target can't be written to.
pub async fn approve(
    opened: &Opened,
    prepared: &Prepared,
    approver: &str,
) -> Result<Approved, EngineError> {
    let policy = &opened.environment().policy;
    if !may_approve(approver, &prepared.gates) {
        return Err(EngineError::MayNotApprove {
            approver: approver.to_owned(),
            approvers: policy.approvers.clone(),
        });
    }
    let lasting = i64::try_from(policy.approval_ttl.as_millis()).unwrap_or(i64::MAX);
    let expires = Timestamp::now()
        .checked_add(SignedDuration::from_millis(lasting))
        .unwrap_or(Timestamp::MAX);
    let access = opened.access(Stop::default());
    let targets = administration::approve(&access, prepared.plan(), approver, expires).await?;
    Ok(Approved { targets, expires })
}
