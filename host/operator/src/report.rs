//! Writes how an environment and its migrations stand, where that isn't written already.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use futures::{StreamExt as _, stream};
use kube::ResourceExt as _;
use serde_json::Value as Json;
use whimbrel_config::Kind;
use whimbrel_core::name::MigrationName;
use whimbrel_report::MigrationLine;

use crate::api::{
    CHECKSUM_ANNOTATION, Condition, ConditionStatus, ConditionType, DeletionPolicy,
    ENVIRONMENT_LABEL, Environment, Migration, MigrationSpec, MigrationStatus, REQUESTED_AT,
    SOURCE_LABEL, Said, conditions,
};
use crate::cluster::{annotation, as_json, now};
use crate::definition::{belongs, only_environment};
use crate::operator::Operator;
use crate::reconcile::{
    Found, Last, Written, Wrote, counts, environment_status, is_news, migration_status,
    object_name, superfluous, waiting_status, written,
};
use crate::refusals::Refusals;
use crate::survey::Surveyed;

/// How many objects are written at once. The API server has a bound of its own and says so; this stays well below.
const WRITES: usize = 8;

/// By database and migration, where it stands on each of the database's targets.
type Lines<'s> = HashMap<(String, String), Vec<&'s MigrationLine>>;

/// Of what the status is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The environment only: a run waits for it, and a thousand migrations would take their time.
    Environment,
    /// The environment and its migrations.
    Everything,
}

/// Writes what is known. Without a survey, what was found before still stands there.
///
/// # Errors
/// The API server doesn't do it; the next pass writes what is missing.
pub async fn report(
    operator: &Arc<Operator>,
    surveyed: Option<&Surveyed>,
    object: &Environment,
    said: &[Said],
    scope: Scope,
    reverting: &[MigrationName],
    wrote: &mut Wrote,
) -> Result<(), kube::Error> {
    let meta = &object.metadata;
    let before = object.status.clone().unwrap_or_default();
    let mut written = Ok(());
    // What keeps a migration's object from being written keeps nothing from the environment's.
    if scope == Scope::Everything {
        written = match surveyed {
            Some(surveyed) => migrations(operator, surveyed, object, said, reverting, wrote).await,
            None => waiting(operator, object, said, wrote).await,
        };
    }
    let generation = meta.generation.unwrap_or_default();
    let request = annotation(meta, REQUESTED_AT);
    let found = surveyed.map(found);
    let after = environment_status(&before, said, found, generation, request, now());
    if !is_news(object.status.as_ref(), wrote.environment.as_ref(), &after) {
        return written;
    }
    let cluster = &operator.cluster;
    let last = wrote.environment.insert(Last::tried(after.clone()));
    cluster
        .write_status(Kind::Environment, meta, &after)
        .await?;
    last.is_sure = true;
    wrote.taken();
    cluster.tell(
        Kind::Environment,
        object,
        &before.conditions,
        &after.conditions,
    );
    written
}

fn found(surveyed: &Surveyed) -> Found {
    let (databases, sums) = counts(&surveyed.targets);
    let revision = surveyed.opened.project.revision();
    Found {
        databases,
        sums,
        revision: revision.map(ToString::to_string),
        plan: (!surveyed.is_empty).then(|| surveyed.digest.clone()),
    }
}

async fn migrations(
    operator: &Arc<Operator>,
    surveyed: &Surveyed,
    object: &Environment,
    said: &[Said],
    reverting: &[MigrationName],
    wrote: &Wrote,
) -> Result<(), kube::Error> {
    let name = object.name_any();
    let mut lines: Lines<'_> = HashMap::new();
    for target in &surveyed.targets {
        for line in &target.migrations {
            let key = (target.target.database.to_string(), line.name.to_string());
            lines.entry(key).or_default().push(line);
        }
    }
    match &object.spec.source_ref {
        Some(source) => followed(operator, surveyed, object, &source.name, &lines, wrote).await,
        None => own(operator, &name, &lines, &reverts(said), reverting, wrote).await,
    }
}

