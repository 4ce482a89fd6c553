//! The migrations of an environment that ask to be reverted when they are deleted: marks, what their deletion is part of, and
//! what becomes of them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use kube::ResourceExt as _;
use kube::core::ObjectMeta;
use whimbrel_config::Kind;
use whimbrel_core::name::MigrationName;

use super::{Keeper, Pass};
use crate::api::{DeletionPolicy, Migration, REQUESTED_AT};
use crate::cluster::annotation;
use crate::definition::{belongs, needed, only_environment};
use crate::deletion::{Seen, is_marked, judge};
use crate::reconcile::{Age, Fate, Judged, Known, Leaving, Question, Reason, fates};
use crate::survey::Surveyed;

/// The most names that a message lists.
const LISTED: usize = 3;

/// What a keeper remembers of its migrations between two looks.
#[derive(Default)]
pub(super) struct Departures {
    seen: Seen,
    /// Marks as this process has written them last, by uid: the store may not know it yet.
    marks: BTreeMap<String, bool>,
    /// When something changes by itself.
    pub(super) next: Option<Instant>,
    /// Until when the first of those that are to be reverted may be kept from going.
    pub(super) overdue: Option<Instant>,
}

/// What one look has found of them.
#[derive(Default)]
pub(super) struct Findings {
    /// By uid.
    judged: BTreeMap<String, Judged>,
    recorded: BTreeMap<MigrationName, bool>,
}

impl Findings {
    /// Takes which of them a database has. One that can't be read may have any.
    pub(super) fn take(&mut self, reverting: &[MigrationName], surveyed: &Surveyed) {
        let Some(prepared) = &surveyed.prepared else {
            return;
        };
        let survey = &prepared.survey;
        for name in reverting {
            let mut histories = survey.histories.values();
            if histories.any(|history| history.record(name).is_some()) {
                self.recorded.insert(name.clone(), true);
            } else if survey.failures.is_empty() {
                self.recorded.insert(name.clone(), false);
            }
        }
    }
}

impl Keeper {
    /// What becomes of each of the migrations that people wrote for it.
    pub(super) fn fates(&mut self, pass: &mut Pass) -> Vec<(Arc<Migration>, Fate)> {
        (self.departures.next, self.departures.overdue) = (None, None);
        if pass.object.spec.source_ref.is_some() {
            return Vec::new();
        }
        let is_environment_there = pass.object.metadata.deletion_timestamp.is_none();
        let stores = &self.operator.cluster.stores;
        let only = only_environment(&stores.environments.state());
        let own = stores.migrations.state();
        let own: Vec<_> = own
            .into_iter()
            .filter(|migration| belongs(migration, &self.name, only.as_deref()))
            .collect();
        let is_there = |uid: &str| {
            own.iter()
                .any(|one| one.metadata.uid.as_deref() == Some(uid))
        };
        self.departures.seen.keep(is_there);
        self.departures.marks.retain(|uid, _| is_there(uid));
        self.wrote.gone.retain(|uid| is_there(uid));
        let mut leaving: Vec<_> = own
            .iter()
            .map(|migration| self.leaving(migration, pass, is_environment_there))
            .collect();
        let fates = fates(&mut leaving);
        let mut fates: Vec<_> = own.into_iter().zip(fates).collect();
        fates.retain(|(_, fate)| *fate != Fate::Stay);
        let reverting = fates.iter().filter(|(_, fate)| *fate == Fate::Revert);
        pass.reverting = reverting.filter_map(|(one, _)| name_of(one)).collect();
        fates
    }

    /// What the databases are to be asked about, as the objects were seen last.
    pub(super) fn question(&self, pass: &Pass) -> Question {
        let stores = &self.operator.cluster.stores;
        let environments = stores.environments.state();
        let mut objects: Vec<_> = needed(&pass.object, &environments)
            .into_iter()
            .map(|one| version(&one.metadata))
            .collect();
        if pass.object.spec.source_ref.is_none() {
            let only = only_environment(&environments);
            let own = stores.migrations.state();
            let mut own: Vec<_> = own
                .iter()
                .filter(|migration| belongs(migration, &self.name, only.as_deref()))
                .filter(|migration| migration.metadata.deletion_timestamp.is_none())
                .map(|migration| version(&migration.metadata))
                .collect();
            own.sort();
            objects.extend(own);
        }
        let requested = annotation(&pass.object.metadata, REQUESTED_AT);
        Question {
            objects,
            requested: requested.map(str::to_owned),
            reverting: pass.reverting.clone(),
        }
    }

