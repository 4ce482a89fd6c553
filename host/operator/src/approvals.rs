//! Approvals of an environment: which there are, which one is to be recorded, and what became of each.

use std::collections::BTreeSet;
use std::sync::Arc;

use kube::ResourceExt as _;
use whimbrel_config::Kind;
use whimbrel_core::approval;
use whimbrel_engine::{EngineError, approve};

use crate::api::{Approval, ApprovalStatus, ConditionStatus, ConditionType, Said, conditions};
use crate::cluster::now;
use crate::operator::Operator;
use crate::reconcile::NO_ENVIRONMENT;
use crate::survey::Surveyed;

/// Those whose end was told by this process, by their uid: the store may not know it yet.
pub type Told = BTreeSet<String>;

/// The approvals of an environment.
pub fn of_environment(operator: &Operator, environment: &str) -> Vec<Arc<Approval>> {
    let approvals = &operator.cluster.stores.approvals;
    let mut own: Vec<_> = approvals
        .state()
        .into_iter()
        .filter(|approval| approval.spec.environment_ref.name == environment)
        .filter(|approval| approval.metadata.deletion_timestamp.is_none())
        .collect();
    own.sort_by_key(|approval| approval.name_any());
    own
}

/// One of the plan at hand of which nobody knows yet what becomes of it.
pub fn open(
    operator: &Operator,
    environment: &str,
    surveyed: &Surveyed,
    told: &Told,
) -> Option<Arc<Approval>> {
    let prepared = surveyed.prepared.as_ref()?;
    let mut own = of_environment(operator, environment).into_iter();
    own.find(|approval| !is_told(approval, told) && prepared.require(&approval.spec.plan).is_ok())
}

/// Records an approval in the databases, and says so. What keeps it from being recorded now is an error; that its approver may
/// not is said of it, and none.
pub async fn record(
    operator: &Operator,
    approval: &Approval,
    surveyed: &Surveyed,
    told: &mut Told,
) -> Result<Result<(), kube::Error>, EngineError> {
    let Some(prepared) = &surveyed.prepared else {
        return Ok(Ok(()));
    };
    let approver = approval.spec.recorded();
    let (said, expires) = match approve(&surveyed.opened, prepared, &approver).await {
        Ok(approved) => (recorded(), Some(approved.expires.to_string())),
        Err(error @ EngineError::MayNotApprove { .. }) => {
            let (no, message) = (ConditionStatus::False, error.to_string());
            let (succeeded, stalled) = (ConditionType::Succeeded, ConditionType::Stalled);
            let said = vec![
                Said::new(succeeded, no, "MayNotApprove", message.clone()),
                Said::new(stalled, ConditionStatus::True, "MayNotApprove", message),
            ];
            (said, None)
        }
        Err(error) => return Err(error),
    };
    Ok(tell(operator, approval, said, expires, told).await)
}

/// Says of approvals that the databases have them: whoever recorded them may have died before it could.
pub async fn note(
    operator: &Operator,
    environment: &str,
    held: &[approval::Approval],
    told: &mut Told,
) -> Result<(), kube::Error> {
    for approval in of_environment(operator, environment) {
        if is_told(&approval, told) {
            continue;
        }
        let (approver, plan) = (approval.spec.recorded(), hexadecimal(&approval.spec.plan));
        let found = held
            .iter()
            .find(|held| held.approver == approver && held.plan.hex() == plan);
        if let Some(found) = found {
            let expires = Some(found.expires.to_string());
            tell(operator, &approval, recorded(), expires, told).await?;
        }
    }
    Ok(())
}

fn recorded() -> Vec<Said> {
    let (succeeded, yes) = (ConditionType::Succeeded, ConditionStatus::True);
    vec![Said::new(succeeded, yes, "Recorded", "")]
}

fn hexadecimal(digest: &str) -> String {
    let hexadecimal = digest.strip_prefix("sha256:").unwrap_or(digest);
    hexadecimal.to_ascii_lowercase()
}

fn is_told(approval: &Approval, told: &Told) -> bool {
    let uid = approval.metadata.uid.as_ref();
    let status = approval.status.as_ref();
    uid.is_some_and(|uid| told.contains(uid))
        || status
            .and_then(|status| status.conditions.first())
            .is_some_and(|main| main.reason != NO_ENVIRONMENT)
}

async fn tell(
    operator: &Operator,
    approval: &Approval,
    said: Vec<Said>,
    expires: Option<String>,
    told: &mut Told,
) -> Result<(), kube::Error> {
    let generation = approval.metadata.generation.unwrap_or_default();
    let status = ApprovalStatus {
        observed_generation: generation,
        conditions: conditions(&[], &said, generation, now()),
        expires,
    };
    let (cluster, meta) = (&operator.cluster, &approval.metadata);
    cluster.write_status(Kind::Approval, meta, &status).await?;
    told.extend(meta.uid.clone());
    cluster.tell(Kind::Approval, approval, &[], &status.conditions);
    Ok(())
}
