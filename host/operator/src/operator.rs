//! What all loops of an operator share, and which loops there are.

use std::collections::BTreeMap;
use std::num::{NonZeroU16, NonZeroUsize};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use kube::ResourceExt as _;
use tokio::sync::{Notify, Semaphore, mpsc, watch};
use whimbrel_core::suggestion::nearest;
use whimbrel_engine::Context;
use whimbrel_git::SigningKey;
use whimbrel_run::Stop;
use whimbrel_server::{Limits, Pulses};

use crate::api::Environment;
use crate::cluster::Cluster;
use crate::keeper;
use crate::measures::Measures;
use crate::shards::{self, Shards};
use crate::source::{self, Source};
use crate::watch::Times;

/// What an operator is told.
#[derive(Clone)]
pub struct Settings {
    /// The namespace whose objects it keeps.
    pub namespace: String,
    /// Where mirrors and written definitions are kept; all of it can be made again.
    pub cache: PathBuf,
    /// How often an environment is looked at when nothing happens.
    pub resync: Duration,
    /// How often what is applied is compared with its definitions; never if zero.
    pub drift_interval: Duration,
    /// How long an object may be kept from going because it couldn't be reverted yet.
    pub revert_within: Duration,
    /// How long a run may go on after its environment was deleted, before it is cancelled: a database that hangs must not hold
    /// up the end of a namespace.
    pub release_within: Duration,
    /// Whether objects may refer to the operator's own variables and files.
    pub has_local_secrets: bool,
    /// How long a watch is held before it is renewed.
    pub watch_timeout: Duration,
    /// Over how many shards the environments are spread.
    pub shards: NonZeroU16,
    /// After how long a replica that is gone is followed by another one.
    pub lease_duration: Duration,
    /// How many environments are run at once, but for those that Jobs run.
    pub runs: NonZeroUsize,
    /// What a Job's process is started with, besides what it is to run.
    pub run_arguments: Vec<String>,
    /// What signs promotion records.
    pub signing: Option<SigningKey>,
}

/// How many environments are asked at once: each opens a connection to every one of its databases.
const TURNS: usize = 8;

/// What all loops share.
pub struct Operator {
    pub cluster: Cluster,
    pub context: Context,
    pub settings: Settings,
    pub limits: Arc<Limits>,
    pub pulses: Pulses,
    pub stop: Stop,
    pub turns: Semaphore,
    /// How many more may be run.
    pub runs: Arc<Semaphore>,
    pub measures: Measures,
    /// What this replica may work on.
    pub shards: Arc<Shards>,
    /// Rung when a migration may wait for an environment that isn't there.
    pub orphans: Notify,
    /// Rung when a migration may be one that no environment runs.
    pub strays: Notify,
    begun: watch::Sender<bool>,
    environments: Mutex<BTreeMap<String, Arc<Notify>>>,
    sources: Mutex<BTreeMap<String, Arc<Source>>>,
    /// Gone when everything has come to its end.
    guard: Mutex<Option<mpsc::Sender<()>>>,
}

impl Operator {
    pub fn new(
        cluster: Cluster,
        context: Context,
        settings: Settings,
        limits: Arc<Limits>,
        stop: Stop,
        guard: mpsc::Sender<()>,
        measures: Measures,
    ) -> Self {
        let (number, duration) = (settings.shards, settings.lease_duration);
        let shards = Shards::new(number, shards::identity(), duration);
        Self {
            measures,
            shards,
            runs: Arc::new(Semaphore::new(settings.runs.get())),
            cluster,
            context,
            settings,
            limits,
            pulses: Pulses::default(),
            stop,
            turns: Semaphore::new(TURNS),
            orphans: Notify::new(),
            strays: Notify::new(),
            begun: watch::Sender::new(false),
            environments: Mutex::default(),
            sources: Mutex::default(),
            guard: Mutex::new(Some(guard)),
        }
    }

    /// How watches are held.
    pub fn watch_times(&self) -> Times {
        Times {
            timeout: self.settings.watch_timeout,
            anew: self.limits.pause(self.settings.resync),
        }
    }

    /// Everything was listed: loops may look.
    pub fn begin(&self) {
        self.begun.send_replace(true);
    }

