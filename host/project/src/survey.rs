//! Reads the history of every target and plans it: the plan that is shown, and by which gates are passed.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::stream::{self, StreamExt};
use tokio::sync::Semaphore;
use whimbrel_core::history::History;
use whimbrel_core::lineage::Revision;
use whimbrel_core::name::TargetName;
use whimbrel_core::plan::{Blocker, BlockerCode, Goal, Plan, TargetPlan};
use whimbrel_database::{Session, history};

use crate::{Planner, ProjectError, Targets};

/// What was found on the targets, and what would be done to them.
#[derive(Debug)]
pub struct Survey {
    /// The plan of every target that could be read.
    pub plan: Plan,
    /// Their histories. Definitions that no revert needs are left out, as `null`.
    pub histories: BTreeMap<TargetName, History>,
    /// Why the others could not.
    pub failures: BTreeMap<TargetName, ProjectError>,
}

/// Reads and plans every target, read only, as many at once as the policy allows.
pub async fn survey(planner: &Planner, targets: &Targets, revision: Option<&Revision>) -> Survey {
    let policy = &planner.environment().policy;
    let servers = servers(targets, policy.per_server.map(|bound| bound.get() as usize));
    let names: Vec<_> = targets.iter().map(|target| target.name.clone()).collect();
    let mut results: Vec<_> = stream::iter(names)
        .map(|name| {
            let server = targets
                .get(&name)
                .ok()
                .and_then(|target| servers.get(&target.server))
                .map(Arc::clone);
            async move {
                // The semaphore lives as long as the survey and is never closed.
                let _turn = match &server {
                    Some(server) => server.acquire().await.ok(),
                    None => None,
                };
                let result = one(planner, targets, &name).await;
                (name, result)
            }
        })
        .buffer_unordered(policy.concurrency.get() as usize)
        .collect()
        .await;
    results.sort_by(|(a, _), (b, _)| a.cmp(b));
    let mut survey = Survey {
        plan: Plan {
            environment: planner.environment().name.clone(),
            revision: revision.cloned(),
            targets: Vec::with_capacity(results.len()),
        },
        histories: BTreeMap::new(),
        failures: BTreeMap::new(),
    };
    for (name, result) in results {
        match result {
            Ok((plan, history)) => {
                survey.plan.targets.push(plan);
                survey.histories.insert(name, history);
            }
            Err(error) => {
                survey.failures.insert(name, error);
            }
        }
    }
    not_applied(planner, &mut survey);
    survey
}

/// A revert of what no target has blocks the plan. A target that could not be read may have it.
fn not_applied(planner: &Planner, survey: &mut Survey) {
    let Goal::Revert(names) = planner.goal() else {
        return;
    };
    if !survey.failures.is_empty() {
        return;
    }
    let has = |name| {
        survey
            .histories
            .values()
            .any(|history| history.record(name).is_some())
    };
    let blockers = names.iter().filter(|name| !has(name)).map(|name| Blocker {
        code: BlockerCode::NotApplied,
        migration: Some(name.clone()),
        message: format!(
            "it is not applied in `{}`, so there is nothing to revert",
            survey.plan.environment
        ),
        hint: "`whimbrel status` lists what is applied".to_owned(),
    });
    let blockers: Vec<_> = blockers.collect();
    if let Some(first) = survey.plan.targets.first_mut() {
        first.blockers.extend(blockers);
    }
}

fn servers(targets: &Targets, bound: Option<usize>) -> BTreeMap<String, Arc<Semaphore>> {
    let Some(bound) = bound else {
        return BTreeMap::new();
    };
    targets
        .iter()
        .map(|target| (target.server.clone(), Arc::new(Semaphore::new(bound))))
        .collect()
}

async fn one(
    planner: &Planner,
    targets: &Targets,
    name: &TargetName,
) -> Result<(TargetPlan, History), ProjectError> {
    let (_, mut session) = targets.connect_read_only(name).await?;
    let history = read(planner, name, session.as_mut()).await?;
    let plan = planner.plan(name, &history).await?;
    Ok((plan, history))
}

/// Definitions are by far the biggest part of a history, and only reverts need them.
async fn read(
    planner: &Planner,
    name: &TargetName,
    session: &mut dyn Session,
) -> Result<History, ProjectError> {
    let failed = |source| ProjectError::History {
        target: name.clone(),
        source: Box::new(source),
    };
    let history = history::read_without_definitions(session)
        .await
        .map_err(failed)?;
    if planner.needs_definitions(name, &history).await? {
        return history::read(session).await.map_err(failed);
    }
    Ok(history)
}
