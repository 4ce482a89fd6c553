//! The sandbox: the engine, its linker and its clock, started at the first plugin and not before.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use wasmtime::component::{Component, HasSelf, InstancePre, Linker};
use wasmtime::{Config, Engine, Store, StoreContextMut, UpdateDeadline};
use whimbrel_core::digest::Digest;
use whimbrel_core::name::PluginName;

use crate::admission::{self, Declared};
use crate::bindings::imports::Everything;
use crate::bindings::step::StepPre;
use crate::cache::Cache;
use crate::call::dry_run;
use crate::error::PluginError;
use crate::grants::Grants;
use crate::instance::{Scope, State};
use crate::known::World;
use crate::limits::Limits;
use crate::plugin::{Admitted, Plugin};
use crate::ticker::Ticker;

/// A business metric of a plugin. The sink adds the prefix and keeps the budget over all plugins.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)] // the names of the fields say all there is
pub enum Metric {
    /// Adds to a counter.
    Add {
        plugin: String,
        name: String,
        labels: Vec<(String, String)>,
        amount: f64,
    },
    /// Sets a gauge.
    Set {
        plugin: String,
        name: String,
        labels: Vec<(String, String)>,
        value: f64,
    },
    /// Records a value in a histogram.
    Observe {
        plugin: String,
        name: String,
        labels: Vec<(String, String)>,
        value: f64,
    },
}

/// Takes the metrics of plugins that are granted them.
pub type MetricSink = Arc<dyn Fn(Metric) + Send + Sync>;

/// How a sandbox is set up.
#[derive(Clone, Default)]
pub struct Settings {
    /// Where compiled code is kept; none compiles every time.
    pub cache_dir: Option<PathBuf>,
    /// What a call may use up.
    pub limits: Limits,
    /// Takes metrics; none drops them.
    pub metrics: Option<MetricSink>,
}

/// Admits plugins. Clones share the engine.
#[derive(Clone)]
pub struct Sandbox(Arc<Inner>);

struct Inner {
    settings: Settings,
    machine: OnceLock<Result<Machine, String>>,
}

/// What exists once a plugin was asked for.
struct Machine {
    engine: Engine,
    linker: Linker<State>,
    ticker: Ticker,
    cache: Option<Cache>,
}

impl Sandbox {
    /// A sandbox. Nothing of wasmtime is touched before the first [`Sandbox::admit`].
    ///
    /// # Errors
    /// A limit makes no sense.
    pub fn new(settings: Settings) -> Result<Self, PluginError> {
        if settings.limits.tick.is_zero() || settings.limits.stack_bytes < 64 << 10 {
            let reason = "the tick can't be zero, and the stack needs 64 KiB".to_owned();
            return Err(PluginError::Engine(reason));
        }
        Ok(Self(Arc::new(Inner {
            settings,
            machine: OnceLock::new(),
        })))
    }

