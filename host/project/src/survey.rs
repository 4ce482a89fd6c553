//! Reads the history of every target and plans it: the plan that is shown, and by which gates are passed.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::stream::{self, StreamExt};
use tokio::sync::Semaphore;
use whimbrel_core::history::History;
use whimbrel_core::lineage::Revision;
use whimbrel_core::name::{MigrationName, TargetName};
use whimbrel_core::plan::{Blocker, BlockerCode, Goal, Plan, TargetPlan};
use whimbrel_core::statement::Dialect;
use whimbrel_database::Ramp;
use whimbrel_database::history;

use crate::planner::reverts;
use crate::{Idle, Planner, ProjectError, Sessions, Targets};

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

/// What every target records, or why it couldn't be read. Without the definitions, which are by far the biggest part.
pub type Histories = BTreeMap<TargetName, Result<History, ProjectError>>;

/// Reads the history of every target, within the policy's bounds. Needs no definition of a migration, so that these can
/// be read meanwhile. Connections of servers are kept for the run that follows, if there is one.
pub async fn histories(targets: &Targets, keep: Option<&Sessions>) -> Histories {
    at_once(targets, names(targets), |name, ()| async move {
        read(targets, &name, false, keep).await
    })
    .await
}

/// The same without those that are known otherwise, and over connections that nobody keeps.
pub async fn histories_but(targets: &Targets, is_known: impl Fn(&TargetName) -> bool) -> Histories {
    let mut names = names(targets);
    names.retain(|(name, ())| !is_known(name));
    at_once(targets, names, |name, ()| async move {
        read(targets, &name, false, None).await
    })
    .await
}

/// The same of these migrations alone, as far as [`history::read_without_definitions_of`] goes by names, over connections that
/// are kept for whoever asks next.
pub async fn histories_of(targets: &Targets, only: &[MigrationName], idle: &Idle) -> Histories {
    at_once(targets, names(targets), |name, ()| async move {
        match read_of(targets, &name, only, Some(idle)).await {
            // The connection that was kept may be gone by now.
            Err(ProjectError::History { .. }) => read_of(targets, &name, only, None).await,
            read => read,
        }
    })
    .await
}

fn names(targets: &Targets) -> Vec<(TargetName, ())> {
    let names = targets.iter().map(|target| (target.name.clone(), ()));
    names.collect()
}

/// The same for many targets, as many at once as the policy allows.
async fn at_once<T, R, F: Future<Output = R>>(
    targets: &Targets,
    items: impl IntoIterator<Item = (TargetName, T)>,
    work: impl Fn(TargetName, T) -> F,
) -> BTreeMap<TargetName, R> {
    let policy = &targets.environment().policy;
    let servers = servers(targets, policy.per_server.map(|bound| bound.get() as usize));
    let ramp = &Ramp::default();
    stream::iter(items)
        .map(|(name, item)| {
            let server = targets
                .get(&name)
                .ok()
                .and_then(|target| servers.get(&target.server))
                .map(Arc::clone);
            let work = work(name.clone(), item);
            async move {
                // The semaphore lives as long as this and is never closed.
                let _turn = match &server {
                    Some(server) => server.acquire().await.ok(),
                    None => None,
                };
                (name, ramp.begin(work).await)
            }
        })
        .buffer_unordered(policy.concurrency.get() as usize)
        .collect()
        .await
}

/// Reads and plans every target.
pub async fn survey(planner: &Planner, targets: &Targets, revision: Option<&Revision>) -> Survey {
    survey_of(planner, targets, revision, histories(targets, None).await).await
}

/// Plans every target against histories that were read.
pub async fn survey_of(
    planner: &Planner,
    targets: &Targets,
    revision: Option<&Revision>,
    histories: Histories,
) -> Survey {
    let mut survey = Survey {
        plan: Plan {
            environment: planner.environment().name.clone(),
            revision: revision.cloned(),
            targets: Vec::with_capacity(histories.len()),
        },
        histories: BTreeMap::new(),
        failures: BTreeMap::new(),
    };
    let planned = at_once(targets, histories, |name, history| async move {
        one(planner, targets, &name, history?).await
    })
    .await;
    for (name, planned) in planned {
        match planned {
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
        place: None,
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
    mut history: History,
) -> Result<(TargetPlan, History), ProjectError> {
    let mut decided = planner.decide(name, &history).await?;
    if reverts(&decided) {
        history = read(targets, name, true, None).await?;
        decided = planner.decide(name, &history).await?;
    }
    let plan = planner.planned(name, &history, decided).await?;
    Ok((plan, history))
}

async fn read(
    targets: &Targets,
    name: &TargetName,
    definitions: bool,
    keep: Option<&Sessions>,
) -> Result<History, ProjectError> {
    // A file that is opened for writing would be made if it isn't there, and costs nothing to open again.
    let keep = match targets.get(name)?.dialect {
        Dialect::Postgres => keep,
        Dialect::Sqlite => None,
    };
    let mut connected = match keep {
        Some(_) => targets.connect_lent(name).await?,
        None => targets.connect_lent_read_only(name, None).await?,
    };
    let session = connected.session.as_mut();
    let history = match (targets.is_telling(), definitions) {
        (true, _) => history::read_telling(session, definitions).await,
        (false, true) => history::read(session).await,
        (false, false) => history::read_without_definitions(session).await,
    };
    let history = history.map_err(|source| ProjectError::unreadable(name, source))?;
    if let Some(keep) = keep {
        keep.keep(name, connected);
    }
    Ok(history)
}

async fn read_of(
    targets: &Targets,
    name: &TargetName,
    only: &[MigrationName],
    idle: Option<&Idle>,
) -> Result<History, ProjectError> {
    let mut connected = targets.connect_lent_read_only(name, idle).await?;
    let session = connected.session.as_mut();
    let history = history::read_without_definitions_of(session, only).await;
    let history = history.map_err(|source| ProjectError::unreadable(name, source))?;
    if let Some(idle) = idle {
        idle.keep(connected, targets.settings().read_only());
    }
    Ok(history)
}
