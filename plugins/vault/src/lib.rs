//! Secrets of HashiCorp Vault and OpenBao: KV of both versions, database credentials dynamic and static, and whatever
//! else answers a read with data or a lease. `vaultrs` speaks, unmodified, over the `http` import.
//!
//! It never retries: it says in its faults when the host may call again.

mod client;
mod config;
mod database;
mod endpoint;
mod engine;
mod generic;
mod kv;
mod lease;
mod login;
mod refusal;
mod session;

use std::cell::Cell;

pub use config::{AppRole, Config, EngineName, Jwt, Kubernetes, LoginMethod};
use vaultrs::client::VaultClient;
use whimbrel_sdk::prelude::*;

use crate::client::Connection;
use crate::engine::Engine;

/// The secret backend `plugin: vault`.
pub struct Vault {
    config: Config,
    /// The client of the next call: the host may configure an instance while nobody waits for it.
    client: Cell<Option<VaultClient>>,
}

impl Vault {
    fn connect(&self) -> Result<Connection<'_>, Fault> {
        Connection::open(&self.config, self.client.take())
    }
}

impl SecretStore for Vault {
    type Config = Config;

    fn configure(config: Config) -> Result<Self, Fault> {
        config.check()?;
        let client = client::client(&config, "")?;
        Ok(Self {
            config,
            client: Cell::new(Some(client)),
        })
    }

    fn read(&self, reference: &Reference) -> Result<Secret, Fault> {
        let mut connection = self.connect()?;
        let place = engine::locate(&mut connection, &reference.path)?;
        match place.engine {
            Engine::Kv2 => kv::read_2(&mut connection, &place, reference),
            Engine::Kv1 => kv::read_1(&mut connection, &place, reference),
            Engine::Database | Engine::Other => generic::read(&mut connection, &place, reference),
        }
    }

    fn describe(&self, reference: &Reference) -> Result<Shape, Fault> {
        let mut connection = self.connect()?;
        let place = engine::locate(&mut connection, &reference.path)?;
        match place.engine {
            Engine::Kv2 => kv::describe_2(&mut connection, &place, reference),
            Engine::Kv1 => kv::describe_1(&mut connection, &place, reference),
            Engine::Database => database::describe(&mut connection, &place, reference),
            Engine::Other => generic::describe(&mut connection, &place),
        }
    }

    fn renew(&self, lease: &str, want: Duration) -> Result<Renewal, Fault> {
        lease::renew(&mut self.connect()?, lease, want)
    }

    fn revoke(&self, lease: &str) -> Result<(), Fault> {
        lease::revoke(&mut self.connect()?, lease)
    }

    fn close(&self) -> Result<(), Fault> {
        login::close(&self.config)
    }
}

/// Each call has an instance of its own, whose memory ends with it.
#[cfg(target_arch = "wasm32")]
#[global_allocator]
static HEAP: whimbrel_sdk::heap::Heap = whimbrel_sdk::heap::Heap::new();

whimbrel_sdk::export_store!(Vault, needs: ["http", "clock"], uses: ["files"]);