    /// The limits that hold.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.0.settings.limits
    }

    /// Admits a component under a name: checks its manifest against the grants and its imports against what is known,
    /// compiles it or takes the compiled code from the cache, and instantiates it once, dry.
    ///
    /// # Errors
    /// Whatever makes it unfit, before any of its functions is called.
    pub async fn admit(
        &self,
        name: &PluginName,
        bytes: Vec<u8>,
        grants: Grants,
    ) -> Result<Plugin, PluginError> {
        let plugin = name.to_string();
        let declared = admission::declared(&plugin, &bytes, grants, self.limits())?;
        let digest = Digest::of(&bytes);
        let size = bytes.len();
        let sandbox = self.clone();
        // Compiling takes a processor for a tenth of a second, or for ten.
        let compiled = tokio::task::spawn_blocking(move || sandbox.compile(&digest, &bytes)).await;
        let component = compiled
            .map_err(|error| PluginError::Engine(error.to_string()))?
            .map_err(|error| error.into_error(&plugin))?;
        let machine = self.machine()?;
        let surface = admission::surface(&plugin, &machine.engine, &component)?;
        let instance = self.link(&plugin, &component)?;
        let step = surface
            .worlds
            .contains(&World::MigrationStep)
            .then(|| StepPre::new(instance.clone()))
            .transpose()
            .map_err(|error| mismatch(&plugin, &error))?;
        let Declared {
            manifest,
            grants,
            memory,
        } = declared;
        let admitted = Plugin::new(
            self.clone(),
            Admitted {
                name: name.clone(),
                digest,
                size,
                manifest,
                grants,
                memory,
                imports: surface.imports,
                exports: surface.exports,
                worlds: surface.worlds,
                step,
            },
        );
        dry_run(&admitted, instance).await?;
        Ok(admitted)
    }

    fn compile(&self, digest: &Digest, bytes: &[u8]) -> Result<Component, Unfit> {
        let machine = self.machine().map_err(Unfit::Engine)?;
        match &machine.cache {
            Some(cache) => cache.component(&machine.engine, digest, bytes),
            None => Component::from_binary(&machine.engine, bytes),
        }
        .map_err(|error| Unfit::Component(format!("{error:#}")))
    }

    fn link(&self, plugin: &str, component: &Component) -> Result<InstancePre<State>, PluginError> {
        self.machine()?
            .linker
            .instantiate_pre(component)
            .map_err(|error| mismatch(plugin, &error))
    }

    fn machine(&self) -> Result<&Machine, PluginError> {
        self.0
            .machine
            .get_or_init(|| Machine::start(&self.0.settings))
            .as_ref()
            .map_err(|reason| PluginError::Engine(reason.clone()))
    }

    /// The clock of running calls. There is one whenever there is a plugin.
    pub(crate) fn ticker(&self) -> Option<&Ticker> {
        self.machine().ok().map(|machine| &machine.ticker)
    }

    /// A store for one call.
    pub(crate) fn store(
        &self,
        plugin: &Plugin,
        scope: Scope,
        limit: Duration,
    ) -> Result<Store<State>, PluginError> {
        let limits = self.limits();
        let state = State::new(
            plugin.name().to_string(),
            scope,
            plugin.grants().clone(),
            limits,
            plugin.memory(),
            limit,
            self.0.settings.metrics.clone(),
        );
        let mut store = Store::new(&self.machine()?.engine, state);
        store.limiter(|state| &mut state.ceiling);
        store.set_hostcall_fuel(limits.hostcall_bytes);
        store.set_max_component_handles(limits.handles);
        store.set_epoch_deadline(1);
        store.epoch_deadline_callback(|mut context: StoreContextMut<'_, State>| {
            context.data_mut().meter.tick()?;
            Ok(UpdateDeadline::Yield(1))
        });
        Ok(store)
    }
}

impl Machine {
    fn start(settings: &Settings) -> Result<Self, String> {
        let engine = engine(&settings.limits).map_err(|error| format!("{error:#}"))?;
        let linker = linker(&engine).map_err(|error| format!("{error:#}"))?;
        let ticker =
            Ticker::start(&engine, settings.limits.tick).map_err(|error| error.to_string())?;
        let cache = settings
            .cache_dir
            .as_deref()
            .and_then(|folder| match Cache::open(folder) {
                Ok(cache) => Some(cache),
                Err(error) => {
                    tracing::warn!(%error, "compiled code isn't kept");
                    None
                }
            });
        Ok(Self {
            engine,
            linker,
            ticker,
            cache,
        })
    }
}

fn engine(limits: &Limits) -> wasmtime::Result<Engine> {
    let mut config = Config::new();
    config
        .epoch_interruption(true)
        .max_wasm_stack(limits.stack_bytes)
        // The guest's stack and the host functions that it calls share one fiber.
        .async_stack_size(limits.stack_bytes + (1 << 20));
    Engine::new(&config)
}

fn linker(engine: &Engine) -> wasmtime::Result<Linker<State>> {
    let mut linker = Linker::new(engine);
    Everything::add_to_linker::<_, HasSelf<State>>(&mut linker, |state| state)?;
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    Ok(linker)
}

/// Why a component could not be compiled.
enum Unfit {
    Engine(PluginError),
    Component(String),
}

impl Unfit {
    fn into_error(self, plugin: &str) -> PluginError {
        match self {
            Self::Engine(error) => error,
            Self::Component(reason) => PluginError::NotAComponent {
                plugin: plugin.to_owned(),
                reason,
            },
        }
    }
}

fn mismatch(plugin: &str, error: &wasmtime::Error) -> PluginError {
    PluginError::Mismatch {
        plugin: plugin.to_owned(),
        reason: format!("{error:#}"),
    }
}
