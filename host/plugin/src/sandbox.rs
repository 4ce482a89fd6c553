//! The sandbox: the engine, its linker and its clock, started at the first plugin and not before.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, SemaphorePermit};
use wasmtime::component::{Component, InstancePre};
use wasmtime::{Engine, Store, StoreContextMut, UpdateDeadline};
use whimbrel_core::digest::Digest;
use whimbrel_core::name::PluginName;
use whimbrel_signal::metric::Meter;

use crate::admission::{self, Declared, Surface};
use crate::bindings::provider::ProviderPre;
use crate::bindings::reporter::ReporterPre;
use crate::bindings::step::StepPre;
use crate::bindings::store::StorePre;
use crate::bindings::webhook::WebhookPre;
use crate::cache::Cache;
use crate::call::dry_run;
use crate::compiler::Compiler;
use crate::egress::{Names, SystemNames};
use crate::error::PluginError;
use crate::grants::Grants;
use crate::instance::{Scope, State};
use crate::known::World;
use crate::limits::Limits;
use crate::plugin::{Admitted, Exports, Plugin};
use crate::room::{Kind, Room};
use crate::ticker::Ticking;

/// How a sandbox is set up.
#[derive(Clone, Default)]
pub struct Settings {
    /// Where compiled code is kept; none compiles every time.
    pub cache_dir: Option<PathBuf>,
    /// What compiles into that folder apart from this process; none compiles here. Where it can't, it is done here as well.
    pub compiler: Option<Compiler>,
    /// What a call may use up.
    pub limits: Limits,
    /// Counts calls, and takes what plugins measure in calls that belong to no run; none drops it.
    pub meter: Option<Meter>,
    /// Finds the addresses of hosts; none means the system's resolver.
    pub names: Option<Arc<dyn Names>>,
}

/// Admits plugins. Clones share the engine.
#[derive(Clone)]
pub struct Sandbox(Arc<Inner>);

struct Inner {
    settings: Settings,
    cache: OnceLock<Option<Cache>>,
    pooled: OnceLock<Result<Room, String>>,
    on_demand: OnceLock<Result<Room, String>>,
}

/// What linking a component gave.
struct Linked {
    kind: Kind,
    surface: Surface,
    instance: InstancePre<State>,
    worlds: Exports,
}

/// A call's place in its room.
pub(crate) struct Place<'a> {
    _ticking: Ticking<'a>,
    _permit: SemaphorePermit<'a>,
}

