//! Writes Whimbrel plugins in Rust.
//!
//! A step of a migration is a type that implements [`MigrationStep`], exported with [`export_step!`]:
//!
//! ```
//! use whimbrel_sdk::prelude::*;
//!
//! #[derive(Deserialize, JsonSchema)]
//! #[serde(crate = "whimbrel_sdk::serde")]
//! #[schemars(crate = "whimbrel_sdk::schemars")]
//! struct Config {
//!     table: String,
//! }
//!
//! struct Empty;
//!
//! impl MigrationStep for Empty {
//!     type Config = Config;
//!
//!     fn describe() -> Description {
//!         Description::new("Empties a table")
//!     }
//!
//!     fn plan(config: &Config, _dialect: &Dialect) -> Result<Preview, Fault> {
//!         Ok(Preview::new([format!("deletes every row of {}", config.table)]))
//!     }
//!
//!     fn apply(config: &Config) -> Result<Outcome, Fault> {
//!         let table = database::quote(&config.table);
//!         let rows = database::execute(&format!("DELETE FROM {table}"), &[])?;
//!         Ok(Outcome::new(rows, format!("{rows} rows deleted")))
//!     }
//! }
//!
//! whimbrel_sdk::export_step!(Empty);
//! # fn main() {}
//! ```
//!
//! Built for `wasm32-unknown-unknown` with the linker `wasm-component-ld` it is a component whose only imports are the
//! world's. Built natively, every import is served by the [`mock`] host, so that `cargo test` exercises the plugin.
//!
//! A store of secrets is a type that implements [`SecretStore`], exported with [`export_store!`]:
//!
//! ```
//! use whimbrel_sdk::prelude::*;
//!
//! #[derive(Deserialize, JsonSchema)]
//! #[serde(crate = "whimbrel_sdk::serde")]
//! #[schemars(crate = "whimbrel_sdk::schemars")]
//! struct Config {
//!     /// Where the store is.
//!     address: String,
//! }
//!
//! struct Shelf(Config);
//!
//! impl SecretStore for Shelf {
//!     type Config = Config;
//!
//!     fn configure(config: Config) -> Result<Self, Fault> {
//!         Ok(Self(config))
//!     }
//!
//!     fn read(&self, reference: &Reference) -> Result<Secret, Fault> {
//!         let response = http::send(&http::Request::get(format!("{}/{}", self.0.address, reference.path)))?;
//!         Ok(Secret::of_value(response.body))
//!     }
//!
//!     fn describe(&self, _: &Reference) -> Result<Shape, Fault> {
//!         Ok(Shape::default())
//!     }
//! }
//!
//! whimbrel_sdk::export_store!(Shelf, needs: ["http"]);
//! # fn main() {}
//! ```
//!
//! What reads a Git host's webhooks is a [`WebhookReceiver`], exported with [`export_webhook!`]; what shows results there is a
//! [`GitReporter`], exported with [`export_reporter!`]. Resources for Terraform are a [`ResourceProvider`], exported with
//! [`export_provider!`].
//!
//! What a plugin exports may be called again after a crash: `apply` goes on from [`database::last_checkpoint`].

#![warn(missing_docs)]

pub mod address;
#[doc(hidden)]
pub mod bindings;
pub mod call;
pub mod clock;
mod configuration;
mod configured;
pub mod database;
mod duration;
pub mod engine;
pub mod environment;
mod export;
mod fault;
pub mod files;
#[cfg(target_arch = "wasm32")]
pub mod heap;
pub mod http;
pub mod log;
pub mod metrics;
#[cfg(not(target_arch = "wasm32"))]
pub mod mock;
pub mod random;
mod refusal;
pub mod reporter;
pub mod resource;
mod secret;
pub mod session;
pub mod sources;
mod step;
mod store;
pub mod time;
mod value;
pub mod verify;
pub mod webhook;

pub use duration::Duration;
pub use fault::{Fault, FaultClass, Retry};
pub use reporter::GitReporter;
pub use resource::ResourceProvider;
pub use secret::{Lease, Reference, Renewal, Secret, Shape};
pub use step::{Description, Dialect, MigrationStep, Outcome, Preview};
pub use store::SecretStore;
pub use value::{RowSet, Value};
pub use webhook::WebhookReceiver;

#[doc(hidden)]
pub use export::manifest;
#[doc(hidden)]
pub use reporter::ExportedReporter;
#[doc(hidden)]
pub use resource::ExportedProvider;
#[doc(hidden)]
pub use step::Exported;
#[doc(hidden)]
pub use store::ExportedStore;
#[doc(hidden)]
pub use webhook::ExportedWebhook;
pub use {schemars, serde, serde_json};

/// All that most plugins need.
pub mod prelude {
    pub use crate::{
        Description, Dialect, Duration, Fault, FaultClass, GitReporter, Lease, MigrationStep,
        Outcome, Preview, Reference, Renewal, ResourceProvider, Retry, RowSet, Secret, SecretStore,
        Shape, Value, WebhookReceiver, call, database, engine, export_provider, export_reporter,
        export_step, export_store, export_webhook, http, log,
    };
    pub use schemars::JsonSchema;
    pub use serde::{Deserialize, Serialize};
    pub use serde_json::{Value as Json, json};
}

/// Calls an import: the real one in a component, the mock host's elsewhere.
macro_rules! import {
    ($path:path, $mock:ident ( $($argument:expr),* )) => {{
        #[cfg(target_arch = "wasm32")]
        {
            $path($($argument),*)
        }
        #[cfg(not(target_arch = "wasm32"))]
        {
            $crate::mock::$mock($($argument),*)
        }
    }};
}
pub(crate) use import;
