//! What is read from the API server, and every write to it.

use jiff::Timestamp;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1;
use kube::api::{DeleteParams, DynamicObject, Patch, PatchParams, Preconditions};
use kube::core::{ObjectMeta, PartialObjectMeta};
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use kube::runtime::reflector::Store;
use kube::{Api, Client, Resource, ResourceExt as _};
use serde::Serialize;
use serde_json::{Value as Json, json};
use whimbrel_config::Kind;
use whimbrel_run::reach_crash_point;

use crate::api::{
    Approval, CHECKSUM_ANNOTATION, Condition, ConditionStatus, ConditionType, ENVIRONMENT_LABEL,
    Environment, FINALIZER, GitSource, MANAGER, MIGRATION_ANNOTATION, Migration, REVERT_FINALIZER,
    REVERT_MANAGER, SOURCE_LABEL, resource, transition,
};
use crate::events::Events;
use crate::pace::paced;
use crate::reconcile::Written;
use crate::requests::Clients;

/// The longest note of an event, in bytes: the API server takes no more.
const NOTE: usize = 1_000;

/// The objects of the namespace, as they were seen last.
pub struct Stores {
    pub environments: Store<Environment>,
    pub migrations: Store<Migration>,
    pub sources: Store<GitSource>,
    pub approvals: Store<Approval>,
}

/// One namespace of a cluster.
pub struct Cluster {
    client: Client,
    watches: Client,
    pub namespace: String,
    pub stores: Stores,
    pub events: Events,
}

impl Cluster {
    pub fn new(clients: Clients, namespace: String, stores: Stores) -> Self {
        let reporter = Reporter {
            controller: MANAGER.to_owned(),
            instance: std::env::var("POD_NAME").ok(),
        };
        let recorder = Recorder::new(clients.objects.clone(), reporter);
        Self {
            events: Events::new(recorder),
            client: clients.objects,
            watches: clients.watches,
            namespace,
            stores,
        }
    }

    /// The `Secret`s of the namespace.
    pub fn secrets(&self) -> Api<v1::Secret> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// The same, without what is in them, for one watch.
    pub fn secrets_without_values(&self) -> Api<PartialObjectMeta<v1::Secret>> {
        Api::namespaced(paced(self.watches.clone()), &self.namespace)
    }

    /// Its Jobs.
    pub fn jobs(&self) -> Api<Job> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// The same, for one watch.
    pub fn watched_jobs(&self) -> Api<Job> {
        Api::namespaced(paced(self.watches.clone()), &self.namespace)
    }

    /// Makes a Job. What of it no Job has is refused instead of left out.
    ///
    /// # Errors
    /// The API server doesn't do it.
    pub async fn make_job(&self, job: &Json) -> Result<Job, kube::Error> {
        let namespace = &self.namespace;
        let query = format!("fieldValidation=Strict&fieldManager={MANAGER}");
        let place = format!("/apis/batch/v1/namespaces/{namespace}/jobs?{query}");
        let request = http::Request::post(place)
            .header(http::header::CONTENT_TYPE, "application/json")
            .body(job.to_string().into_bytes())
            .map_err(kube::Error::HttpError)?;
        written(self.client.request(request)).await
    }

    /// Its Pods.
    pub fn pods(&self) -> Api<v1::Pod> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// The Pod that this process is in; none where it is in none, or in one of another namespace.
    ///
    /// # Errors
    /// The API server doesn't say.
    pub async fn own_pod(&self) -> Result<Option<v1::Pod>, kube::Error> {
        match std::env::var("POD_NAME") {
            Ok(name) => self.pods().get_opt(&name).await,
            Err(_) => Ok(None),
        }
    }

    /// The namespace itself, as it is now.
    ///
    /// # Errors
    /// The API server doesn't say.
    pub async fn own_namespace(&self) -> Result<Option<v1::Namespace>, kube::Error> {
        let namespaces: Api<v1::Namespace> = Api::all(self.client.clone());
        namespaces.get_opt(&self.namespace).await
    }

    /// A migration, as it is now.
    ///
    /// # Errors
    /// The API server doesn't say.
    pub async fn migration(&self, name: &str) -> Result<Option<Migration>, kube::Error> {
        let named = resource(Kind::Migration);
        let api: Api<Migration> =
            Api::namespaced_with(self.client.clone(), &self.namespace, &named);
        api.get_opt(name).await
    }

