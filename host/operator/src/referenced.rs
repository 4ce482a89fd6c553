//! The `Secret`s that an environment or a source refers to: each is watched by its name, and none besides.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::JoinHandle;
use whimbrel_core::environment::{CLUSTER_BACKEND, Environment, SecretReference, ValueSource};
use whimbrel_core::git_source::GitSource;
use whimbrel_core::reference::references;

use crate::cluster::Cluster;
use crate::watch;

/// Who watches each of them. They end with this.
#[derive(Default)]
pub struct Referenced(BTreeMap<String, JoinHandle<()>>);

impl Referenced {
    /// Rings from now on whenever one of them changes, and for no other.
    pub fn watch(
        &mut self,
        wanted: BTreeSet<String>,
        cluster: &Cluster,
        timeout: Duration,
        bell: &Arc<Notify>,
    ) {
        self.0.retain(|name, task| {
            let is_wanted = wanted.contains(name);
            if !is_wanted {
                task.abort();
            }
            is_wanted
        });
        for name in wanted {
            self.0.entry(name).or_insert_with_key(|name| {
                let api = cluster.secrets_without_values();
                tokio::spawn(watch::secret(api, name.clone(), timeout, Arc::clone(bell)))
            });
        }
    }
}

impl Drop for Referenced {
    fn drop(&mut self) {
        for task in self.0.values() {
            task.abort();
        }
    }
}

/// The names of the `Secret`s that a source refers to.
pub fn secrets_of_source(source: &GitSource) -> BTreeSet<String> {
    names(source.secrets().cloned())
}

/// The names of the `Secret`s that an environment refers to.
pub fn secrets_of(environment: &Environment) -> BTreeSet<String> {
    let databases = environment.databases.values();
    let own = databases.flat_map(|database| {
        let (username, password) = (database.username.as_ref(), database.password.as_ref());
        [Some(&database.url), username, password]
    });
    let own = own.flatten().filter_map(|value| match value {
        ValueSource::Secret(reference) => Some(reference.clone()),
        ValueSource::Literal(_) => None,
    });
    let backends = environment.secrets.values();
    let theirs = backends
        .flat_map(|backend| references(&backend.with))
        .map(|(_, reference)| reference);
    names(own.chain(theirs))
}

fn names(references: impl Iterator<Item = SecretReference>) -> BTreeSet<String> {
    references
        .filter(|reference| reference.backend == CLUSTER_BACKEND)
        .map(|reference| reference.path)
        .collect()
}
