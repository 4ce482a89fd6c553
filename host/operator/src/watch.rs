//! Watches the objects of the namespace, and wakes whoever keeps what changed.

use std::collections::HashMap;
use std::fmt::Debug;
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt as _, pin_mut};
use k8s_openapi::api::core::v1;
use kube::core::{ObjectMeta, PartialObjectMeta};
use kube::runtime::WatchStreamExt as _;
use kube::runtime::reflector::store::Writer;
use kube::runtime::watcher::{Config, Event, watcher};
use kube::{Api, Resource, ResourceExt as _};
use serde::de::DeserializeOwned;
use tokio::sync::Notify;
use whimbrel_run::Stop;

use crate::api::{
    Approval, ENVIRONMENT_LABEL, Environment, FINALIZER, GitSource, Migration, REQUESTED_AT,
    REVERT_FINALIZER, SOURCE_LABEL,
};
use crate::cluster::annotation;
use crate::definition::refers;
use crate::heard::Heard;
use crate::operator::Operator;

/// Objects in one page of a list: a thousand migrations are two requests, and no answer is larger than some megabytes.
pub const PAGE: u32 = 500;

/// What of an object is worth looking at it again: never what the operator itself writes into its status.
#[derive(Clone, PartialEq, Eq)]
struct Face {
    uid: Option<String>,
    generation: Option<i64>,
    requested: Option<String>,
    is_deleted: bool,
    is_marked: bool,
    /// Whether it has a finalizer of ours.
    is_held: bool,
}

impl Face {
    fn of(meta: &ObjectMeta) -> Self {
        Self {
            uid: meta.uid.clone(),
            generation: meta.generation,
            requested: annotation(meta, REQUESTED_AT).map(str::to_owned),
            is_deleted: meta.deletion_timestamp.is_some(),
            is_marked: meta
                .labels
                .as_ref()
                .is_some_and(|labels| labels.contains_key(SOURCE_LABEL)),
            is_held: meta.finalizers.as_ref().is_some_and(|all| {
                all.iter()
                    .any(|name| name == FINALIZER || name == REVERT_FINALIZER)
            }),
        }
    }

    /// Whether it is worth a look, after what was known before. That a finalizer was added is the operator's own doing; that
    /// it is gone is somebody else's, or was done before what it is for came back.
    fn is_news(&self, known: Option<&Self>) -> bool {
        known.is_none_or(|known| {
            let is_let_go = known.is_held && !self.is_held;
            let now = Self {
                is_held: known.is_held,
                ..self.clone()
            };
            is_let_go || now != *known
        })
    }

    /// Whether the other one is what the same object was before: what it asks for is over. `metadata.generation` only grows.
    fn is_newer_than(&self, other: &Self) -> bool {
        self.uid == other.uid && self.generation > other.generation
    }
}

/// When a watch is renewed, and when it is begun anew.
#[derive(Clone)]
pub struct Times {
    /// How long one is held.
    pub timeout: Duration,
    /// After how long everything is listed again. A watch goes on from where it was, so an event that was lost on its way
    /// would never be heard of; nobody else who looks again knows anything newer.
    pub anew: Duration,
}