    /// Whether an environment still asks for what was seen of it: events of its kind may be late, and those of its migrations
    /// not, and what is run can't be taken back.
    ///
    /// # Errors
    /// The API server doesn't say.
    pub async fn is_current(&self, seen: &Environment) -> Result<bool, kube::Error> {
        let found = self
            .api(Kind::Environment)
            .get_opt(&seen.name_any())
            .await?;
        let (seen, found) = (&seen.metadata, found.map(|found| found.metadata));
        Ok(found.is_some_and(|found| found.uid == seen.uid && found.generation == seen.generation))
    }

    /// The objects of a kind.
    pub fn api(&self, kind: Kind) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), &self.namespace, &resource(kind))
    }

    /// Puts our finalizer on an environment, or takes it away. It is a conflict when somebody else changed the object.
    ///
    /// # Errors
    /// The API server doesn't do it.
    pub async fn hold(&self, meta: &ObjectMeta, is_held: bool) -> Result<(), kube::Error> {
        let mut finalizers = meta.finalizers.clone().unwrap_or_default();
        finalizers.retain(|name| name != FINALIZER);
        if is_held {
            finalizers.push(FINALIZER.to_owned());
        }
        let patch = json!({ "metadata": {
            "finalizers": finalizers, "resourceVersion": meta.resource_version, "uid": meta.uid,
        }});
        let name = meta.name.as_deref().unwrap_or_default();
        let parameters = PatchParams {
            field_manager: Some(MANAGER.to_owned()),
            ..PatchParams::default()
        };
        let (api, patch) = (self.api(Kind::Environment), Patch::Merge(&patch));
        let patched = written(api.patch(name, &parameters, &patch)).await;
        patched.map(drop).or_else(unless_gone)
    }

    /// Puts the finalizer of deletions that revert on a migration, or takes it away: whatever else changed meanwhile, and of
    /// this very object. Gives whether the object is gone by that.
    ///
    /// # Errors
    /// The API server doesn't do it.
    pub async fn mark(&self, meta: &ObjectMeta, is_marked: bool) -> Result<bool, kube::Error> {
        let named = resource(Kind::Migration);
        let name = meta.name.as_deref().unwrap_or_default();
        let finalizers: &[&str] = if is_marked { &[REVERT_FINALIZER] } else { &[] };
        let patch = json!({
            "apiVersion": named.api_version, "kind": named.kind,
            "metadata": { "name": name, "uid": meta.uid, "finalizers": finalizers },
        });
        let parameters = PatchParams::apply(REVERT_MANAGER).force();
        let (api, patch) = (self.api(Kind::Migration), Patch::Apply(&patch));
        match written(api.patch(name, &parameters, &patch)).await {
            Ok(found) => Ok(is_over(&found.metadata)),
            Err(error) => unless_gone(error).map(|()| true),
        }
    }

    /// Writes a status: of this very object and of none of the same name that came after it. Of a status the API server looks at no
    /// `uid`: where the object was deleted and made again while this was on its way, what its successor got is taken back.
    ///
    /// # Errors
    /// The API server doesn't do it.
    pub async fn write_status(
        &self,
        kind: Kind,
        meta: &ObjectMeta,
        status: &(impl Serialize + Sync),
    ) -> Result<(), kube::Error> {
        let (named, api) = (resource(kind), self.api(kind));
        let name = meta.name.as_deref().unwrap_or_default();
        let parameters = PatchParams::apply(MANAGER).force();
        let of = |metadata: Json, status: Json| {
            Patch::Apply(json!({
                "apiVersion": named.api_version, "kind": named.kind, "metadata": metadata, "status": status,
            }))
        };
        let patch = of(json!({ "name": name, "uid": meta.uid }), as_json(status));
        let patched = written(api.patch_status(name, &parameters, &patch)).await;
        match patched {
            Ok(found) if found.metadata.uid != meta.uid => {
                // Unless something else was said of it already.
                let version = found.metadata.resource_version;
                let metadata = json!({ "name": name, "resourceVersion": version });
                let nothing = json!({ "observedGeneration": 0, "conditions": [] });
                let patch = of(metadata, nothing);
                let taken = written(api.patch_status(name, &parameters, &patch)).await;
                taken.map(drop).or_else(unless_changed)
            }
            patched => patched.map(drop).or_else(unless_gone),
        }
    }

    /// Writes the object of a migration that a source defines.
    ///
    /// # Errors
    /// The API server doesn't do it.
    pub async fn write_migration(
        &self,
        of: &Written,
        environment: &Environment,
        source: &str,
    ) -> Result<Migration, kube::Error> {
        let named = resource(Kind::Migration);
        let owner = resource(Kind::Environment);
        let meta = &environment.metadata;
        let patch = json!({
            "apiVersion": named.api_version,
            "kind": named.kind,
            "metadata": {
                "name": of.name,
                "labels": {
                    ENVIRONMENT_LABEL: environment.name_any(),
                    SOURCE_LABEL: source,
                    "app.kubernetes.io/managed-by": "whimbrel",
                },
                "annotations": {
                    MIGRATION_ANNOTATION: of.migration,
                    CHECKSUM_ANNOTATION: of.checksum,
                },
                "ownerReferences": [{
                    "apiVersion": owner.api_version, "kind": owner.kind,
                    "name": meta.name, "uid": meta.uid, "controller": true,
                }],
            },
            "spec": of.spec,
        });
        let parameters = PatchParams::apply(MANAGER).force();
        let api: Api<Migration> =
            Api::namespaced_with(self.client.clone(), &self.namespace, &named);
        let patch = Patch::Apply(&patch);
        written(api.patch(&of.name, &parameters, &patch)).await
    }

    /// Deletes the object of a migration: this very one.
    ///
    /// # Errors
    /// The API server doesn't do it.
    pub async fn delete_migration(&self, of: &Migration) -> Result<(), kube::Error> {
        let api = self.api(Kind::Migration);
        let very = Preconditions {
            uid: of.metadata.uid.clone(),
            resource_version: None,
        };
        let parameters = DeleteParams::background().preconditions(very);
        let deleted = written(api.delete(&of.name_any(), &parameters)).await;
        deleted.map(drop).or_else(unless_gone)
    }

    /// Tells of a transition.
    pub fn tell<K>(&self, kind: Kind, object: &K, before: &[Condition], after: &[Condition])
    where
        K: Resource<DynamicType = kube::discovery::ApiResource>,
    {
        let Some(condition) = transition(before, after) else {
            return;
        };
        let is_bad = condition.status == ConditionStatus::False
            && after
                .iter()
                .any(|other| other.r#type == ConditionType::Stalled);
        let (reason, message) = (&condition.reason, &condition.message);
        self.tell_of(kind, object, is_bad, reason, message);
    }

    /// Tells of something that no condition says.
    pub fn tell_of<K>(&self, kind: Kind, object: &K, is_bad: bool, reason: &str, message: &str)
    where
        K: Resource<DynamicType = kube::discovery::ApiResource>,
    {
        let mut note = message.to_owned();
        while note.len() > NOTE {
            note.pop();
        }
        let event = Event {
            type_: if is_bad {
                EventType::Warning
            } else {
                EventType::Normal
            },
            reason: reason.to_owned(),
            note: Some(note).filter(|note| !note.is_empty()),
            action: "Reconcile".to_owned(),
            secondary: None,
        };
        self.events.tell(event, object.object_ref(&resource(kind)));
    }

    /// An environment by its name.
    pub fn environment(&self, name: &str) -> Option<std::sync::Arc<Environment>> {
        self.stores
            .environments
            .find(|environment| environment.name_any() == name)
    }

    /// A source by its name.
    pub fn source(&self, name: &str) -> Option<std::sync::Arc<GitSource>> {
        self.stores.sources.find(|source| source.name_any() == name)
    }
}

