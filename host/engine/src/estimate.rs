//! What plugins expect of their steps, asked over sessions that can't write.

use std::time::Duration;

use whimbrel_core::name::TargetName;
use whimbrel_core::plan::{Change, OperationAction, TargetPlan};
use whimbrel_plugin::Call;
use whimbrel_report::Estimate;

use crate::opened::Opened;
use crate::prepared::Prepared;
use crate::reader::Reader;

/// How long an estimate may take: it decorates a plan, and a plan must not wait for it.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Asks every plugin step that is still to be run. What can't be estimated, because its table comes with an earlier
/// migration of the same plan, is left out.
pub async fn estimates(opened: &Opened, prepared: &Prepared) -> Vec<Estimate> {
    let mut all = Vec::new();
    for target in &prepared.plan().targets {
        for change in target.applies() {
            of_change(opened, prepared, target, change, &mut all).await;
        }
    }
    all
}

async fn of_change(
    opened: &Opened,
    prepared: &Prepared,
    target: &TargetPlan,
    change: &Change,
    all: &mut Vec<Estimate>,
) {
    for planned in change.operations.iter().filter(|planned| !planned.done) {
        let OperationAction::Plugin { uses, with, .. } = &planned.operation.action else {
            continue;
        };
        let Ok(plugin) = prepared.plugins.plugin(uses).await else {
            continue;
        };
        let Ok(session) = opened.read_only(&target.target).await else {
            continue;
        };
        let mut call = Call::new("plan", change.migration.as_str());
        call.timeout = Some(TIMEOUT);
        let database = Reader::new(session);
        match plugin.estimate(with, call, Box::new(database)).await {
            Ok(details) => all.push(estimate(&target.target, change, planned.position, details)),
            Err(error) => {
                tracing::debug!(target_name = %target.target, migration = %change.migration, %error, "no estimate");
            }
        }
    }
}

fn estimate(
    target: &TargetName,
    change: &Change,
    position: u32,
    details: serde_json::Value,
) -> Estimate {
    Estimate {
        target: target.clone(),
        migration: change.migration.clone(),
        position,
        rows: details.get("rows").and_then(serde_json::Value::as_u64),
        details,
    }
}