/// The objects of the migrations that a source defines: written, taken away, and said how they stand.
async fn followed(
    operator: &Arc<Operator>,
    surveyed: &Surveyed,
    object: &Environment,
    source: &str,
    lines: &Lines<'_>,
    wrote: &Wrote,
) -> Result<(), kube::Error> {
    let cluster = &operator.cluster;
    let name = object.name_any();
    let there: BTreeMap<String, Arc<Migration>> = cluster
        .stores
        .migrations
        .state()
        .into_iter()
        .filter(|migration| label(migration, ENVIRONMENT_LABEL) == Some(&name))
        .filter(|migration| label(migration, SOURCE_LABEL).is_some())
        .map(|migration| (migration.name_any(), migration))
        .collect();
    let definitions = surveyed.opened.project.definitions();
    let databases = &surveyed.opened.environment().databases;
    let wanted: Vec<(Written, String)> = definitions
        .migrations
        .iter()
        .zip(&definitions.checksums)
        .filter(|(migration, _)| databases.contains_key(&migration.database))
        .map(|(migration, checksum)| {
            let database = migration.database.to_string();
            (written(&name, migration, checksum), database)
        })
        .collect();
    let names: BTreeSet<String> = wanted.iter().map(|(one, _)| one.name.clone()).collect();
    let recorded = lines
        .keys()
        .map(|(_, migration)| object_name(&name, migration));
    let recorded: BTreeSet<String> = recorded.collect();
    let gone = superfluous(there.values().map(AsRef::as_ref), &names, &recorded);
    let written = stream::iter(wanted.into_iter().map(|(one, database)| {
        let there = there.get(&one.name).cloned();
        async move {
            let found = match there {
                Some(there) if is_as_written(&there, &one) => there,
                there => {
                    // Where a migration belongs can't change: there is another object of it then. By the old one, nothing
                    // was decided.
                    if let Some(there) = there.filter(|there| !is_of_same_place(&there.spec, &one))
                    {
                        cluster.delete_migration(&there).await?;
                    }
                    let written = cluster.write_migration(&one, object, source).await?;
                    wrote.taken();
                    Arc::new(written)
                }
            };
            let lines = lines.get(&(database, one.migration.clone()));
            let lines = lines.map(Vec::as_slice).unwrap_or_default();
            match stands(&found, lines, None, wrote) {
                Some(after) => write(operator, &found, &after, false, wrote).await,
                None => Ok(()),
            }
        }
    }));
    let mut refusals = Refusals::default();
    let written = written.buffer_unordered(WRITES);
    refusals.go_through(written).await?;
    for gone in gone.iter().filter_map(|name| there.get(name)) {
        refusals.take(cluster.delete_migration(gone).await)?;
    }
    refusals.into_result()
}

/// Whether nobody changed an object since it was written, and nothing of it changed in Git.
fn is_as_written(there: &Migration, one: &Written) -> bool {
    annotation(&there.metadata, CHECKSUM_ANNOTATION) == Some(&one.checksum)
        && there.metadata.deletion_timestamp.is_none()
        && is_spec_of(&there.spec, &one.spec)
}

/// Whether it is what was written. What deleting it does isn't Git's to say: one that is deleted comes back.
fn is_spec_of(spec: &MigrationSpec, written: &Json) -> bool {
    let spec = MigrationSpec {
        deletion_policy: DeletionPolicy::Keep,
        ..spec.clone()
    };
    as_json(&spec) == *written
}

/// Whether it is of the same database and environment as what is to be written.
fn is_of_same_place(spec: &MigrationSpec, written: &Written) -> bool {
    let spec = as_json(spec);
    ["database", "environmentRef"]
        .iter()
        .all(|field| spec.get(field) == written.spec.get(field))
}

/// How the migrations that people wrote stand.
async fn own(
    operator: &Arc<Operator>,
    environment: &str,
    lines: &Lines<'_>,
    reverts: &[Said],
    reverting: &[MigrationName],
    wrote: &Wrote,
) -> Result<(), kube::Error> {
    let stores = &operator.cluster.stores;
    let only = only_environment(&stores.environments.state());
    let mut by_name: HashMap<&str, Vec<&MigrationLine>> = HashMap::new();
    for ((_, name), found) in lines {
        by_name.entry(name).or_default().extend(found);
    }
    let mut changed = Vec::new();
    let is_there = |migration: &Migration| {
        let uid = migration.metadata.uid.as_ref();
        !uid.is_some_and(|uid| wrote.gone.contains(uid))
    };
    for migration in stores.migrations.state() {
        if belongs(&migration, environment, only.as_deref()) && is_there(&migration) {
            let name = migration.name_any();
            let of = by_name.get(name.as_str());
            let of = of.map(Vec::as_slice).unwrap_or_default();
            let is_reverting = reverting.iter().any(|other| other.as_str() == name);
            let said = is_reverting.then_some(reverts);
            if let Some(after) = stands(&migration, of, said, wrote) {
                changed.push((migration, after, is_reverting));
            }
        }
    }
    let written = changed
        .into_iter()
        .map(|(migration, after, is_reverting)| async move {
            write(operator, &migration, &after, is_reverting, wrote).await
        });
    let mut refusals = Refusals::default();
    let written = stream::iter(written).buffer_unordered(WRITES);
    refusals.go_through(written).await?;
    refusals.into_result()
}

