//! Says of the migrations that no environment runs why none does, and of approvals that theirs isn't there.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use kube::ResourceExt as _;
use whimbrel_config::Kind;

use crate::api::{Approval, ApprovalStatus, Migration, SOURCE_LABEL, conditions};
use crate::cluster::now;
use crate::definition::is_abstract;
use crate::deletion::{SETTLING, Seen};
use crate::operator::Operator;
use crate::reconcile::{Age, NO_ENVIRONMENT, Place, astray, astray_status, missing, strayed};
use crate::refusals::Refusals;

/// How long more is waited for before all migrations are looked at: a thousand may come at once.
const GATHERING: Duration = Duration::from_secs(1);

/// Says so until the operator ends. Whoever applies the objects of a folder has a moment to come to the environment.
pub async fn tell_strays(operator: Arc<Operator>) {
    operator.begun().await;
    let mut changes = operator.shards.changes();
    let (mut seen, mut failures) = (Seen::default(), 0);
    loop {
        let pause = match tell(&operator, &mut seen).await {
            Ok(next) => {
                failures = 0;
                let next = next.map(|next| next.saturating_duration_since(Instant::now()));
                next.unwrap_or(operator.settings.resync)
            }
            Err(error) => {
                tracing::warn!(%error, "it can't be said why a migration isn't run");
                failures += 1;
                operator.limits.backoff(failures)
            }
        };
        tokio::select! {
            () = operator.stop.requested() => return,
            () = operator.strays.notified() => {}
            _ = changes.changed() => {}
            () = tokio::time::sleep(pause) => {}
        }
        tokio::select! {
            () = operator.stop.requested() => return,
            () = tokio::time::sleep(GATHERING) => {}
        }
    }
}

/// Looks at all of them once; when to look again although nothing happens.
async fn tell(operator: &Operator, seen: &mut Seen) -> Result<Option<Instant>, kube::Error> {
    let places = places(operator);
    let migrations = operator.cluster.stores.migrations.state();
    let strays = migrations.into_iter().filter_map(|migration| {
        let why = why(&migration, &places)?;
        Some((migration, why))
    });
    let strays: Vec<(Arc<Migration>, String)> = strays.collect();
    let approvals = operator.cluster.stores.approvals.state().into_iter();
    let approvals = approvals.filter(|approval| {
        let named = &approval.spec.environment_ref.name;
        approval.metadata.deletion_timestamp.is_none() && missing(named, &places).is_some()
    });
    let approvals: Vec<Arc<Approval>> = approvals.collect();
    let all = strays.iter().filter_map(|(one, _)| one.uid());
    let all = all.chain(approvals.iter().filter_map(|one| one.uid()));
    let all: BTreeSet<String> = all.collect();
    seen.keep(|uid| all.contains(uid));
    let mut next = None;
    let mut refusals = Refusals::default();
    for (migration, why) in strays {
        let (age, again) = seen.age(&migration.metadata, SETTLING);
        if age == Age::Fresh {
            next = next.into_iter().chain(again).min();
        } else if let Some(_work) = operator.shards.begin(&migration.name_any()) {
            refusals.take(say(operator, &migration, &why).await)?;
        }
    }
    for approval in approvals {
        let (age, again) = seen.age(&approval.metadata, SETTLING);
        if age == Age::Fresh {
            next = next.into_iter().chain(again).min();
        } else if let Some(_work) = operator.shards.begin(&approval.name_any()) {
            refusals.take(say_of_approval(operator, &approval, &places).await)?;
        }
    }
    refusals.into_result().map(|()| next)
}

/// The environments that there are.
fn places(operator: &Operator) -> Vec<Place> {
    let environments = operator.cluster.stores.environments.state();
    let places = environments.iter().map(|environment| Place {
        name: environment.name_any(),
        is_followed: environment.spec.source_ref.is_some(),
        is_abstract: is_abstract(environment),
    });
    let mut places: Vec<_> = places.collect();
    places.sort_by(|one, other| one.name.cmp(&other.name));
    places
}

/// Why nobody runs a migration; none where somebody does, or where it isn't a person's.
fn why(migration: &Migration, places: &[Place]) -> Option<String> {
    let meta = &migration.metadata;
    let labels = meta.labels.as_ref();
    let is_written = labels.is_some_and(|labels| labels.contains_key(SOURCE_LABEL));
    if is_written || meta.deletion_timestamp.is_some() {
        return None;
    }
    let named = migration.spec.environment_ref.as_ref();
    astray(named.map(|named| named.name.as_str()), places)
}

/// Writes it, where that is still so by what the API server has now.
async fn say(operator: &Operator, seen: &Migration, why: &str) -> Result<(), kube::Error> {
    let status = |migration: &Migration| {
        let generation = migration.metadata.generation.unwrap_or_default();
        astray_status(migration.status.as_ref(), why, generation, now())
    };
    if status(seen).is_none() {
        return Ok(());
    }
    let cluster = &operator.cluster;
    let found = cluster.migration(&seen.name_any()).await?;
    let found = found.filter(|found| {
        let is_deleted = found.metadata.deletion_timestamp.is_some();
        found.metadata.uid == seen.metadata.uid && !is_deleted
    });
    let Some(found) = found else {
        return Ok(());
    };
    let named = seen.spec.environment_ref.as_ref();
    if let Some(named) = named.filter(|named| cluster.environment(&named.name).is_none())
        && is_there(operator, &named.name).await?
    {
        // Whoever keeps it says how the migration stands.
        return Ok(());
    }
    let Some(after) = status(&found) else {
        return Ok(());
    };
    let kind = Kind::Migration;
    cluster.write_status(kind, &found.metadata, &after).await?;
    let before = found.status.as_ref();
    let before = before.map(|before| before.conditions.as_slice());
    cluster.tell(kind, &found, before.unwrap_or_default(), &after.conditions);
    Ok(())
}

/// Writes of an approval that its environment isn't there, where that is still so. What became of one before stands.
async fn say_of_approval(
    operator: &Operator,
    approval: &Approval,
    places: &[Place],
) -> Result<(), kube::Error> {
    let named = &approval.spec.environment_ref.name;
    let before = approval.status.as_ref();
    let before = before.map(|before| before.conditions.as_slice());
    let before = before.unwrap_or_default();
    let is_told = before
        .first()
        .is_some_and(|main| main.reason != NO_ENVIRONMENT);
    let why = missing(named, places).filter(|_| !is_told);
    let Some(why) = why else {
        return Ok(());
    };
    let generation = approval.metadata.generation.unwrap_or_default();
    let after = ApprovalStatus {
        observed_generation: generation,
        conditions: conditions(before, &strayed(&why), generation, now()),
        expires: None,
    };
    if approval.status.as_ref() == Some(&after) || is_there(operator, named).await? {
        return Ok(());
    }
    let (cluster, kind) = (&operator.cluster, Kind::Approval);
    cluster
        .write_status(kind, &approval.metadata, &after)
        .await?;
    cluster.tell(kind, approval, before, &after.conditions);
    Ok(())
}

/// Whether the API server has an environment, whatever was seen.
async fn is_there(operator: &Operator, name: &str) -> Result<bool, kube::Error> {
    let found = operator
        .cluster
        .api(Kind::Environment)
        .get_opt(name)
        .await?;
    Ok(found.is_some())
}
