//! Where plugins are instantiated: an engine, its linker and its clock.
//!
//! Small guests share a pool of prepared places, which makes a call quick. Guests with big runtimes, and whatever doesn't
//! fit the pool's places, are instantiated on demand, and so is everything where the pool can't be had (it reserves
//! addresses, not memory, but some machines allow few).

use std::str::FromStr;
use std::sync::Arc;

use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore, SemaphorePermit};
use wasmtime::component::{Component, HasSelf, InstancePre, Linker};
use wasmtime::{Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig};

use crate::bindings::imports::Everything;
use crate::instance::State;
use crate::limits::Limits;
use crate::ticker::{Ticker, Ticking};

/// How a room gives its guests their places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// From a pool.
    Pooled,
    /// Each its own.
    OnDemand,
}

impl Kind {
    /// As a compiler in a process of its own is told it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pooled => "pooled",
            Self::OnDemand => "on-demand",
        }
    }
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut all = [Self::Pooled, Self::OnDemand].into_iter();
        let kind = all.find(|kind| kind.as_str() == text);
        kind.ok_or_else(|| format!("there is no room `{text}`"))
    }
}

/// The core instances, memories and tables of a pool's place: what components without a runtime have.
const INSTANCES: u32 = 8;
const MEMORIES: u32 = 1;
const TABLES: u32 = 4;

/// Bytes of a guest's memory and stack that a place keeps: clearing them is quicker than giving them back.
const KEPT: usize = 128 << 10;

/// The same of a memory where the kernel tells which pages were written (Linux 6.7, and a process that may ask about itself):
/// only those are cleared then, and the next guest finds them there instead of waiting for each.
const KEPT_OF_WRITTEN: usize = 512 << 10;

/// One engine and what belongs to it.
pub struct Room {
    engine: Engine,
    linker: Linker<State>,
    ticker: Ticker,
    places: Semaphore,
    /// Places beside those, for instances that wait for a call.
    ahead: Arc<Semaphore>,
}

impl Room {
    /// Opens a room.
    ///
    /// # Errors
    /// The machine doesn't allow it.
    pub fn open(kind: Kind, limits: &Limits) -> Result<Self, String> {
        let open = || -> wasmtime::Result<(Engine, Linker<State>)> {
            let engine = engine(kind, limits)?;
            let mut linker = Linker::new(&engine);
            Everything::add_to_linker::<_, HasSelf<State>>(&mut linker, |state| state)?;
            wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
            Ok((engine, linker))
        };
        let (engine, linker) = open().map_err(|error| format!("{error:#}"))?;
        let ticker = Ticker::start(&engine, limits.tick).map_err(|error| error.to_string())?;
        let (places, ahead) = match kind {
            Kind::Pooled => (limits.pooled_calls as usize, limits.pooled_ahead as usize),
            // None is made ahead: it would keep a big runtime's memory.
            Kind::OnDemand => (Semaphore::MAX_PERMITS, 0),
        };
        Ok(Self {
            engine,
            linker,
            ticker,
            places: Semaphore::new(places),
            ahead: Arc::new(Semaphore::new(ahead)),
        })
    }

    /// The engine.
    pub const fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Resolves a component's imports.
    ///
    /// # Errors
    /// They have another shape than ours, or the component doesn't fit a place of the pool.
    pub fn link(&self, component: &Component) -> wasmtime::Result<InstancePre<State>> {
        self.linker.instantiate_pre(component)
    }

    /// Waits for a place.
    ///
    /// # Errors
    /// Never: rooms aren't closed.
    pub async fn enter(&self) -> Result<SemaphorePermit<'_>, AcquireError> {
        self.places.acquire().await
    }

    /// A place for an instance that waits for its call, if one is left.
    pub fn ahead(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.ahead).try_acquire_owned().ok()
    }

    /// Ticks until the guard is dropped.
    pub fn tick(&self) -> Ticking<'_> {
        self.ticker.run()
    }
}

/// Whether the kernel tells this process which of its pages were written. A process that closes its memory to others
/// (`PR_SET_DUMPABLE`) closes it to itself as well, unless it is root's: it asks once before, and may ask ever after.
#[must_use]
pub fn sees_written_pages() -> bool {
    PoolingAllocationConfig::is_pagemap_scan_available()
}

/// The engine of a room: what one compiles, another one of the same kind and limits can run.
///
/// # Errors
/// The machine doesn't allow it.
pub fn engine(kind: Kind, limits: &Limits) -> wasmtime::Result<Engine> {
    let mut config = Config::new();
    config
        .epoch_interruption(true)
        // Functions are looked up once, when an instance is made, and not at each call through a table: guests in Rust call through
        // theirs all the time, and an instance is often made while nobody waits.
        .table_lazy_init(false)
        .max_wasm_stack(limits.stack_bytes)
        // The guest's stack and the host functions that it calls share one fiber.
        .async_stack_size(limits.stack_bytes + (1 << 20));
    if kind == Kind::Pooled {
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(limits)));
    }
    Engine::new(&config)
}

fn pool(limits: &Limits) -> PoolingAllocationConfig {
    let calls = limits.pooled_calls + limits.pooled_ahead;
    let kept = if sees_written_pages() {
        KEPT_OF_WRITTEN
    } else {
        KEPT
    };
    let mut pool = PoolingAllocationConfig::default();
    pool.total_component_instances(calls)
        .max_core_instances_per_component(INSTANCES)
        .total_core_instances(calls * INSTANCES)
        .max_memories_per_component(MEMORIES)
        .total_memories(calls * MEMORIES)
        .max_tables_per_component(TABLES)
        .total_tables(calls * TABLES)
        .total_stacks(calls)
        .max_memory_size(limits.memory_bytes)
        .table_elements(limits.table_elements)
        .pagemap_scan(Enabled::Auto)
        .linear_memory_keep_resident(kept)
        .table_keep_resident(KEPT)
        .async_stack_keep_resident(KEPT);
    pool
}