    /// Until everything was listed.
    pub async fn begun(&self) {
        // The sender lives as long as `self`, so waiting can't fail.
        let _ = self.begun.subscribe().wait_for(|begun| *begun).await;
    }

    /// Asks for a look at an environment, which is kept from now on if it wasn't.
    pub fn wake(self: &Arc<Self>, name: &str) {
        let mut all = lock(&self.environments);
        if let Some(bell) = all.get(name) {
            bell.notify_one();
            return;
        }
        // Only what is there is kept, and nothing once the operator ends.
        let Some(guard) = lock(&self.guard).clone() else {
            return;
        };
        if self.cluster.environment(name).is_none() {
            return;
        }
        let bell = Arc::new(Notify::new());
        all.insert(name.to_owned(), Arc::clone(&bell));
        tokio::spawn(keeper::keep(Arc::clone(self), name.to_owned(), bell, guard));
    }

    /// Asks for a look at every environment.
    pub fn wake_all(self: &Arc<Self>) {
        for environment in self.cluster.stores.environments.state() {
            self.wake(&environment.name_any());
        }
    }

    /// Asks for a look at the environments that a source defines.
    pub fn wake_those_of(self: &Arc<Self>, source: &str) {
        for environment in self.cluster.stores.environments.state() {
            let of = environment.spec.source_ref.as_ref();
            if of.is_some_and(|of| of.name == source) {
                self.wake(&environment.name_any());
            }
        }
    }

    /// An environment is kept no more. Somebody may have made it anew meanwhile.
    pub fn forget(self: &Arc<Self>, name: &str) {
        lock(&self.environments).remove(name);
        self.wake(name);
    }

    /// Asks for a look at a source, which is kept from now on if it wasn't.
    pub fn ring(self: &Arc<Self>, name: &str) {
        let mut all = lock(&self.sources);
        if let Some(source) = all.get(name) {
            source.bell.notify_one();
            return;
        }
        if self.cluster.source(name).is_none() {
            return;
        }
        let source = Arc::new(Source::new());
        all.insert(name.to_owned(), Arc::clone(&source));
        tokio::spawn(source::keep(Arc::clone(self), name.to_owned(), source));
        drop(all);
        self.wake_those_of(name);
    }

    /// Asks for a look at a source of which nothing is known: perhaps nothing here was defined by it before.
    pub fn rouse(&self, name: &str) {
        let source = self.source(name);
        if let Some(source) = source.filter(|source| source.selection().is_err()) {
            source.bell.notify_one();
        }
    }

    /// A source is kept no more.
    pub fn forget_source(self: &Arc<Self>, name: &str) {
        lock(&self.sources).remove(name);
        self.measures.forget_source(name);
        self.ring(name);
        self.wake_those_of(name);
    }

    /// A source that is kept.
    pub fn source(&self, name: &str) -> Option<Arc<Source>> {
        lock(&self.sources).get(name).cloned()
    }

    /// Whether a source is to be read here: its own shard is held, or that of an environment that it defines.
    pub fn reads(&self, source: &str) -> bool {
        let is_needed = |environment: &Arc<Environment>| {
            let of = environment.spec.source_ref.as_ref();
            of.is_some_and(|of| of.name == source) && self.shards.is_held(&environment.name_any())
        };
        let environments = &self.cluster.stores.environments;
        self.shards.is_held(source) || environments.state().iter().any(is_needed)
    }

    /// What is to be said where a source isn't there.
    pub fn no_source(&self, name: &str) -> String {
        let sources = self.cluster.stores.sources.state();
        let names: Vec<String> = sources.iter().map(|source| source.name_any()).collect();
        let meant = nearest(name, names.iter().map(String::as_str));
        let meant = meant.map(|meant| format!(" (did you mean `{meant}`?)"));
        let meant = meant.unwrap_or_default();
        format!("there is no GitSource `{name}` in this namespace{meant}")
    }

    /// Takes a source that was read, and isn't kept.
    pub fn knows(&self, name: &str, source: Arc<Source>) {
        lock(&self.sources).insert(name.to_owned(), source);
    }

    /// Brings up to date what is measured when somebody asks.
    pub fn measure(&self) {
        for source in lock(&self.sources).values() {
            source.measure();
        }
    }

    /// Lets go of what only waits for the others.
    pub fn release(&self) {
        *lock(&self.guard) = None;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