/// Follows the objects of a kind until the process ends. `changed` hears of each whose face is another one, or that is gone,
/// once the store knows it.
pub async fn follow<K>(
    api: Api<K>,
    mut writer: Writer<K>,
    heard: Arc<Heard>,
    times: Times,
    stop: Stop,
    changed: impl Fn(&K) + Send,
) where
    K: Resource + Clone + DeserializeOwned + Debug + Send + Sync + 'static,
    K::DynamicType: Eq + Hash + Clone + Send + Sync,
{
    let mut faces: HashMap<String, Face> = HashMap::new();
    loop {
        let events = watcher(api.clone(), config(times.timeout))
            .modify(|object| object.managed_fields_mut().clear())
            .default_backoff();
        pin_mut!(events);
        let anew = tokio::time::sleep(times.anew);
        pin_mut!(anew);
        // What a list holds is in the store when the list is whole.
        let mut listed: Vec<K> = Vec::new();
        // One that fails begins anew by itself, more and more slowly.
        let mut is_well = false;
        loop {
            let event = tokio::select! {
                () = stop.requested() => return,
                () = &mut anew, if is_well => break,
                event = events.next() => event,
            };
            let event = match event {
                None => return,
                Some(Err(error)) => {
                    is_well = false;
                    heard.fail(&error);
                    tracing::warn!(%error, "the API server can't be watched");
                    continue;
                }
                Some(Ok(event)) => event,
            };
            heard.hear();
            is_well = !matches!(event, Event::Init | Event::InitApply(_));
            if let Event::Apply(object) = &event
                && let Some(known) = faces.get(&object.name_any())
                && known.is_newer_than(&Face::of(object.meta()))
            {
                tracing::warn!(object = %object.name_any(), "an old version came after a newer one");
                continue;
            }
            // Only here it is known what isn't there any more.
            let before = matches!(event, Event::InitDone).then(|| writer.as_reader().state());
            writer.apply_watcher_event(&event);
            match event {
                Event::Init => listed.clear(),
                Event::InitApply(object) => listed.push(object),
                Event::InitDone => {
                    let known = std::mem::take(&mut faces);
                    for object in std::mem::take(&mut listed) {
                        let (name, face) = (object.name_any(), Face::of(object.meta()));
                        if face.is_news(known.get(&name)) {
                            changed(&object);
                        }
                        faces.insert(name, face);
                    }
                    for gone in before.into_iter().flatten() {
                        if !faces.contains_key(&gone.name_any()) {
                            changed(&gone);
                        }
                    }
                }
                Event::Apply(object) => {
                    let face = Face::of(object.meta());
                    if face.is_news(faces.get(&object.name_any())) {
                        changed(&object);
                    }
                    faces.insert(object.name_any(), face);
                }
                Event::Delete(object) => {
                    faces.remove(&object.name_any());
                    changed(&object);
                }
            }
        }
    }
}

/// How a watch is held that is renewed at the latest after a time.
pub fn config(timeout: Duration) -> Config {
    let seconds = u32::try_from(timeout.as_secs()).unwrap_or(u32::MAX);
    Config::default().page_size(PAGE).timeout(seconds)
}

/// An environment changed: it is looked at, and so are those that may refer to it.
pub fn environment(operator: &Arc<Operator>, changed: &Environment) {
    operator.wake(&changed.name_any());
    operator.orphans.notify_one();
    operator.strays.notify_one();
    if let Some(of) = &changed.spec.source_ref {
        operator.rouse(&of.name);
    }
    if changed.spec.source_ref.is_none() {
        for other in operator.cluster.stores.environments.state() {
            if refers(&other) {
                operator.wake(&other.name_any());
            }
        }
    }
}

/// A source changed.
pub fn source(operator: &Arc<Operator>, changed: &GitSource) {
    operator.ring(&changed.name_any());
}

/// A migration changed: its environment is looked at.
pub fn migration(operator: &Arc<Operator>, changed: &Migration) {
    if changed.metadata.deletion_timestamp.is_some() {
        operator.orphans.notify_one();
    }
    operator.strays.notify_one();
    let named = changed.spec.environment_ref.as_ref().map(|of| &of.name);
    let label = changed.metadata.labels.as_ref();
    let label = label.and_then(|labels| labels.get(ENVIRONMENT_LABEL));
    match named.or(label) {
        Some(name) => operator.wake(name),
        None => operator.wake_all(),
    }
}

/// An approval changed: its environment is looked at.
pub fn approval(operator: &Arc<Operator>, changed: &Approval) {
    operator.wake(&changed.spec.environment_ref.name);
    operator.strays.notify_one();
}

/// Follows one `Secret` by its name, and rings when it changes. What it says is read only when it is needed.
pub async fn secret(
    api: Api<PartialObjectMeta<v1::Secret>>,
    name: String,
    timeout: Duration,
    bell: Arc<Notify>,
) {
    let config = config(timeout).fields(&format!("metadata.name={name}"));
    let events = watcher(api, config).default_backoff();
    pin_mut!(events);
    let mut known: Option<Option<String>> = None;
    while let Some(event) = events.next().await {
        let version = match event {
            Ok(Event::Apply(found) | Event::InitApply(found)) => found.metadata.resource_version,
            Ok(Event::Delete(_)) => None,
            // There is none.
            Ok(Event::InitDone) if known.is_none() => None,
            Ok(Event::Init | Event::InitDone) => continue,
            Err(error) => {
                tracing::warn!(%error, secret = %name, "the Secret can't be watched");
                continue;
            }
        };
        // The first time, it was just read.
        if known
            .replace(version.clone())
            .is_some_and(|known| known != version)
        {
            bell.notify_one();
        }
    }
}