/// Finds the functions of each world that a component is of.
fn exports(surface: &Surface, instance: &InstancePre<State>) -> wasmtime::Result<Exports> {
    let mut exports = Exports::default();
    for world in &surface.worlds {
        let instance = instance.clone();
        match world {
            World::MigrationStep => exports.step = Some(StepPre::new(instance)?),
            World::SecretStore => exports.store = Some(StorePre::new(instance)?),
            World::GitWebhook => exports.webhook = Some(WebhookPre::new(instance)?),
            World::GitReporter => exports.reporter = Some(ReporterPre::new(instance)?),
            World::ResourceProvider => exports.provider = Some(ProviderPre::new(instance)?),
            World::PlanPolicy | World::MigrationLayout => {}
        }
    }
    Ok(exports)
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
            cache: OnceLock::new(),
            pooled: OnceLock::new(),
            on_demand: OnceLock::new(),
        })))
    }

    /// The limits that hold.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.0.settings.limits
    }

    /// Counts what is done with plugins, if anybody wants to know.
    #[must_use]
    pub fn meter(&self) -> Option<&Meter> {
        self.0.settings.meter.as_ref()
    }

    pub(crate) fn names(&self) -> Arc<dyn Names> {
        let names = self.0.settings.names.clone();
        names.unwrap_or_else(|| Arc::new(SystemNames))
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
        let (sandbox, title, kind) = (self.clone(), plugin.clone(), declared.kind);
        // Compiling takes a processor for a tenth of a second, or for ten.
        let linked =
            tokio::task::spawn_blocking(move || sandbox.link(&title, kind, &digest, &bytes)).await;
        let Linked {
            kind,
            surface,
            instance,
            worlds,
        } = linked.map_err(|error| PluginError::Engine(error.to_string()))??;
        let Declared {
            manifest,
            grants,
            memory,
            ..
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
                kind,
                imports: surface.imports,
                exports: surface.exports,
                worlds: surface.worlds,
                calls: worlds,
            },
        );
        dry_run(&admitted, instance).await?;
        Ok(admitted)
    }

    /// Links a component in the room that suits it. What doesn't fit the pool gets a room of its own size.
    fn link(
        &self,
        plugin: &str,
        kind: Kind,
        digest: &Digest,
        bytes: &[u8],
    ) -> Result<Linked, PluginError> {
        if kind == Kind::Pooled
            && let Ok(linked) = self.link_in(Kind::Pooled, plugin, digest, bytes)
        {
            return Ok(linked);
        }
        self.link_in(Kind::OnDemand, plugin, digest, bytes)
    }

    fn link_in(
        &self,
        kind: Kind,
        plugin: &str,
        digest: &Digest,
        bytes: &[u8],
    ) -> Result<Linked, PluginError> {
        let room = self.room(kind)?;
        let engine = room.engine();
        let compiled = self.compiled(kind, engine, digest, bytes);
        let component = compiled.map_err(|error| PluginError::NotAComponent {
            plugin: plugin.to_owned(),
            reason: format!("{error:#}"),
        })?;
        let surface = admission::surface(plugin, engine, &component)?;
        let mismatch = |error: wasmtime::Error| PluginError::Mismatch {
            plugin: plugin.to_owned(),
            reason: format!("{error:#}"),
        };
        let instance = room.link(&component).map_err(mismatch)?;
        let worlds = exports(&surface, &instance).map_err(mismatch)?;
        Ok(Linked {
            kind,
            surface,
            instance,
            worlds,
        })
    }

    /// The compiled code: as it was kept, or compiled now, apart from this process if that can be.
    fn compiled(
        &self,
        kind: Kind,
        engine: &Engine,
        digest: &Digest,
        bytes: &[u8],
    ) -> wasmtime::Result<Component> {
        let Some(cache) = self.cache() else {
            return Component::from_binary(engine, bytes);
        };
        if let Some(known) = cache.known(engine, digest) {
            return Ok(known);
        }
        if let Some(compiler) = &self.0.settings.compiler {
            match compiler.compile(kind, cache.folder(), bytes) {
                Ok(()) => {
                    if let Some(made) = cache.known(engine, digest) {
                        return Ok(made);
                    }
                }
                Err(error) => tracing::debug!(%digest, %error, "it is compiled by this process"),
            }
        }
        cache.compile(engine, digest, bytes)
    }

    fn room(&self, kind: Kind) -> Result<&Room, PluginError> {
        let limits = self.limits();
        let room = match kind {
            Kind::Pooled => &self.0.pooled,
            Kind::OnDemand => &self.0.on_demand,
        };
        room.get_or_init(|| Room::open(kind, limits))
            .as_ref()
            .map_err(|reason| PluginError::Engine(reason.clone()))
    }

    fn cache(&self) -> Option<&Cache> {
        let open = || {
            let folder = self.0.settings.cache_dir.as_deref()?;
            Cache::open(folder)
                .inspect_err(|error| tracing::warn!(%error, "compiled code isn't kept"))
                .ok()
        };
        self.0.cache.get_or_init(open).as_ref()
    }

    /// A place for one call; waits while the room is full.
    pub(crate) async fn place(&self, plugin: &Plugin) -> Result<Place<'_>, PluginError> {
        let room = self.room(plugin.kind())?;
        let permit = room.enter().await;
        Ok(Place {
            _permit: permit.map_err(|error| PluginError::Engine(error.to_string()))?,
            _ticking: room.tick(),
        })
    }

    /// A place for an instance that waits for a call, if one is left, and ticks while it is made.
    pub(crate) fn ahead(&self, plugin: &Plugin) -> Option<(Ticking<'_>, OwnedSemaphorePermit)> {
        let room = self.room(plugin.kind()).ok()?;
        let permit = room.ahead()?;
        Some((room.tick(), permit))
    }

    fn state(&self, plugin: &Plugin, scope: Scope, limit: Duration) -> State {
        State::new(
            plugin.name().to_string(),
            scope,
            plugin.grants().clone(),
            self.limits(),
            plugin.memory(),
            limit,
            self.0.settings.meter.as_ref(),
        )
    }

    /// Begins a call in a store that was made before it.
    pub(crate) fn begin(
        &self,
        store: &mut Store<State>,
        plugin: &Plugin,
        scope: Scope,
        limit: Duration,
    ) {
        let made = std::mem::replace(store.data_mut(), self.state(plugin, scope, limit));
        // What its instance has counts from its beginning.
        store.data_mut().ceiling = made.ceiling;
        store.set_hostcall_fuel(self.limits().hostcall_bytes);
        store.set_epoch_deadline(1);
    }

    /// A store for one call.
    pub(crate) fn store(
        &self,
        plugin: &Plugin,
        scope: Scope,
        limit: Duration,
    ) -> Result<Store<State>, PluginError> {
        let limits = self.limits();
        let state = self.state(plugin, scope, limit);
        let mut store = Store::new(self.room(plugin.kind())?.engine(), state);
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