/// A write, before and after which a test can have the process killed.
pub async fn written<T>(write: impl Future<Output = T>) -> T {
    reach_crash_point("operator.write.before");
    let done = write.await;
    reach_crash_point("operator.write.after");
    done
}

/// What is another one by now needs nothing more.
fn unless_changed(error: kube::Error) -> Result<(), kube::Error> {
    match error {
        kube::Error::Api(status) if status.code == 409 => Ok(()),
        error => unless_gone(error),
    }
}

/// Whether an object is deleted and nobody holds it: the API server answers with what it has let go.
fn is_over(meta: &ObjectMeta) -> bool {
    meta.deletion_timestamp.is_some() && meta.finalizers.as_ref().is_none_or(Vec::is_empty)
}

/// What is gone needs nothing more.
fn unless_gone(error: kube::Error) -> Result<(), kube::Error> {
    match error {
        kube::Error::Api(status) if status.code == 404 => Ok(()),
        error => Err(error),
    }
}

/// The value of an annotation.
pub fn annotation<'m>(meta: &'m ObjectMeta, name: &str) -> Option<&'m str> {
    let annotations = meta.annotations.as_ref()?;
    annotations.get(name).map(String::as_str)
}

/// The time, for conditions: to the second, as the API server keeps it.
pub fn now() -> Timestamp {
    let now = Timestamp::now();
    Timestamp::from_second(now.as_second()).unwrap_or(now)
}

/// A status as it is compared.
pub fn as_json(status: &impl Serialize) -> Json {
    serde_json::to_value(status).unwrap_or_default()
}
