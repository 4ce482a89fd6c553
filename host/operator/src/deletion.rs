//! Deletions of migrations that ask to be reverted: what the API server says they are part of, and those that wait for an
//! environment that isn't there.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use kube::api::{DynamicObject, PostParams};
use kube::core::ObjectMeta;
use kube::{ResourceExt as _, core::Status};
use serde_json::json;
use whimbrel_config::Kind;

use crate::api::{DeletionPolicy, Environment, MANAGER, Migration, REVERT_FINALIZER, resource};
use crate::cluster::Cluster;
use crate::definition::{belongs, only_environment};
use crate::operator::Operator;
use crate::reconcile::{Age, Judged, Told, judged};

/// How long a deletion stands before it reverts anything: whoever deletes an environment with its migrations, one object after
/// the other, is done by then, and every replica of the API server has heard of it.
pub const SETTLING: Duration = Duration::from_secs(5);

/// When deletions were first seen, by the uid of what was deleted.
#[derive(Default)]
pub struct Seen(BTreeMap<String, Instant>);

impl Seen {
    /// How long ago the deletion of an object was first seen, and when that is to be asked again.
    pub fn age(&mut self, meta: &ObjectMeta, within: Duration) -> (Age, Option<Instant>) {
        let uid = meta.uid.clone().unwrap_or_default();
        let since = *self.0.entry(uid).or_insert_with(Instant::now);
        let age = since.elapsed();
        if age >= within {
            (Age::Overdue, None)
        } else if age >= SETTLING {
            (Age::Settled, since.checked_add(within))
        } else {
            (Age::Fresh, since.checked_add(SETTLING.min(within)))
        }
    }

    /// Forgets what isn't there any more.
    pub fn keep(&mut self, is_there: impl Fn(&str) -> bool) {
        self.0.retain(|uid, _| is_there(uid));
    }
}

/// Whether our finalizer was on an object when it was last seen.
pub fn is_marked(meta: &ObjectMeta) -> bool {
    let finalizers = meta.finalizers.as_ref();
    finalizers.is_some_and(|all| all.iter().any(|name| name == REVERT_FINALIZER))
}

/// What the deletion of a migration is part of, as the API server says it now, and not as it was seen.
///
/// # Errors
/// The API server doesn't say.
pub async fn judge(
    cluster: &Cluster,
    environment: &Environment,
    migration: &Migration,
) -> Result<Judged, kube::Error> {
    let meta = &migration.metadata;
    let found = cluster.migration(&migration.name_any()).await?;
    let is_as_seen = found.is_some_and(|found| {
        found.metadata.uid == meta.uid
            && found.spec.deletion_policy == DeletionPolicy::Revert
            && found.metadata.deletion_timestamp.is_some()
    });
    let is_kind_there = !kind_goes(cluster, environment).await?;
    let api = cluster.api(Kind::Environment);
    let found = api.get_opt(&environment.name_any()).await?;
    let is_environment_there = found.is_some_and(|found| {
        found.metadata.uid == environment.metadata.uid
            && found.metadata.deletion_timestamp.is_none()
    });
    let namespace = cluster.own_namespace().await?;
    let is_namespace_there =
        namespace.is_some_and(|namespace| namespace.metadata.deletion_timestamp.is_none());
    Ok(judged(&Told {
        is_as_seen,
        is_kind_there,
        is_environment_there,
        is_namespace_there,
    }))
}

/// Whether the kind itself is deleted, and every object with it. Definitions of kinds belong to the whole cluster, and a role of
/// one namespace may not read them. But the API server takes no new object of one that goes, before anything else is asked: so
/// it is asked whether it would take one, in a dry run.
async fn kind_goes(cluster: &Cluster, environment: &Environment) -> Result<bool, kube::Error> {
    let named = resource(Kind::Migration);
    let mut object = DynamicObject::new("", &named).data(json!({ "spec": {
        "environmentRef": { "name": environment.name_any() },
        "steps": [{ "sql": "SELECT 1" }],
    }}));
    object.metadata.name = None;
    object.metadata.generate_name = Some("whimbrel-asks-".to_owned());
    let parameters = PostParams {
        dry_run: true,
        field_manager: Some(MANAGER.to_owned()),
    };
    let api = cluster.api(Kind::Migration);
    match api.create(&parameters, &object).await {
        Ok(_) => Ok(false),
        Err(kube::Error::Api(status)) => {
            says_that_it_goes(&status).map_or_else(|| Err(kube::Error::Api(status.clone())), Ok)
        }
        Err(error) => Err(error),
    }
}

/// Whether a refusal says that the kind goes; none when it says nothing.
fn says_that_it_goes(status: &Status) -> Option<bool> {
    match status.code {
        404 | 405 => Some(true),
        429 | 500.. => None,
        // A quota, a policy, or another check that comes after.
        _ => Some(false),
    }
}

/// Lets migrations go that wait to be reverted in an environment that isn't there, until the operator ends.
pub async fn release_orphans(operator: Arc<Operator>) {
    operator.begun().await;
    let mut changes = operator.shards.changes();
    let mut failures = 0;
    loop {
        let pause = match let_orphans_go(&operator).await {
            Ok(()) => {
                failures = 0;
                operator.settings.resync
            }
            Err(error) => {
                tracing::warn!(%error, "a migration without an environment can't be let go");
                failures += 1;
                operator.limits.backoff(failures)
            }
        };
        tokio::select! {
            () = operator.stop.requested() => return,
            () = operator.orphans.notified() => {}
            _ = changes.changed() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
}

async fn let_orphans_go(operator: &Operator) -> Result<(), kube::Error> {
    let stores = &operator.cluster.stores;
    let environments = stores.environments.state();
    let only = only_environment(&environments);
    for migration in stores.migrations.state() {
        let meta = &migration.metadata;
        if !operator.shards.is_held(&migration.name_any()) {
            continue;
        }
        let belongs = |name: &str| belongs(&migration, name, only.as_deref());
        if meta.deletion_timestamp.is_some()
            && is_marked(meta)
            && !environments.iter().any(|one| belongs(&one.name_any()))
        {
            operator.cluster.mark(meta, false).await?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use kube::core::{ObjectMeta, Status};

    use super::{SETTLING, Seen, says_that_it_goes};
    use crate::reconcile::Age;

    #[test]
    fn a_kind_goes_only_where_the_api_server_says_so() {
        let says = |code| {
            let status = Status::failure("", "").with_code(code);
            says_that_it_goes(&status)
        };
        assert_eq!(says(405), Some(true));
        assert_eq!(says(404), Some(true));
        assert_eq!(says(403), Some(false));
        assert_eq!(says(422), Some(false));
        assert_eq!(says(429), None);
        assert_eq!(says(503), None);
    }

    #[test]
    fn a_deletion_is_as_old_as_it_was_first_seen() {
        let meta = |uid: &str| ObjectMeta {
            uid: Some(uid.to_owned()),
            ..ObjectMeta::default()
        };
        let mut seen = Seen::default();
        let (age, again) = seen.age(&meta("a"), SETTLING * 2);
        assert_eq!(age, Age::Fresh);
        let first = again.unwrap();
        assert_eq!(seen.age(&meta("a"), SETTLING * 2).1, Some(first));
        assert_eq!(seen.age(&meta("a"), Duration::ZERO).0, Age::Overdue);
        seen.keep(|uid| uid != "a");
        assert!(seen.age(&meta("a"), SETTLING * 2).1.unwrap() > first);
    }
}