    fn leaving(
        &mut self,
        migration: &Migration,
        pass: &Pass,
        is_environment_there: bool,
    ) -> Leaving {
        let meta = &migration.metadata;
        let uid = meta.uid.clone().unwrap_or_default();
        let is_deleted = meta.deletion_timestamp.is_some();
        let reverts = migration.spec.deletion_policy == DeletionPolicy::Revert;
        let written = self.departures.marks.get(&uid).copied();
        let is_marked = written.unwrap_or_else(|| is_marked(meta));
        let mut age = Age::Fresh;
        if is_deleted && reverts && is_marked {
            let within = self.operator.settings.revert_within;
            let (found, again) = self.departures.seen.age(meta, within);
            age = found;
            let Departures { next, overdue, .. } = &mut self.departures;
            let first = |known: Option<Instant>| [known, again].into_iter().flatten().min();
            *next = first(*next);
            if age == Age::Settled {
                *overdue = first(*overdue);
            }
        }
        // No database has what could not have been applied.
        let name = name_of(migration);
        let recorded = |name: &MigrationName| pass.findings.recorded.get(name).copied();
        Leaving {
            is_environment_there,
            is_deleted,
            reverts,
            is_marked,
            age,
            is_followed: false,
            judged: pass.findings.judged.get(&uid).copied(),
            is_recorded: name.as_ref().map_or(Some(false), recorded),
        }
    }

    /// Asks what the deletions are part of.
    pub(super) async fn judge(
        &self,
        pass: &mut Pass,
        fates: &[(Arc<Migration>, Fate)],
    ) -> Result<(), kube::Error> {
        for (migration, fate) in fates {
            if *fate == Fate::Judge {
                let judged = judge(&self.operator.cluster, &pass.object, migration).await?;
                let uid = migration.metadata.uid.clone().unwrap_or_default();
                pass.findings.judged.insert(uid, judged);
            }
        }
        Ok(())
    }

    /// Puts marks on, and takes those away that are over.
    pub(super) async fn mark(
        &mut self,
        pass: &mut Pass,
        fates: &[(Arc<Migration>, Fate)],
    ) -> Result<(), kube::Error> {
        for (migration, fate) in fates {
            let is_marked = match fate {
                Fate::Mark => true,
                Fate::LetGo(reason) => {
                    self.tell(migration, *reason, pass);
                    false
                }
                Fate::Stay | Fate::Wait | Fate::Judge | Fate::Revert => continue,
            };
            let meta = &migration.metadata;
            let is_gone = self.operator.cluster.mark(meta, is_marked).await?;
            self.wrote.taken();
            let uid = meta.uid.clone().unwrap_or_default();
            if is_gone {
                self.wrote.gone.insert(uid.clone());
            }
            self.departures.marks.insert(uid, is_marked);
        }
        Ok(())
    }

    /// Says of a deleted migration what became of it.
    fn tell(&self, migration: &Migration, reason: Reason, pass: &Pass) {
        let is_deleted = migration.metadata.deletion_timestamp.is_some();
        let (is_bad, reason, message) = match reason {
            _ if !is_deleted => return,
            Reason::Unmarked => return,
            Reason::Reverted => (false, "Reverted", "no database has it any more"),
            Reason::Overdue => {
                let message = "it couldn't be reverted in time, and stays applied";
                (true, "NotReverted", message)
            }
            Reason::Swept(Judged::Namespace) => (false, "Kept", "its namespace is being deleted"),
            Reason::Swept(Judged::Kind) => (false, "Kept", "the kind Migration is being deleted"),
            Reason::Swept(_) => (false, "Kept", "its environment is deleted"),
        };
        tracing::info!(
            environment = %self.name, migration = %migration.name_any(), "{reason}: {message}"
        );
        let why = match &pass.known {
            Known::Away(why) | Known::Failed(why) if is_bad => format!("{message}: {why}"),
            _ => message.to_owned(),
        };
        let cluster = &self.operator.cluster;
        cluster.tell_of(Kind::Migration, migration, is_bad, reason, &why);
    }
}

/// The name by which a database has it; none where it is no name of a migration.
fn name_of(migration: &Migration) -> Option<MigrationName> {
    migration.name_any().parse().ok()
}

fn version(meta: &ObjectMeta) -> (String, i64) {
    (
        meta.uid.clone().unwrap_or_default(),
        meta.generation.unwrap_or_default(),
    )
}

/// The first names of some, for people; none of none.
pub(super) fn listed(names: &[MigrationName]) -> Option<String> {
    let shown: Vec<_> = names.iter().take(LISTED).map(ToString::to_string).collect();
    match names.len().saturating_sub(LISTED) {
        _ if names.is_empty() => None,
        0 => Some(shown.join(", ")),
        more => Some(format!("{} and {more} more", shown.join(", "))),
    }
}
