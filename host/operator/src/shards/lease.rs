//! Leases of `coordination.k8s.io` as they are read and written.

use std::collections::BTreeMap;
use std::num::NonZeroU16;
use std::time::Duration;

use futures::Stream;
use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::api::{DeleteParams, ListParams, PostParams, Preconditions};
use kube::core::ObjectMeta;
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client, ResourceExt as _};

use super::contender::Record;
use crate::api::MANAGER;
use crate::pace::paced;
use crate::watch::config;

/// What all of ours have.
const LABEL: &str = "whimbrel.dev/lease";

/// What a Lease is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Subject {
    /// A shard, and how many there are.
    Shard { place: usize, of: u16 },
    /// A replica that lives.
    Replica(String),
}

impl Subject {
    fn name(&self) -> String {
        match self {
            Self::Shard { place, of } => format!("{MANAGER}-shard-{place}-of-{of}"),
            Self::Replica(identity) => format!("{MANAGER}-replica-{identity}"),
        }
    }

    fn of(name: &str) -> Option<Self> {
        let rest = name.strip_prefix(MANAGER)?.strip_prefix('-')?;
        if let Some(identity) = rest.strip_prefix("replica-") {
            return Some(Self::Replica(identity.to_owned()));
        }
        let (place, of) = rest.strip_prefix("shard-")?.split_once("-of-")?;
        let subject = Self::Shard {
            place: place.parse().ok()?,
            of: of.parse::<NonZeroU16>().ok()?.get(),
        };
        (subject.name() == name).then_some(subject)
    }

    const fn kind(&self) -> &'static str {
        match self {
            Self::Shard { .. } => "shard",
            Self::Replica(_) => "replica",
        }
    }
}

/// Why nothing is known of a request to the API server, or that it said no.
#[derive(Debug, thiserror::Error)]
pub(super) enum LeaseError {
    /// It may still be carried out.
    #[error("the API server doesn't answer")]
    Silence,
    /// It refused, or can't be reached.
    #[error(transparent)]
    Refused(#[from] Box<kube::Error>),
}

impl LeaseError {
    /// Whether somebody else was faster.
    pub(super) fn is_conflict(&self) -> bool {
        let Self::Refused(error) = self else {
            return false;
        };
        matches!(&**error, kube::Error::Api(status) if status.code == 409 || status.code == 404)
    }
}

/// The Leases of a namespace.
#[derive(Clone)]
pub struct Leases {
    api: Api<Lease>,
    watched: Api<Lease>,
    me: String,
    duration: Duration,
    patience: Duration,
}

impl Leases {
    /// As a replica writes them, which hold for a duration.
    pub fn new(client: Client, namespace: &str, me: String, duration: Duration) -> Self {
        Self {
            watched: Api::namespaced(paced(client.clone()), namespace),
            api: Api::namespaced(client, namespace),
            me,
            duration,
            patience: duration / 4,
        }
    }

    /// What happens to ours, by watches that are renewed at the latest after a time.
    pub(super) fn watch(
        &self,
        timeout: Duration,
    ) -> impl Stream<Item = watcher::Result<Event<Lease>>> + use<> {
        watcher(self.watched.clone(), config(timeout).labels(LABEL)).default_backoff()
    }

    /// All of ours, as they are now.
    pub(super) async fn list(&self) -> Result<BTreeMap<Subject, Lease>, LeaseError> {
        let parameters = ListParams::default().labels(LABEL);
        let listed = self.ask(self.api.list(&parameters)).await?;
        let named = listed
            .into_iter()
            .filter_map(|lease| Some((Subject::of(&lease.name_any())?, lease)));
        Ok(named.collect())
    }

    /// Writes us into a Lease, or nobody, if it is still as it was before; none says that there was none.
    pub(super) async fn write(
        &self,
        subject: &Subject,
        before: Option<&Lease>,
        is_held: bool,
    ) -> Result<Lease, LeaseError> {
        let lease = self.next(subject, before, is_held);
        let parameters = PostParams {
            field_manager: Some(MANAGER.to_owned()),
            ..PostParams::default()
        };
        if before.is_some() {
            let name = lease.name_any();
            return self.ask(self.api.replace(&name, &parameters, &lease)).await;
        }
        self.ask(self.api.create(&parameters, &lease)).await
    }