/// Says of the migrations that nobody has looked at, as they are now, that they wait for their environment, where it can't be
/// looked at: what has no condition at all counts as done elsewhere.
async fn waiting(
    operator: &Arc<Operator>,
    object: &Environment,
    said: &[Said],
    wrote: &Wrote,
) -> Result<(), kube::Error> {
    let Some(reason) = waits_for(object, said) else {
        return Ok(());
    };
    let stores = &operator.cluster.stores;
    let only = only_environment(&stores.environments.state());
    let name = object.name_any();
    let own = stores.migrations.state();
    let own = own
        .into_iter()
        .filter(|migration| belongs(migration, &name, only.as_deref()))
        .filter(|migration| migration.metadata.deletion_timestamp.is_none());
    let changed: Vec<_> = own
        .filter_map(|migration| {
            let generation = migration.metadata.generation.unwrap_or_default();
            let before = migration.status.as_ref();
            let after = waiting_status(before, reason, generation, now())?;
            let uid = migration.metadata.uid.as_deref().unwrap_or_default();
            let mut unseen = wrote.migrations();
            let is_news = unseen.is_news(uid, before, &after);
            is_news.then(|| unseen.add(uid, &after))?;
            drop(unseen);
            Some((migration, after))
        })
        .collect();
    let written = changed.into_iter().map(|(migration, after)| async move {
        write(operator, &migration, &after, false, wrote).await
    });
    let mut refusals = Refusals::default();
    let written = stream::iter(written).buffer_unordered(WRITES);
    refusals.go_through(written).await?;
    refusals.into_result()
}

/// Why the migrations that people wrote for an environment wait for it; none where they don't.
fn waits_for(object: &Environment, said: &[Said]) -> Option<&'static str> {
    let main = said.first()?;
    let is_gone = object.metadata.deletion_timestamp.is_some();
    let is_own = object.spec.source_ref.is_none() && !is_gone;
    (is_own && main.status != ConditionStatus::True).then_some(main.reason)
}

/// What a migration says while it is to be reverted: what its environment says of it.
pub fn reverts(said: &[Said]) -> Vec<Said> {
    let of = |said: &Said| {
        let is_main = said.r#type == ConditionType::Ready;
        Said {
            r#type: if is_main {
                ConditionType::Succeeded
            } else {
                said.r#type
            },
            status: if is_main {
                ConditionStatus::Unknown
            } else {
                said.status
            },
            reason: "Reverting",
            message: said.message.clone(),
        }
    };
    said.iter().map(of).collect()
}

/// How one migration stands, or what else is to be said of it, for it to be written; none where it is already.
fn stands(
    migration: &Migration,
    lines: &[&MigrationLine],
    said: Option<&[Said]>,
    wrote: &Wrote,
) -> Option<MigrationStatus> {
    let generation = migration.metadata.generation.unwrap_or_default();
    let before = migration.status.as_ref();
    let mut after = migration_status(before, lines, generation, now());
    if let Some(said) = said {
        let known = before.map(|before| before.conditions.as_slice());
        after.conditions = conditions(known.unwrap_or_default(), said, generation, now());
    }
    let uid = migration.metadata.uid.as_deref().unwrap_or_default();
    let mut unseen = wrote.migrations();
    if !unseen.is_news(uid, before, &after) {
        return None;
    }
    // It is written next.
    unseen.add(uid, &after);
    Some(after)
}

/// Writes how one migration stands, and tells of it.
async fn write(
    operator: &Operator,
    migration: &Migration,
    after: &MigrationStatus,
    is_reverting: bool,
    wrote: &Wrote,
) -> Result<(), kube::Error> {
    let cluster = &operator.cluster;
    let meta = &migration.metadata;
    cluster.write_status(Kind::Migration, meta, after).await?;
    let uid = meta.uid.as_deref().unwrap_or_default();
    wrote.migrations().hear(uid);
    wrote.taken();
    // What only waits is no event: there may be a thousand of them.
    let is_waiting = |condition: &Condition| condition.status == ConditionStatus::Unknown;
    if !is_reverting && after.conditions.first().is_some_and(is_waiting) {
        return Ok(());
    }
    let before = migration.status.as_ref();
    let known = before.map(|before| before.conditions.as_slice());
    cluster.tell(
        Kind::Migration,
        migration,
        known.unwrap_or_default(),
        &after.conditions,
    );
    Ok(())
}

fn label<'m>(migration: &'m Migration, name: &str) -> Option<&'m String> {
    migration.metadata.labels.as_ref()?.get(name)
}
