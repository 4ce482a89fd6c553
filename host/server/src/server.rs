//! The parts of a server, and how they begin and end.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::{Semaphore, mpsc};
use whimbrel_engine::Context;
use whimbrel_report::metrics::Metrics;
use whimbrel_run::Stop;

use crate::answers::Answers;
use crate::audience::{Listeners, Stand};
use crate::desired::Guard;
use crate::environment::{Environment, Reach};
use crate::hooks::Hooks;
use crate::limits::Limits;
use crate::measures::Measures;
use crate::pulse::Pulses;
use crate::readiness::Readiness;
use crate::runs::Runs;
use crate::settings::Settings;
use crate::source::Source;
use crate::tokens::Tokens;
use crate::worker;
use crate::written::{Orders, Written};

/// Everything that the loops and the API share.
pub(crate) struct Server {
    pub(crate) limits: Arc<Limits>,
    pub(crate) sources: BTreeMap<String, Arc<Source>>,
    pub(crate) runs: Runs,
    pub(crate) pulses: Pulses,
    pub(crate) tokens: Tokens,
    /// Whether whoever reaches it may do everything.
    pub(crate) is_open: bool,
    pub(crate) context: Context,
    pub(crate) measures: Measures,
    pub(crate) stop: Stop,
    pub(crate) answers: Answers,
    pub(crate) streams: Arc<Semaphore>,
    pub(crate) readers: Semaphore,
    pub(crate) hooks: Hooks,
    /// The environments whose migrations clients write.
    pub(crate) written: BTreeMap<String, Written>,
    pub(crate) written_orders: Orders,
    pub(crate) writers: Semaphore,
    environments: RwLock<BTreeMap<String, Arc<Environment>>>,
    pub(crate) listeners: Listeners,
    guard: std::sync::Mutex<Option<Guard>>,
}

impl Server {
    pub(crate) fn new(
        settings: &Settings,
        tokens: Tokens,
        context: Context,
        metrics: Metrics,
        listeners: Listeners,
        stop: Stop,
        guard: Guard,
    ) -> Self {
        let limits = Arc::new(settings.limits.clone());
        let sources = settings.sources.iter();
        Self {
            sources: sources
                .map(|(name, of)| {
                    let source = Source::new(name.clone(), of.clone(), &limits);
                    (name.clone(), Arc::new(source))
                })
                .collect(),
            runs: Runs::new(Arc::clone(&limits)),
            pulses: Pulses::default(),
            is_open: tokens.is_empty()
                && settings
                    .tls
                    .as_ref()
                    .is_none_or(|tls| tls.client_authority.is_none()),
            tokens,
            context,
            measures: Measures::new(metrics, &settings.sources),
            stop,
            answers: Answers::new(limits.answers),
            streams: Arc::new(Semaphore::new(limits.streams)),
            readers: Semaphore::new(limits.readers),
            hooks: Hooks::new(&limits),
            written: settings.written.clone(),
            written_orders: Orders::new(limits.written_orders),
            writers: Semaphore::new(limits.writers),
            environments: RwLock::default(),
            listeners,
            guard: std::sync::Mutex::new(Some(guard)),
            limits,
        }
    }

    /// What says that there is still something to give back; none when the server is ending.
    pub(crate) fn guard(&self) -> Option<Guard> {
        let guard = self.guard.lock().unwrap_or_else(PoisonError::into_inner);
        guard.clone()
    }

    /// An environment by its name.
    pub(crate) fn environment(&self, name: &str) -> Option<Arc<Environment>> {
        let all = self
            .environments
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        all.get(name).cloned()
    }

    /// All environments.
    pub(crate) fn environments(&self) -> Vec<Arc<Environment>> {
        let all = self
            .environments
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        all.values().cloned().collect()
    }

    /// Sees to it that exactly these environments of a source are kept; those that are. A name that another source has is
    /// that one's.
    pub(crate) fn keep_environments(
        self: &Arc<Self>,
        source: &Arc<Source>,
        names: &BTreeSet<String>,
    ) -> BTreeSet<String> {
        let mut all = self
            .environments
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        all.retain(|name, environment| {
            let is_kept = environment.source.name != source.name || names.contains(name);
            if !is_kept {
                environment.forget();
            }
            is_kept
        });
        let mut kept = BTreeSet::new();
        for name in names {
            if let Some(known) = all.get(name) {
                if known.source.name == source.name {
                    kept.insert(name.clone());
                } else {
                    tracing::warn!(environment = %name, source = %source.name, other = %known.source.name,
                        "another source has an environment of this name, so this one isn't kept");
                }
                continue;
            }
            // The server is ending.
            let Some(guard) = self.guard() else { continue };
            let (orders, received) = mpsc::channel(self.limits.orders);
            let stand = Stand::new(
                name.clone(),
                self.runs.clone(),
                self.context.scrubber().clone(),
                Arc::clone(&self.listeners),
            );
            let readiness = Readiness::new(Arc::clone(&self.limits));
            let environment = Arc::new(Environment::new(
                name.clone(),
                Arc::clone(source),
                stand,
                readiness,
                orders,
            ));
            self.measures.keep(name);
            all.insert(name.clone(), Arc::clone(&environment));
            kept.insert(name.clone());
            tokio::spawn(worker::keep(Arc::clone(self), environment, received, guard));
        }
        kept
    }

    /// An environment's loop has ended: nothing is said of it any more, and nothing shown, unless one of its name is kept
    /// by now.
    pub(crate) fn ended(&self, environment: &Environment) {
        let all = self
            .environments
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        if environment.is_gone() && !all.contains_key(&environment.name) {
            self.measures.forget(&environment.name);
        }
    }

    /// Wakes the environments of a source.
    pub(crate) fn wake(&self, source: &Source, reach: Reach) {
        for environment in self.environments() {
            if environment.source.name == source.name {
                environment.wake(reach);
            }
        }
    }

    /// How many pieces of work wait to be begun: orders, and environments that were woken.
    pub(crate) fn waiting(&self) -> usize {
        self.environments()
            .iter()
            .map(|environment| environment.waiting())
            .sum()
    }

    /// Lets go of everything that has something to give back.
    pub(crate) fn release(&self) {
        *self.guard.lock().unwrap_or_else(PoisonError::into_inner) = None;
        for environment in self.environments() {
            let desired = environment.lock().desired.take();
            drop(desired);
        }
    }
}