    /// Deletes a Lease, if it is still as it was.
    pub(super) async fn delete(&self, lease: &Lease) -> Result<(), LeaseError> {
        let parameters = DeleteParams {
            preconditions: Some(Preconditions {
                resource_version: lease.metadata.resource_version.clone(),
                uid: lease.metadata.uid.clone(),
            }),
            ..DeleteParams::default()
        };
        let name = lease.name_any();
        self.ask(self.api.delete(&name, &parameters))
            .await
            .map(drop)
    }

    /// The times are for people: nobody decides by them.
    fn next(&self, subject: &Subject, before: Option<&Lease>, is_held: bool) -> Lease {
        let spec = before.and_then(|before| before.spec.clone());
        let spec = spec.unwrap_or_default();
        let now = MicroTime(Timestamp::now());
        let was_ours = spec.holder_identity.as_deref() == Some(&self.me);
        let is_taken = is_held && !was_ours;
        let seconds = self.duration.as_millis().div_ceil(1_000).max(1);
        let transitions = spec.lease_transitions.unwrap_or_default();
        let metadata = before.map(|before| before.metadata.clone());
        let mut metadata = metadata.unwrap_or_else(|| ObjectMeta {
            name: Some(subject.name()),
            ..ObjectMeta::default()
        });
        metadata.managed_fields = None;
        let labels = metadata.labels.get_or_insert_default();
        labels.insert(LABEL.to_owned(), subject.kind().to_owned());
        labels.insert(
            "app.kubernetes.io/managed-by".to_owned(),
            "whimbrel".to_owned(),
        );
        Lease {
            metadata,
            spec: Some(LeaseSpec {
                holder_identity: is_held.then(|| self.me.clone()),
                lease_duration_seconds: Some(i32::try_from(seconds).unwrap_or(i32::MAX)),
                acquire_time: if is_taken {
                    Some(now.clone())
                } else {
                    spec.acquire_time.filter(|_| is_held)
                },
                renew_time: Some(now),
                lease_transitions: Some(transitions.saturating_add(i32::from(is_taken))),
                ..LeaseSpec::default()
            }),
        }
    }

    async fn ask<T>(
        &self,
        request: impl Future<Output = Result<T, kube::Error>>,
    ) -> Result<T, LeaseError> {
        match tokio::time::timeout(self.patience, request).await {
            Ok(answer) => answer.map_err(|error| Box::new(error).into()),
            Err(_) => Err(LeaseError::Silence),
        }
    }
}

/// What counts of a Lease.
pub(super) fn record(lease: &Lease) -> Record {
    let holder = lease.spec.as_ref().and_then(|spec| {
        let holder = spec.holder_identity.clone();
        holder.filter(|holder| !holder.is_empty())
    });
    Record {
        holder,
        version: lease.resource_version().unwrap_or_default(),
    }
}

/// Whether it was given back or taken when it was written last, and not only renewed.
pub(super) fn is_handed_over(lease: &Lease) -> bool {
    let spec = lease.spec.as_ref();
    spec.is_none_or(|spec| spec.holder_identity.is_none() || spec.acquire_time == spec.renew_time)
}

#[cfg(test)]
mod tests {
    use super::Subject;

    #[test]
    fn a_subject_is_read_from_its_name_and_nothing_else_is_one() {
        for subject in [
            Subject::Shard { place: 3, of: 4 },
            Subject::Replica("whimbrel-operator-7d4b9-x2x".to_owned()),
        ] {
            assert_eq!(Subject::of(&subject.name()), Some(subject));
        }
        assert_eq!(
            Subject::Shard { place: 0, of: 1 }.name(),
            "whimbrel-operator-shard-0-of-1"
        );
        for name in [
            "whimbrel-operator",
            "whimbrel-operator-shard-00-of-1",
            "whimbrel-operator-shard-0-of-0",
            "other-shard-0-of-1",
        ] {
            assert_eq!(Subject::of(name), None, "{name}");
        }
    }
}
